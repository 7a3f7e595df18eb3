# SPDX-License-Identifier: Apache-2.0
"""`PkiClient`: the PKI application in plain verbs, over a card and over cards that misbehave."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keybench import SM4
from pkibench import ADMIN, CENTRE, CHANCE, PINS, SESSION, STRANGER, USER, Holder
from secretscan import leaks

from apdu.crypto import pki, sm2, x509
from apdu.crypto.x509 import Purpose
from apdu.errors import FormatError
from apdu.secret import Secret
from apdu.trace import Exchange, write
from apdu.wire.codes import pin_bytes
from apdu.wire.pki import ENCIPHERMENT, PAIRS, PkiPin
from apdu.wire.pki_commands import HASH, HashData
from host.card import Card
from host.channel import Channel
from host.channel.memory import MemoryChannel
from host.channel.trace import RecordingChannel
from host.cli.testcard import issue_test_card
from host.clients.pki import PkiClient
from host.faults import (
    CardMisspoke,
    CardRefused,
    NotAllowed,
    NotFound,
    PinBlocked,
    PinWrong,
)

NEW_PIN = "7654321"
NEW_KEY = Secret(bytes.fromhex("0123456789ABCDEFFEDCBA9876543210"))
AUTHORITY = sm2.generate(CHANCE)
both = pytest.mark.parametrize("which", PkiPin)


def certificate(public: sm2.PublicKey, name: str = "CN=测试持卡人,C=CN") -> bytes:
    """Of a test authority's making, of an invented holder."""
    return x509.make(
        AUTHORITY,
        "CN=Test CA,O=Test,C=CN",
        CHANCE,
        subject=name,
        public=public,
        serial=7,
        not_before=datetime(2026, 1, 1, tzinfo=UTC),
        not_after=datetime(2036, 1, 1, tzinfo=UTC),
        purpose=Purpose.SIGNATURE,
    )


def client(holder: Holder | None = None) -> PkiClient:
    return PkiClient(Card(MemoryChannel((holder or Holder()).chip)))


def ready() -> PkiClient:
    """The user PIN is proven, and there is a signature key."""
    made = client()
    made.verify(PINS[USER])
    made.generate()
    return made


# PINs


def test_a_card_without_the_application_is_told_apart() -> None:
    with pytest.raises(NotFound):
        PkiClient(Card(MemoryChannel(issue_test_card("2.0"))))


@both
def test_a_pin_is_verified_changed_and_asked_for_its_tries(which: PkiPin) -> None:
    card = client()
    with pytest.raises(PinWrong) as wrong:
        card.verify("999999", which)
    assert [5, 5] == [wrong.value.tries_left, card.tries_left(which)]
    card.verify(PINS[which], which)
    assert card.tries_left(which) is None
    card.change_pin(PINS[which], NEW_PIN, which)
    assert 6 == card.tries_left(which)
    with pytest.raises(PinWrong):
        card.verify(PINS[which], which)
    card.verify(NEW_PIN, which)


def test_a_blocked_pin_is_unblocked_by_the_admin_with_or_without_a_new_value() -> None:
    card = client()
    for new in (None, NEW_PIN):
        for _ in range(6):
            with pytest.raises(PinWrong):
                card.verify("999999")
        with pytest.raises(PinBlocked):
            card.verify(PINS[USER])
        assert 0 == card.tries_left()
        card.unblock(PINS[ADMIN], new)
        card.verify(new or PINS[USER])


@pytest.mark.parametrize("pin", ["", "12345", "123456789", "12345a", "１２３４５６"])
def test_what_is_no_pin_is_refused_by_its_name_and_nothing_is_sent(pin: str) -> None:
    card = client()
    calls: list[Callable[[], object]] = [
        lambda: card.verify(pin),
        lambda: card.change_pin(PINS[USER], pin),
        lambda: card.change_pin(pin, NEW_PIN),
        lambda: card.unblock(pin),
        lambda: card.unblock(PINS[ADMIN], pin),
    ]
    for call in calls:
        with pytest.raises(FormatError, match=r"^PIN: must be 6 to 8 digits$"):
            call()
    assert [6, 6] == [card.tries_left(), card.tries_left(ADMIN)]


def test_a_wrong_old_pin_costs_one_try_and_changes_nothing() -> None:
    card = client()
    with pytest.raises(PinWrong):
        card.change_pin("999999", NEW_PIN)
    with pytest.raises(PinWrong):
        card.unblock("999999", NEW_PIN)
    assert [5, 5] == [card.tries_left(), card.tries_left(ADMIN)]
    card.verify(PINS[USER])


# The master keys


