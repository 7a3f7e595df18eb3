# SPDX-License-Identifier: Apache-2.0
"""What the chip compares takes as many steps wherever the first difference is.

Steps are bytecodes of the interpreter, counted; what ciphers do below them is not seen here. Every
command is sent to a card in the same state, so that nothing else can make a difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

import pytest
from opcodes import Attempt, alike, differing, early_exit, seen, steps_of
from pinbench import PIN, card_with_pin, spy_on_comparison
from testbench import (
    FLASH_SIZE,
    SELECT_HRSS,
    SELECT_MF,
    blank,
    change_pin,
    command,
    send_all,
    verify,
    world,
)

from apdu.command import CommandAPDU
from apdu.crypto.derive import authentication, challenge_key
from apdu.crypto.padding import method_2
from apdu.crypto.suite import BlockKey, Suite
from apdu.crypto.suites import SUITES
from apdu.messaging import MAC, challenge_messaging
from apdu.wire.access import NEVER
from apdu.wire.codes import pin_bytes
from apdu.wire.hrss.application import SSSE_NAME
from apdu.wire.hrss.commands import EXTERNAL_AUTHENTICATE, ExternalData, KeyNumber
from apdu.wire.hrss.keys import PUK, STK
from apdu.wire.iso7816 import GET_CHALLENGE, VERIFY, PinRef
from apdu.wire.perso import (
    ACTIVATE_FILE,
    CREATE_FILE,
    WRITE_KEY,
    Algorithm,
    FileHeader,
    FileKind,
    KeyBlock,
    KeyRef,
    KeyUsage,
)
from card_os.chip import Chip
from card_os.nvm import Flash

KEY = bytes.fromhex("3B0791C2D65F48EA10A7E45C9D82F613")
NEW = "91827364"
LIMIT = 6
FACES = ["card_os.secrets.pins", "card_os.secrets.keys", "apdu.messaging"]
"""Where the chip compares."""

both = pytest.mark.parametrize("suite", SUITES.values(), ids=repr)


# The PIN


def attempts_at(chip: Chip, raws: Iterable[bytes], pin: str = PIN) -> list[Attempt]:
    def attempt(raw: bytes) -> bytes:
        send_all(chip, [verify(pin)])
        return raw

    return [partial(attempt, raw) for raw in raws]


def wrong_pins(pin: str) -> list[str]:
    """As long as the PIN, first differing at each of its digits, and the rest right or wrong."""
    others = [str((int(digit) + 5) % 10) for digit in pin]
    found = []
    for at, right in enumerate(pin):
        for digit in "0123456789":
            if digit != right:
                found += [pin[:at] + digit + rest[at + 1 :] for rest in (pin, "".join(others))]
    return found


@pytest.mark.parametrize("pin", [PIN, "1234567", "12345678"])
def test_verify_takes_the_same_steps_wherever_a_pin_is_wrong(pin: str) -> None:
    chip = card_with_pin(pin=pin)
    wrong = [verify(each) for each in wrong_pins(pin)]
    steps = alike(chip.transmit, attempts_at(chip, wrong, pin), b"\x63\xc5")
    others = [command(VERIFY, PinRef(0), b"\x12\x34\x56\x78"[:n] * 2) for n in range(1, 5)]
    others += [command(VERIFY, PinRef(0), bytes((n,)) * 8) for n in (0x00, 0x99, 0xAA, 0xFF)]
    assert steps == alike(chip.transmit, attempts_at(chip, others, pin), b"\x63\xc5")


def test_verify_takes_the_same_steps_however_many_tries_are_left() -> None:
    chip = card_with_pin(LIMIT)
    send_all(chip, [verify(PIN)])
    wrong = [verify("000000"), verify("123455"), verify("923456")] * 2
    found = [steps_of(chip.transmit, raw) for raw in [verify(PIN), *wrong]][1:]
    assert [bytes((0x63, 0xC0 | left)) for left in reversed(range(LIMIT))] == [
        answer for _, answer in found
    ]
    assert 1 == len({steps for steps, _ in found})


def test_a_blocked_pin_is_not_compared_so_right_and_wrong_take_the_same_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chip = card_with_pin(1)
    assert b"\x63\xc0" == chip.transmit(verify("000000"))
    comparisons = spy_on_comparison(monkeypatch, lambda: None)
    before = chip.snapshot()
    raws = [verify(PIN), *map(verify, wrong_pins(PIN))]
    alike(chip.transmit, [partial(bytes, raw) for raw in raws], b"\x69\x83")
    assert [] == comparisons
    changes = [change_pin(PIN, NEW), *(change_pin(wrong, NEW) for wrong in wrong_pins(PIN))]
    alike(chip.transmit, [partial(bytes, raw) for raw in changes], b"\x69\x83")
    # The new PIN is compared with the initial one, and nothing with the PIN in force.
    assert {(None, False)} == set(comparisons)
    assert len(comparisons) == len(changes) + 1
    assert before == chip.snapshot()


def test_change_pin_takes_the_same_steps_wherever_the_old_pin_is_wrong() -> None:
    chip = card_with_pin()
    wrong = [change_pin(each, NEW) for each in wrong_pins(PIN)]
    alike(chip.transmit, attempts_at(chip, wrong), b"\x63\xc5")


# Keys


def card_with_keys(suite: Suite) -> Chip:
    """A sealed card with PIN, messaging key and the service window's key; both have one value."""
    flash = Flash(bytearray(FLASH_SIZE))
    chip = blank(flash)
    algorithm = Algorithm(suite.number)
    keys = {PUK: KeyUsage.EXTERNAL_AUTHENTICATE, STK: KeyUsage.MESSAGING}
    pin = KeyBlock(KeyUsage.PIN, 0, Algorithm.NONE, LIMIT, pin_bytes(PIN))
    ssse = FileHeader(FileKind.DF, 0xDDF1, NEVER, NEVER, name=SSSE_NAME)
    send_all(
        chip,
        [
            command(CREATE_FILE, None, ssse),
            command(WRITE_KEY, KeyRef(0), pin),
            *(
                command(WRITE_KEY, KeyRef(kid), KeyBlock(usage, 1, algorithm, LIMIT, KEY))
                for kid, usage in keys.items()
            ),
            SELECT_MF,
            command(ACTIVATE_FILE),
        ],
    )
    chip = Chip.boot(flash, world())
    send_all(chip, [SELECT_HRSS])
    return chip


