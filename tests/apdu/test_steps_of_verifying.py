# SPDX-License-Identifier: Apache-2.0
"""Verifying takes as many steps wherever the first difference is.

Steps are bytecodes of the interpreter, counted; what ciphers do below them is not seen here, and
of arithmetic in Python (SM2, RSA without a library) nothing is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import pytest
from opcodes import differing, early_exit, steps_of

from apdu.crypto import cryptogram, pinblock, pinvalue, script
from apdu.crypto.suite import BlockKey, Suite
from apdu.crypto.suites import SUITES
from apdu.errors import StatusError
from apdu.messaging import MAC, challenge_messaging
from apdu.sw import SW
from apdu.wire.cryptogram import Cvn, OneAmount, OneAmountIdd, VisCvn

KEY = bytes.fromhex("3B0791C2D65F48EA10A7E45C9D82F613")
OTHER = bytes.fromhex("54E97A1D08C3B26F8B35D02E9147FCA6")
ATC, LINK, DATA = b"\x00\x2a", bytes(range(8)), bytes(range(20))
HEADER = bytes((0x84, 0x24, 0, 1, len(DATA) + MAC))
PAN, PIN, VALIDATION = "6217001234567890", "4826", "6217001234567890"
TDES = SUITES[1]
PIN_KEY, PVK = TDES.key(KEY), TDES.key(OTHER)

both = pytest.mark.parametrize("suite", SUITES.values(), ids=repr)


def other_digits(right: str) -> list[str]:
    """As long as `right`, first differing at each of its digits, and the rest right or wrong."""
    turned = "".join(str((int(digit) + 5) % 10) for digit in right)
    return [
        right[:at] + digit + rest[at + 1 :]
        for at, there in enumerate(right)
        for digit in "0123456789"
        if digit != there
        for rest in (right, turned)
    ]


def steps(verify: Callable[[Any], Any], wrong: Iterable[Any]) -> set[int]:
    """How many steps it took to say no to each. The first call fills what is kept."""
    values = list(wrong)
    found = [steps_of(verify, value) for value in [values[0], *values]][1:]
    assert {False} == {outcome for _, outcome in found}
    return {count for count, _ in found}


# Cryptograms and MACs


Verifier = Callable[[bytes], Any]
INPUTS = {Cvn.CVN_01: 37, Cvn.CVN_17: 13, VisCvn.CVN_10: 37, VisCvn.CVN_18: 40, VisCvn.CVN_22: 40}
"""Bytes of the input of each cryptogram version."""


def of_cards(key: BlockKey) -> Iterator[tuple[str, Verifier, bytes]]:
    """The card's cryptograms, from the issuer's master key and from the card's own."""
    card = key.suite.key(cryptogram.udk(key, PAN))
    for cvn, size in INPUTS.items():
        rule, data = cryptogram.RULES[cvn], bytes(range(size))
        own = rule.session(card, cryptogram.atc_of(rule.layout, data))
        right = cryptogram.cryptogram(own, data, rule.padding)
        yield cvn.name, partial(cryptogram.verify, key, PAN, "00", cvn, data), right
        yield f"{cvn.name} card", partial(cryptogram.verify_card, card, cvn, data), right


def of_others(key: BlockKey) -> Iterator[tuple[str, Verifier, bytes]]:
    """Issuer's answers, MACs of commands and of data."""
    session = cryptogram.transaction_key(key, Cvn.CVN_01, ATC)
    answered, updated = (session, LINK, b"00"), (session, LINK, bytes(4), b"")
    yield "ARPC", partial(cryptogram.verify_arpc, *answered), cryptogram.arpc(*answered)
    yield "CSU", partial(cryptogram.verify_csu_arpc, *updated), cryptogram.csu_arpc(*updated)
    idd = partial(OneAmountIdd, OneAmount.BALANCE, bytes(5))
    right = cryptogram.idd_mac(session, ATC, idd())
    yield "IDD", lambda mac: cryptogram.verify_idd(session, ATC, idd(mac)), right
    bare, linked = (session, HEADER), (session, HEADER, ATC, LINK)
    right = script.command_mac(*bare, DATA)[:MAC]
    yield "command", partial(script.verify_command, *bare, DATA), right
    right = script.script_mac(*linked, DATA)[:MAC]
    yield "script", partial(script.verify_script, *linked, DATA), right
    right = script.command_mac(challenge_messaging(key, LINK).mac_key, HEADER, DATA)[:MAC]
    yield "messaging", lambda mac: opens(key, mac), right