def test_the_master_keys_of_both_directories_are_replaced_as_issuers_do() -> None:
    holder = Holder()
    card, old = client(holder), Secret(holder.master)
    card.update_master_key(old, NEW_KEY)
    card.authenticate(NEW_KEY)
    card.select_environment()
    with pytest.raises(PinWrong):
        card.authenticate(NEW_KEY)
    card.update_master_key(old, NEW_KEY)
    card.authenticate(NEW_KEY)
    for wrong in (bytes(15), bytes(17)):
        with pytest.raises(FormatError, match=f"^master key: {len(wrong)} bytes, must be 16$"):
            card.update_master_key(NEW_KEY, Secret(wrong))
        with pytest.raises(FormatError, match=r"^master key"):
            card.authenticate(Secret(wrong))


# Keys, signatures, certificates


@settings(max_examples=15)
@given(message=st.binary(max_size=100), identity=st.binary(max_size=20))
def test_what_the_card_signs_its_certificate_verifies(message: bytes, identity: bytes) -> None:
    card = ready()
    public = card.public_key()
    assert public is not None
    card.write_certificate(certificate(public))
    signature = card.sign(message, identity)
    assert sm2.verify(public, message, signature, identity)
    assert card.verify_sign(message, signature, identity)
    assert not card.verify_sign(message + b"\0", signature, identity)
    assert not card.verify_sign(message, signature, identity + b"\0")


def test_a_signature_of_another_key_than_the_certificate_has_does_not_verify() -> None:
    card = ready()
    card.write_certificate(certificate(STRANGER.public))
    assert not card.verify_sign(b"message", card.sign(b"message"))
    assert card.verify_sign(b"message", sm2.sign(STRANGER, b"message", CHANCE))


def test_a_new_card_has_no_keys_and_no_certificates() -> None:
    card = client()
    for pair in PAIRS:
        assert (None, None) == (card.public_key(pair), card.certificate(pair))
    with pytest.raises(NotFound):
        card.verify_sign(b"message", bytes(64))
    with pytest.raises(NotFound):
        card.sign(b"message")


@pytest.mark.parametrize("length", [1, 100, 900, 60])
def test_a_certificate_is_written_and_read_whatever_was_there_before(length: int) -> None:
    card = ready()
    for pair in PAIRS:
        for size in (length, 3):
            der = certificate(CENTRE.public, f"CN={'N' * size},C=CN" if size < 64 else long_name())
            card.write_certificate(der, pair)
            assert der == card.certificate(pair)
            assert der == client_again(card).certificate(pair)


def long_name() -> str:
    """Many attributes, for a common name has 64 letters at most."""
    return ",".join([*(f"OU={'U' * 60}" for _ in range(12)), "C=CN"])


def client_again(card: PkiClient) -> PkiClient:
    """Somebody who has proven nothing."""
    made = PkiClient(card.card)
    assert made.tries_left() == 6
    made.verify(PINS[USER])
    return made


def test_only_a_certificate_with_a_key_of_sm2_is_written() -> None:
    card = ready()
    public = card.public_key()
    assert public is not None
    right = certificate(public)
    for wrong in (b"", right[:-1], right + b"\0", b"\x30\x82\x00\x00", bytes(64)):
        with pytest.raises(FormatError):
            card.write_certificate(wrong)
    assert card.certificate() is None


def test_a_certificate_that_is_too_long_for_the_card_is_refused_and_the_old_one_stays() -> None:
    card = ready()
    public = card.public_key()
    assert public is not None
    right = certificate(public)
    card.write_certificate(right)
    name = ",".join([*(f"OU={'U' * 60}" for _ in range(40)), "C=CN"])
    with pytest.raises(CardRefused, match="6A84"):
        card.write_certificate(certificate(public, name))
    assert right == card.certificate()


def test_work_with_keys_wants_the_user_pin() -> None:
    card = client()
    card.verify(PINS[ADMIN], ADMIN)
    for call in (
        card.generate,
        lambda: card.write_certificate(certificate(STRANGER.public)),
        lambda: card.decipher(sm2.encrypt(STRANGER.public, SESSION, CHANCE)),
    ):
        with pytest.raises(NotAllowed):
            call()
    card = ready()
    card.select()
    with pytest.raises(NotAllowed):
        card.sign(b"message")


def test_a_pair_of_a_key_centre_is_taken_in_and_deciphers() -> None:
    card = ready()
    public = card.public_key()
    assert public is not None
    envelope = sm2.encrypt(public, SESSION, CHANCE)
    hidden = SM4.key(SESSION).encrypt(CENTRE.secret.reveal())
    card.import_encipherment_pair(envelope, hidden, CENTRE.public)
    assert CENTRE.public == card.public_key(ENCIPHERMENT)
    assert b"message" == card.decipher(sm2.encrypt(CENTRE.public, b"message", CHANCE))
    with pytest.raises(CardRefused, match="6A80"):
        card.import_encipherment_pair(envelope, hidden, STRANGER.public)
    short = sm2.encrypt(public, SESSION[1:], CHANCE)
    with pytest.raises(FormatError, match=r"^envelope: does not hold a session key of 16 bytes$"):
        card.import_encipherment_pair(short, hidden, CENTRE.public)
    for wrong in (b"", b"\x02" + envelope[1:]):
        with pytest.raises(FormatError, match=r"^ciphertext: must begin with 04"):
            card.decipher(wrong)