def challenge(chip: Chip) -> bytes:
    return chip.transmit(command(GET_CHALLENGE, ne=8))[:-2]


def authenticate(chip: Chip, key: BlockKey, change: Callable[[bytes], bytes]) -> bytes:
    """EXTERNAL AUTHENTICATE over a new challenge, its cryptogram changed."""
    right = authentication(challenge_key(key, challenge(chip)), bytes(8))
    shown = ExternalData(change(right), bytes(8))
    return command(EXTERNAL_AUTHENTICATE, KeyNumber(PUK), shown)


def cryptograms(chip: Chip, key: BlockKey) -> Iterator[Attempt]:
    def attempt(mask: bytes) -> bytes:
        send_all(chip, [authenticate(chip, key, unchanged)])
        return authenticate(chip, key, lambda right: xor(right, mask))

    return (partial(attempt, mask) for mask in differing(bytes(8)))


def unchanged(right: bytes) -> bytes:
    return right


def xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


@both
def test_authentication_takes_the_same_steps_wherever_a_cryptogram_is_wrong(suite: Suite) -> None:
    chip = card_with_keys(suite)
    alike(chip.transmit, cryptograms(chip, suite.key(KEY)), b"\x63\xc5")


# Secure messaging


def reload(chip: Chip, key: BlockKey, sent: bytes, mask: bytes = bytes(MAC)) -> bytes:
    """PIN RELOAD with this enciphered data, its MAC for the card's challenge changed by `mask`."""
    send_all(chip, [authenticate(chip, key, unchanged)])
    messaging = challenge_messaging(key, challenge(chip))
    data = messaging.cipher.encrypt(sent)
    whole = bytes(messaging.protect(CommandAPDU(0x80, 0x24, 0, 1, data)))
    return whole[:-MAC] + xor(whole[-MAC:], mask)


def bodies(block: int) -> dict[str, bytes]:
    """What may be enciphered in a PIN RELOAD, all of one length: right and wrong in each way."""
    right = method_2(b"\x03\x65\x43\x21", block)
    return {
        "right": right,
        "no mark": right.replace(b"\x80", b"\x00"),
        "another mark": right.replace(b"\x80", b"\x81"),
        "not 00 at the end": right[:-1] + b"\x01",
        "not 00 behind the mark": right.replace(b"\x80\x00", b"\x80\x01"),
        "longer than there is": b"\xff" + right[1:],
        "longer by one": b"\x04" + right[1:],
        "shorter by one": b"\x02" + right[1:],
        "empty": b"\x00" + right[1:],
        "all 00": bytes(block),
        "all FF": b"\xff" * block,
    }


@both
def test_a_wrong_mac_takes_the_same_steps_whatever_is_inside(suite: Suite) -> None:
    chip, key = card_with_keys(suite), suite.key(KEY)
    attempts = [
        partial(reload, chip, key, body, mask)
        for body in bodies(suite.block).values()
        for mask in differing(bytes(MAC))
    ]
    alike(chip.transmit, attempts, b"\x69\x88")


@both
def test_wrong_padding_under_a_right_mac_is_answered_as_a_wrong_mac(suite: Suite) -> None:
    chip, key = card_with_keys(suite), suite.key(KEY)
    found = bodies(suite.block)
    assert b"\x90\x00" == chip.transmit(reload(chip, key, found.pop("right")))
    before = chip.snapshot()
    answers = seen(chip.transmit, [partial(reload, chip, key, body) for body in found.values()])
    assert {b"\x69\x88"} == {answer for _, answer in answers}
    assert before == chip.snapshot()


@both
def test_wrong_padding_takes_the_same_steps_wherever_it_is_wrong(suite: Suite) -> None:
    # Who gets so far has the key, or else the MAC would not be right. A length that cannot be is
    # noticed sooner.
    chip, key = card_with_keys(suite), suite.key(KEY)
    found = [
        body
        for name, body in bodies(suite.block).items()
        if name != "right" and 0 < body[0] < suite.block - 1
    ]
    assert len(found) > 5
    alike(chip.transmit, [partial(reload, chip, key, body) for body in found], b"\x69\x88")


# That the count would show it


@pytest.mark.parametrize("place", FACES)
def test_a_comparison_that_stops_early_is_found_out(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{place}.compare_digest", early_exit)
    suite = SUITES[1]
    key = suite.key(KEY)
    chip = card_with_pin() if place.endswith("pins") else card_with_keys(suite)
    macs = [partial(reload, chip, key, bytes(8), mask) for mask in differing(bytes(MAC))]
    attempts = {
        "card_os.secrets.pins": attempts_at(chip, map(verify, wrong_pins(PIN))),
        "card_os.secrets.keys": list(cryptograms(chip, key)),
        "apdu.messaging": macs,
    }[place]
    places = {"card_os.secrets.pins": len(PIN) // 2, "card_os.secrets.keys": 8}
    assert places.get(place, MAC) == len(seen(chip.transmit, attempts))
