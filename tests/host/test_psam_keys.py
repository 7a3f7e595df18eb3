# SPDX-License-Identifier: Apache-2.0
"""A PSAM as key source: what it lacks is named, what it says wrong is not used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psambench import holder_card, psam
from strategies import near

from apdu.command import CommandAPDU
from apdu.crypto.suites import SUITES
from apdu.errors import FormatError
from apdu.trace import Exchange
from apdu.wire.codes import pin_bytes
from apdu.wire.hrss.commands import PIN_CHANGE_UNBLOCK, PinService, PinServiceRef
from apdu.wire.hrss.keys import KeySpec, PsamName, key_named
from apdu.wire.iso7816 import READ_BINARY, SELECT
from apdu.wire.psam import AlgorithmCode, psam_fci
from apdu.wire.psam_commands import CRYPT, DERIVE_SESSION_KEY, INITIALISE_PURCHASE, VERIFY_MAC2
from apdu.wire.purchase import Mac1Input
from card_os.chip import Chip
from host.card import Card, command_of
from host.channel.memory import MemoryChannel
from host.channel.trace import RecordingChannel
from host.cli.testcard import TEST_SERIAL, TEST_TERMINAL
from host.faults import (
    CardFault,
    CardGone,
    CardMisspoke,
    CardNotGenuine,
    CardRefused,
    KeyUnavailable,
    Lack,
    NotFound,
)
from host.keys import Authentication, CardIdentity, MemoryKeys, Protection, Purchase
from host.psam import PsamKeys

RKSSSE, STK, DPK1 = key_named("RKSSSE"), key_named("STK"), key_named("DPK1")
CARD = CardIdentity("430200", bytes.fromhex("8660531234567890"))
R, D = bytes.fromhex("1122334455667788"), bytes.fromhex("0102030405060708")
TERMS = Mac1Input(1234, 56, 0, bytes.fromhex(TEST_TERMINAL), bytes.fromhex("20260105093000"))
Lie = Callable[[bytes], bytes]


class Liar(MemoryChannel):
    """A PSAM whose answers to some instructions are altered, once it has been looked at."""

    def __init__(self, chip: Chip) -> None:
        super().__init__(chip)
        self.lies: dict[int, Lie] = {}
        self.heard: list[bytes] = []

    def _exchange(self, command: bytes) -> bytes:
        self.heard.append(command)
        answer = super()._exchange(command)
        return self.lies.get(command[1], bytes)(answer)


def lying() -> tuple[Liar, PsamKeys]:
    channel = Liar(psam())
    return channel, PsamKeys(Card(channel))


def authentication(key: KeySpec = RKSSSE) -> Authentication:
    return Authentication(key, CARD, R, D)


def reload(key: KeySpec = STK, pin: str = "975318") -> Protection:
    ref = PinServiceRef(PinService.RELOAD)
    command = command_of(PIN_CHANGE_UNBLOCK, ref, pin_bytes(pin), 0)
    return Protection(key, CARD, R, command, enciphered=True)


def purchase(terms: Mac1Input = TERMS, key: KeySpec = DPK1) -> Purchase:
    return Purchase(key, CARD, bytes.fromhex("A1B2C3D4"), b"\x00\x01", terms)


# What it is


@pytest.mark.parametrize("suite", SUITES.values(), ids=lambda suite: suite.name)
def test_it_says_of_itself_what_a_terminal_must_know(suite: object) -> None:
    source = PsamKeys(Card(MemoryChannel(psam(suite))))  # type: ignore[arg-type]
    assert (TEST_SERIAL, TEST_TERMINAL, suite) == (source.serial, source.terminal, source.suite)
    assert (1, 1) == (source.sequence(), source.key_index())
    source.begin_purchase(purchase_for(source))
    assert 2 == source.sequence()


def purchase_for(source: PsamKeys) -> Purchase:
    return replace(purchase(), card=replace(CARD, suite=source.suite))


def test_a_holders_card_is_no_psam() -> None:
    with pytest.raises(NotFound):
        PsamKeys(Card(MemoryChannel(holder_card())))


def fci_of(answer: bytes) -> Lie:
    return lambda told: answer + b"\x90\x00" if told[:1] == b"\x6f" else told


@pytest.mark.parametrize(
    ("fci", "expected"),
    [
        (b"", SUITES[1]),
        (psam_fci(AlgorithmCode.TDES), SUITES[1]),
        (psam_fci(AlgorithmCode.SM4), SUITES[2]),
        (bytes.fromhex("6F088406D15600000590"), SUITES[1]),
        (bytes.fromhex("6F0C8406D15600000590A5028800"), SUITES[1]),
        (psam_fci(AlgorithmCode.SSF33), KeyUnavailable),
        (psam_fci(AlgorithmCode.SM4).replace(b"\x03\x03", b"\x03\x07"), CardMisspoke),
        (bytes.fromhex("6F0E8406D15600000590A5049F0C0103"), CardMisspoke),
        (bytes.fromhex("6F088406D15600000500"), CardMisspoke),
        (bytes.fromhex("6F098406D15600000590"), CardMisspoke),
    ],
)
def test_its_algorithm_is_what_its_fci_says(fci: bytes, expected: object) -> None:
    channel = Liar(psam())
    channel.lies[SELECT.ins] = fci_of(fci)
    if isinstance(expected, type) and issubclass(expected, CardFault):
        with pytest.raises(expected):
            PsamKeys(Card(channel))
    else:
        assert expected is PsamKeys(Card(channel)).suite


@pytest.mark.parametrize(
    "answer", ["9000", "00" * 5 + "9000", "0A" * 14 + "9000", "00" * 15 + "9000"]
)
def test_numbers_that_are_none_are_not_believed(answer: str) -> None:
    channel = Liar(psam())
    channel.lies[READ_BINARY.ins] = lambda told: bytes.fromhex(answer)
    with pytest.raises(CardMisspoke):
        PsamKeys(Card(channel))


# What it lacks


def test_a_key_that_it_does_not_have_is_named() -> None:
    _, source = lying()
    absent = replace(key_named("RKSSSE"), name="XK", psam=PsamName(0x67, 0x7F))
    other = replace(key_named("RKSSSE"), name="XK", psam=PsamName(0x48, 0x0A))
    none = key_named("DLK")
    purchase_key = key_named("DPK1")
    for key, lack in (
        (absent, Lack.KEY),
        (other, Lack.KEY),
        (none, Lack.KEY),
        (purchase_key, Lack.USE),
    ):
        with pytest.raises(KeyUnavailable, match=f"key {key.name}: the PSAM ") as told:
            source.authenticate(authentication(key))
        assert (lack, key.name, "PSAM") == (told.value.lack, told.value.key, told.value.source)
    for key in (none, replace(key_named("DPK1"), name="XK", psam=PsamName(0x22, 0x07))):
        with pytest.raises(KeyUnavailable) as told:
            source.begin_purchase(purchase(key=key))
        assert Lack.KEY is told.value.lack


def test_a_key_for_macs_alone_protects_but_does_not_encipher() -> None:
    _, source = lying()
    stk = key_named("STKDF01")
    with pytest.raises(KeyUnavailable, match="STKDF01") as told:
        source.protect(reload(stk))
    assert Lack.USE is told.value.lack
    bare = Protection(stk, CARD, R, CommandAPDU(0x80, 0x1E))
    assert MemoryKeys().protect(bare) == source.protect(bare)


def test_a_key_for_encipherment_alone_makes_no_mac() -> None:
    _, source = lying()
    with pytest.raises(KeyUnavailable) as told:
        source.protect(Protection(key_named("RKSSSE"), CARD, R, CommandAPDU(0x80, 0x1E)))
    assert Lack.USE is told.value.lack


def test_a_card_of_another_algorithm_is_not_asked_about() -> None:
    channel, source = lying()
    channel.heard.clear()
    card = replace(CARD, suite=SUITES[2])
    for ask in (
        lambda: source.authenticate(replace(authentication(), card=card)),
        lambda: source.protect(replace(reload(), card=card)),
        lambda: source.begin_purchase(replace(purchase(), card=card)),
    ):
        with pytest.raises(KeyUnavailable):
            ask()
    assert [] == channel.heard


def test_terms_of_another_terminal_take_no_number() -> None:
    channel, source = lying()
    channel.heard.clear()
    with pytest.raises(FormatError, match="terminal"):
        source.begin_purchase(purchase(replace(TERMS, terminal=bytes(6))))
    assert [] == channel.heard


# Purchases


def test_mac2_is_judged_by_the_psam() -> None:
    _, source = lying()
    keys = MemoryKeys()
    begun = source.begin_purchase(purchase())
    assert keys.begin_purchase(purchase()) == begun
    with pytest.raises(CardNotGenuine):
        source.end_purchase(purchase(), begun, bytes(4))
    with pytest.raises(CardRefused):  # a purchase is judged once
        source.end_purchase(purchase(), begun, bytes(4))


def test_a_psam_at_the_end_of_its_numbers_says_so_itself() -> None:
    channel, source = lying()
    channel.lies[INITIALISE_PURCHASE.ins] = lambda told: b"\x69\x85"
    with pytest.raises(CardRefused) as told:
        source.begin_purchase(purchase())
    assert 0x6985 == told.value.sw


# Lies and accidents


@pytest.mark.parametrize("size", [0, 1, 7, 9, 16, 200])
def test_an_answer_of_another_length_is_not_used(size: int) -> None:
    for ask in (
        lambda source: source.authenticate(authentication()),
        lambda source: source.protect(reload()),
    ):
        channel, source = lying()
        channel.lies[CRYPT.ins] = lambda told: bytes(size) + b"\x90\x00"
        with pytest.raises(CardMisspoke):
            ask(source)
    channel, source = lying()
    channel.lies[INITIALISE_PURCHASE.ins] = lambda told: bytes(size) + b"\x90\x00"
    with pytest.raises(CardMisspoke):
        source.begin_purchase(purchase())


@given(
    st.sampled_from([SELECT, DERIVE_SESSION_KEY, CRYPT, INITIALISE_PURCHASE, VERIFY_MAC2]),
    near(
        st.sampled_from(
            [b"\x90\x00", b"\x61\x08", b"\x6c\x08", b"\x69\x82", bytes(8) + b"\x90\x00"]
        )
    ),
)
def test_whatever_a_psam_answers_comes_out_as_a_fault_or_as_8_bytes(
    form: object, answer: bytes
) -> None:
    channel, source = lying()
    channel.lies[form.ins] = lambda told: answer  # type: ignore[attr-defined]
    try:
        assert 8 == len(source.authenticate(authentication()))
        assert 4 == len(source.begin_purchase(purchase()).mac1)
    except CardFault as fault:
        assert D.hex() not in str(fault)


def test_a_psam_that_was_reset_in_between_serves_all_the_same() -> None:
    channel, source = lying()
    for _ in range(2):
        assert MemoryKeys().authenticate(authentication()) == source.authenticate(authentication())
        channel.reset()


def test_a_psam_that_is_pulled_out_is_gone() -> None:
    channel, source = lying()

    def pulled(told: bytes) -> bytes:
        raise CardGone("no PSAM")

    channel.lies[CRYPT.ins] = pulled
    with pytest.raises(CardGone):
        source.authenticate(authentication())


def test_over_t0_the_answers_come_by_way_of_get_response() -> None:
    channel = Liar(psam())
    channel.le_with_data = False
    source = PsamKeys(Card(channel))
    assert MemoryKeys().protect(reload()) == source.protect(reload())
    assert MemoryKeys().begin_purchase(purchase()) == source.begin_purchase(purchase())
    assert {0xC0} <= {command[1] for command in channel.heard}


# Nothing secret in a trace


def test_a_pin_that_the_psam_enciphers_is_in_no_trace_and_no_text() -> None:
    taken: list[Exchange] = []
    source = PsamKeys(Card(RecordingChannel(MemoryChannel(psam()), taken.append)))
    made = source.protect(reload(pin="97531864"))
    assert MemoryKeys().protect(reload(pin="97531864")) == made
    said = "".join(f"{each.command_text} {each.answer_text} {each!r}" for each in taken)
    said += repr(source) + repr(reload(pin="97531864")) + repr(made)
    assert "97 53 18 64" not in said and "97531864" not in said
    assert r"\x97S\x18d" not in said
    with source.session(key_named("STK"), CARD, R) as session:
        assert "•••" in repr(session)
        with pytest.raises(TypeError):
            session.decrypt(bytes(8))