def opens(key: BlockKey, mac: bytes) -> bool:
    try:
        return challenge_messaging(key, LINK).open(HEADER[:4], DATA + mac) == DATA
    except StatusError as refused:
        assert SW.MESSAGING_WRONG == refused.sw
        return False


@both
@pytest.mark.parametrize("verifiers", [of_cards, of_others])
def test_a_wrong_cryptogram_or_mac_takes_the_same_steps_wherever_it_is_wrong(
    suite: Suite, verifiers: Callable[[BlockKey], Iterable[tuple[str, Verifier, bytes]]]
) -> None:
    for name, verify, right in verifiers(suite.key(KEY)):
        assert verify(right) is True, name
        assert 1 == len(steps(verify, differing(right))), name


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("apdu.crypto.cryptogram", "ARPC"),
        ("apdu.crypto.script", "script"),
        ("apdu.messaging", "messaging"),
    ],
)
def test_a_comparison_that_stops_early_is_found_out(
    place: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{place}.compare_digest", early_exit)
    found = {name: (verify, right) for name, verify, right in of_others(TDES.key(KEY))}
    verify, right = found[name]
    assert len(right) == len(steps(verify, differing(right)))


# PINs


def enciphered(pin: str) -> bytes:
    return PIN_KEY.encrypt(pinblock.build_iso_0(pin, PAN))


def has_pvv(block: bytes, pvv: str = "") -> bool:
    wanted = pvv or pinvalue.pvv(PVK, PIN, PAN)
    return pinvalue.verify_pvv(PIN_KEY, block, PAN, PVK, "1", wanted)


def fits_offset(block: bytes, offset: str = "") -> bool:
    wanted = offset or pinvalue.pin_offset(PVK, PIN, VALIDATION)
    return pinvalue.verify_offset(PIN_KEY, block, PAN, PVK, VALIDATION, wanted)


def no_pins() -> list[bytes]:
    """Enciphered blocks that hold no PIN, each for another reason."""
    right = pinblock.build_iso_0(PIN, PAN)
    masks = ["10", "0F", "0001", "00F0", "00000000000000F0", "000000000F"]
    changed = [int(mask.ljust(16, "0"), 16) ^ int.from_bytes(right) for mask in masks]
    return [PIN_KEY.encrypt(each.to_bytes(8)) for each in changed]


@pytest.mark.parametrize("verify", [has_pvv, fits_offset])
def test_a_wrong_pin_takes_the_same_steps_wherever_it_is_wrong_and_if_there_is_none(
    verify: Callable[[bytes], bool],
) -> None:
    assert verify(enciphered(PIN))
    wrong = [pin for pin in other_digits(PIN) if not verify(enciphered(pin))]
    assert len(wrong) > 60
    assert 1 == len(steps(verify, [*map(enciphered, wrong), *no_pins()]))


def test_a_pvv_takes_the_same_steps_however_few_decimal_digits_it_is_made_of() -> None:
    pans = [f"621700{n:09}0" for n in range(4_000)]
    few = [pan for pan in pans if decimal_digits(pan) < len("0000")]
    assert few
    assert 1 == len({steps_of(pinvalue.pvv, PVK, PIN, pan)[0] for pan in (PAN, *few, *pans[:9])})


def decimal_digits(pan: str) -> int:
    """How many there are in what a PVV is made of."""
    done = PVK.encrypt(bytes.fromhex(pan[-12:-1] + "1" + PIN))
    return sum(digit.isdecimal() for digit in done.hex())


@pytest.mark.parametrize(
    ("verify", "right"),
    [
        (has_pvv, pinvalue.pvv(PVK, PIN, PAN)),
        (fits_offset, pinvalue.pin_offset(PVK, PIN, VALIDATION)),
    ],
)
def test_a_wrong_pvv_or_offset_takes_the_same_steps_wherever_it_is_wrong(
    verify: Callable[[bytes, str], bool], right: str
) -> None:
    block = enciphered(PIN)
    assert verify(block, right)
    assert 1 == len(steps(lambda value: verify(block, value), other_digits(right)))
