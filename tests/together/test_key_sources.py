# SPDX-License-Identifier: Apache-2.0
"""Memory, PSAM and HSM give the same answers, and real chips accept them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psambench import IN_PSAM, holder_card, holder_identity, psam

from apdu.command import CommandAPDU
from apdu.crypto.suite import Suite
from apdu.crypto.suites import SUITES
from apdu.errors import FormatError
from apdu.secret import Secret
from apdu.wire.codes import pin_bytes
from apdu.wire.hrss.commands import PIN_CHANGE_UNBLOCK, PinService, PinServiceRef
from apdu.wire.hrss.generations import DIRECTORIES, SSSE
from apdu.wire.hrss.keys import KeySpec, key_named
from apdu.wire.hrss.spec import DfSpec
from apdu.wire.perso import KeyUsage
from apdu.wire.psam import CryptMode, may
from apdu.wire.purchase import Mac1Input
from host.card import Card, command_of
from host.channel.memory import MemoryChannel
from host.cli.testcard import TEST_TERMINAL
from host.clients.hrss import HrssClient
from host.faults import (
    CardMisspoke,
    CardNotGenuine,
    CardRefused,
    NotAllowed,
    PinBlocked,
    PinWrong,
)
from host.hsm import HsmAddresses, HsmKeys, MemoryHsm
from host.keys import Authentication, CardIdentity, KeySource, MemoryKeys, Protection, Purchase
from host.psam import PsamKeys
from host.terminal.authentication import (
    authenticate,
    begin_authentication,
    begin_reload,
    finish_authentication,
    finish_pin_service,
    identity,
    prove_card,
    reload_pin,
    unblock_pin,
)

suites = pytest.mark.parametrize("suite", SUITES.values(), ids=lambda suite: suite.name)
ADDRESSES = HsmAddresses({spec.name: 0x1000 + at for at, spec in enumerate(IN_PSAM)})
"""As if a centre had told the addresses of all keys."""
FOREIGN = Secret(bytes(range(16)))
factors = st.binary(min_size=8, max_size=8)


def sources(suite: Suite, card: CardIdentity) -> dict[str, KeySource]:
    keys = MemoryKeys(suite=suite)
    return {
        "memory": keys,
        "PSAM": PsamKeys(Card(MemoryChannel(psam(suite)))),
        "HSM": HsmKeys(MemoryHsm(keys, card, ADDRESSES).answer, suite, ADDRESSES),
    }


def source_of(name: str, suite: Suite) -> KeySource:
    return sources(suite, holder_identity(suite))[name]


kinds = pytest.mark.parametrize("kind", ["memory", "PSAM", "HSM"])


def desk(suite: Suite) -> HrssClient:
    return HrssClient(Card(MemoryChannel(holder_card(suite))))


def random_bytes() -> Callable[[int], bytes]:
    numbers = iter(range(1, 1000))
    return lambda n: next(numbers).to_bytes(n)


# The same answers


def reload(key: KeySpec, card: CardIdentity, factor: bytes, pin: str) -> Protection:
    data = pin_bytes(pin) if pin else b""
    ref = PinServiceRef(PinService.RELOAD if pin else PinService.UNBLOCK)
    command = command_of(PIN_CHANGE_UNBLOCK, ref, data, 0)
    return Protection(key, card, factor, command, enciphered=True)


@suites
@settings(max_examples=5)
@given(factors, factors, factors, st.integers(0, 999_999).map("{:06}".format))
def test_three_sources_give_the_same_answers_for_every_key_of_the_table(
    suite: Suite, unique: bytes, factor: bytes, data: bytes, region: str
) -> None:
    card = CardIdentity(region, unique, suite)
    asked = sources(suite, card)
    for spec in IN_PSAM:
        assert spec.psam is not None
        modes = may(spec.psam.usage)
        if CryptMode.ENCIPHER in modes:
            found = {
                s.authenticate(Authentication(spec, card, factor, data)) for s in asked.values()
            }
            assert 1 == len(found)
        if modes == set(CryptMode):
            for pin in ("", "123456", "1234567"):
                request = reload(spec, card, factor, pin)
                made = {bytes(source.protect(request)) for source in asked.values()}
                assert 1 == len(made)
        elif CryptMode.MAC in modes:
            bare = Protection(spec, card, factor, CommandAPDU(0x80, 0x1E))
            assert asked["memory"].protect(bare) == asked["PSAM"].protect(bare)
            assert asked["memory"].protect(bare) == asked["HSM"].protect(bare)


@suites
@pytest.mark.parametrize("version", [1, 2, 3])
def test_three_sources_begin_a_purchase_alike(suite: Suite, version: int) -> None:
    """Where the card's number and the terminal's are the same: an HSM takes one for the other."""
    card = holder_identity(suite)
    terms = Mac1Input(1, 0xFFFFFFFF, 0, bytes.fromhex(TEST_TERMINAL), bytes(7))
    key = key_named(f"DPK{version}")
    request = Purchase(key, card, b"abcd", b"\x00\x01", terms)
    begun = [source.begin_purchase(request) for source in sources(suite, card).values()]
    assert [b"\x00\x00\x00\x01"] * 3 == [each.terminal_sequence for each in begun]
    assert 1 == len(set(begun))


# Real chips accept them


def places() -> Iterator[tuple[DfSpec, KeySpec]]:
    for directory in DIRECTORIES:
        for spec in directory.keys:
            if spec.usage is KeyUsage.EXTERNAL_AUTHENTICATE:
                yield directory, spec


@suites
@kinds
def test_a_chip_accepts_every_authentication_key_of_every_directory(
    suite: Suite, kind: str
) -> None:
    client, card = desk(suite), holder_identity(suite)
    source = source_of(kind, suite)
    for directory, spec in places():
        client.select()
        if directory is not SSSE:
            client.enter(directory)
        authenticate(client, source, card, spec)


@suites
@kinds
def test_what_a_key_opens_stays_shut_without_it(suite: Suite, kind: str) -> None:
    client, source, card = desk(suite), source_of(kind, suite), holder_identity(suite)
    item = b"\x07\x09B00000131"
    with pytest.raises(NotAllowed):
        client.update_record(5, 7, item)
    authenticate(client, source, card, key_named("UKSSSE"))
    client.update_record(5, 7, item)
    client.select()
    with pytest.raises(NotAllowed):
        client.update_record(5, 7, item)


@suites
@kinds
def test_a_genuine_card_proves_itself_and_a_copy_does_not(suite: Suite, kind: str) -> None:
    client, source, card = desk(suite), source_of(kind, suite), holder_identity(suite)
    prove_card(client, source, card, random_bytes())
    for other in (replace(card, unique=bytes(8)), replace(card, region="430100")):
        asked = sources(suite, other)[kind]
        with pytest.raises(CardNotGenuine):
            prove_card(client, asked, other, random_bytes())


@suites
@kinds
def test_a_pin_is_unblocked_and_reloaded(suite: Suite, kind: str) -> None:
    client, source, card = desk(suite), source_of(kind, suite), holder_identity(suite)
    for _ in range(6):
        with pytest.raises(PinWrong):
            client.verify("000000")
    with pytest.raises(PinBlocked):
        client.verify("123456")
    unblock_pin(client, source, card)
    client.verify("123456")
    reload_pin(client, source, card, "7654321")
    with pytest.raises(PinWrong):
        client.verify("123456")
    client.verify("7654321")
    with pytest.raises(FormatError):
        reload_pin(client, source, card, "12345")
    client.verify("7654321")


@suites
def test_the_hsm_is_also_asked_by_hand_between_two_commands(suite: Suite) -> None:
    client, card = desk(suite), holder_identity(suite)
    hand = HsmKeys(suite=suite)
    centre = MemoryHsm(MemoryKeys(suite=suite), card)
    request = begin_authentication(client, card, key_named("PUK"))
    answer = centre.answer(hand.line(request))
    finish_authentication(client, request, hand.cryptogram(request, answer))
    message = begin_reload(client, card, "864209")
    finish_pin_service(client, hand.finished(message, centre.answer(hand.line(message))))
    client.verify("864209")


# And nothing else


@suites
def test_keys_of_a_foreign_root_cost_a_try_each_and_open_nothing(suite: Suite) -> None:
    client, card = desk(suite), holder_identity(suite)
    foreign = MemoryKeys(FOREIGN, suite)
    for left in range(14, -1, -1):
        with pytest.raises(PinWrong) as wrong:
            authenticate(client, foreign, card, key_named("UKSSSE"))
        assert left == wrong.value.tries_left
    with pytest.raises(PinBlocked):
        authenticate(client, MemoryKeys(suite=suite), card, key_named("UKSSSE"))
    authenticate(client, MemoryKeys(suite=suite), card, key_named("PUK"))
    with pytest.raises(CardNotGenuine):
        prove_card(client, foreign, card, random_bytes())


@suites
def test_a_message_of_a_foreign_root_changes_nothing(suite: Suite) -> None:
    client, card = desk(suite), holder_identity(suite)
    own, foreign = MemoryKeys(suite=suite), MemoryKeys(FOREIGN, suite)
    authenticate(client, own, card, key_named("PUK"))
    request = begin_reload(client, card, "654321")
    with pytest.raises(CardRefused) as refused:
        finish_pin_service(client, foreign.protect(request))
    assert 0x6988 == refused.value.sw
    client.verify("123456")


def test_a_message_is_good_for_one_challenge() -> None:
    suite = SUITES[1]
    client, card, keys = desk(suite), holder_identity(suite), MemoryKeys()
    authenticate(client, keys, card, key_named("PUK"))
    finished = keys.protect(begin_reload(client, card, "654321"))
    finish_pin_service(client, finished)
    authenticate(client, keys, card, key_named("PUK"))
    with pytest.raises(CardRefused):
        finish_pin_service(client, finished)
    client.verify("654321")


def test_only_a_key_for_it_authenticates() -> None:
    client, card = desk(SUITES[1]), holder_identity()
    for name in ("IRK", "STK", "DPK1"):
        with pytest.raises(FormatError, match=name):
            begin_authentication(client, card, key_named(name))


# Who the card says it is


def test_the_identity_is_what_card_and_atr_say() -> None:
    assert holder_identity() == identity(desk(SUITES[1]))


class Retouched(MemoryChannel):
    """A card that says something else of itself in EF05."""

    said: tuple[bytes, bytes]

    def _exchange(self, command: bytes) -> bytes:
        return super()._exchange(command).replace(*self.said)


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ((b"\x43\x02\x00\xd1", b"\x43\x0a\x00\xd1"), None),
        ((b"\x43\x02\x00\xd1", b"\x43\x02\x00\xd2"), None),
        ((b"\x01\x10", b"\x02\x10"), None),
        ((b"2.00", b"3.00"), SUITES[2]),
        ((b"2.00", b"1.0\x00"), SUITES[1]),
        ((b"2.00", b"\x00\x00\x00\x00"), SUITES[1]),
    ],
)
def test_a_card_that_says_nonsense_is_not_believed(
    said: tuple[bytes, bytes], version: Suite | None
) -> None:
    channel = Retouched(holder_card())
    channel.said = said
    client = HrssClient(Card(channel))
    if version is None:
        with pytest.raises(CardMisspoke):
            identity(client)
    else:
        assert version is identity(client).suite