# Cards that misbehave


class Altering(MemoryChannel):
    """Changes what a card answers to one command."""

    def __init__(self, holder: Holder, ins: int, change: Callable[[bytes], bytes]) -> None:
        super().__init__(holder.chip)
        self._ins = ins
        self._change = change

    def _exchange(self, command: bytes) -> bytes:
        answer = super()._exchange(command)
        return self._change(answer) if command[1] == self._ins else answer


OK = b"\x90\x00"
LIES: dict[str, tuple[int, Callable[[bytes], bytes], Callable[[PkiClient], object]]] = {
    "a short challenge": (0x84, lambda _: bytes(8) + OK, lambda card: card.verify(PINS[USER])),
    "no challenge": (0x84, lambda _: OK, lambda card: card.verify(PINS[USER])),
    "half a signature": (0x2A, lambda answer: answer[:32] + OK, lambda card: card.sign(b"")),
    "no point": (0xB0, lambda answer: answer[:2] + b"\x11" * 64 + OK, PkiClient.public_key),
    "another header": (0xB0, lambda answer: b"\x86" + answer[1:], PkiClient.public_key),
    "an empty file": (0xB0, lambda _: OK, PkiClient.public_key),
    "no certificate": (
        0xB0,
        lambda answer: b"\x01" * (len(answer) - 2) + OK,
        PkiClient.certificate,
    ),
    "no key after it was made": (0xB0, lambda answer: bytes(66) + OK, PkiClient.generate),
    "a certificate of something else": (
        0xB0,
        lambda answer: (b"\x30\x82\x00\x02" + bytes(62))[: len(answer) - 2] + OK,
        lambda card: card.verify_sign(b"", bytes(64)),
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_an_answer_that_is_not_in_its_shape_is_not_used(lie: str) -> None:
    ins, change, act = LIES[lie]
    holder = Holder()
    honest = client(holder)
    honest.verify(PINS[USER])
    honest.generate()
    channel = Altering(holder, 0, change)
    card = PkiClient(Card(channel))
    if ins != 0x84:
        card.verify(PINS[USER])
    channel._ins = ins
    with pytest.raises(CardMisspoke):
        act(card)


# What is written down


def everything(channel: Channel, master: bytes) -> None:
    """All verbs, with the PINs and keys of the test card."""
    card = PkiClient(Card(channel))
    card.verify(PINS[USER])
    public = card.generate()
    card.write_certificate(certificate(public))
    card.verify_sign(b"message", card.sign(b"message"))
    envelope = sm2.encrypt(public, SESSION, CHANCE)
    hidden = SM4.key(SESSION).encrypt(CENTRE.secret.reveal())
    card.import_encipherment_pair(envelope, hidden, CENTRE.public)
    card.change_pin(PINS[USER], NEW_PIN)
    card.unblock(PINS[ADMIN], PINS[USER])
    card.change_pin(PINS[ADMIN], "4711471", ADMIN)
    card.update_master_key(Secret(master), NEW_KEY)
    card.card.send(HASH, None, HashData(pin_bytes(PINS[USER])))


@pytest.mark.parametrize("le_with_data", [True, False], ids=["T=1", "T=0"])
def test_a_trace_of_everything_shows_no_pin_and_no_key(le_with_data: bool) -> None:
    holder = Holder()
    inner = MemoryChannel(holder.chip)
    inner.le_with_data = le_with_data
    taken: list[Exchange] = []
    everything(RecordingChannel(inner, taken.append), holder.master)
    text = write(taken)
    keys = [SESSION, holder.master, NEW_KEY.reveal(), CENTRE.secret.reveal()]
    keys += [pki.pin_key(pin_bytes(pin)) for pin in (*PINS.values(), NEW_PIN, "4711471")]
    said = [text, *(each.command for each in taken), *(each.answer for each in taken)]
    assert [] == leaks(said, keys, [NEW_PIN, "4711471"])
    assert "•• 90 00" in text
    assert "80 C4 01 03 05 •• •• •• ••" in text


def test_no_fault_repeats_a_pin_or_a_key() -> None:
    card = client()
    said = []
    for call in (
        lambda: card.verify("9517364"),
        lambda: card.change_pin("9517364", "8642097"),
        lambda: card.unblock("9517364", "8642097"),
        lambda: card.change_pin("9517364", "86420975318"),
        lambda: card.update_master_key(NEW_KEY, NEW_KEY),
    ):
        with pytest.raises((CardRefused, FormatError)) as found:
            call()
        said += [str(found.value), repr(found.value), repr(vars(found.value))]
    assert [] == leaks(said, [NEW_KEY.reveal()], ["9517364", "8642097"])
