# SPDX-License-Identifier: Apache-2.0
"""The key pairs of the PKI application: who may use them, what they do, and that they stay."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pkibench import (
    ADMIN,
    CENTRE,
    CHANCE,
    SESSION,
    STRANGER,
    USER,
    WORK,
    Holder,
    decipher,
    generate,
    import_private,
    import_public,
    load_session,
    public_of,
    read_file,
    sign,
    stored,
    with_key_pair,
)
from testbench import command, select_df, send_all, sw

from apdu.crypto import sm2
from apdu.wire.hrss.generations import GENERATIONS
from apdu.wire.iso7816 import UPDATE_BINARY, Offset, SfiOffset
from apdu.wire.pki import ENCIPHERMENT, PAIRS, KeyPair
from apdu.wire.pki_commands import DECIPHER, GENERATE_KEY_PAIR, DecipherData, KeyPairFiles
from card_os.world import World
from host.cli.testcard import TEST_DAY, TEST_HOLDER, blank_chip, issue

both = pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.chinese)


# Who may


@pytest.mark.parametrize("work", WORK)
def test_only_whoever_has_proven_the_user_pin_may_work_with_keys(work: str) -> None:
    holder = with_key_pair()
    holder.select()
    before = holder.chip.snapshot()
    assert 0x6982 == holder.send(WORK[work])
    assert [0x9000, 0x9000] == [holder.verify(ADMIN), holder.authenticate()]
    assert 0x6982 == holder.send(WORK[work])
    assert before == holder.chip.snapshot()
    assert 0x9000 == holder.verify(USER)
    assert 0x6982 != holder.send(WORK[work])


@both
def test_public_keys_and_certificates_are_free_to_read_and_private_keys_are_not(
    pair: KeyPair,
) -> None:
    holder = Holder()
    for _ in range(2):
        for file in (pair.public, pair.certificate):
            assert 0x9000 == sw(read_file(holder.chip, file.fid)) or file.size > 256
        assert b"\x69\x82" == read_file(holder.chip, pair.private.fid)
        assert [0x9000] * 3 == [holder.verify(), holder.verify(ADMIN), holder.authenticate()]
        holder.send(generate(pair))


@both
def test_who_may_write_which_file(pair: KeyPair) -> None:
    holder = Holder()
    for proven in (False, True):
        for file in pair.files:
            for target in (Offset(0), SfiOffset(file.sfi)):
                send_all(holder.chip, [select_df(file.fid)])
                answer = holder.send(command(UPDATE_BINARY, target, b"\x30\x82\x01\x00"))
                may = proven and file is pair.certificate
                assert (0x9000 if may else 0x6982) == answer
        assert [0x9000] * 3 == [holder.authenticate(), holder.verify(ADMIN), holder.verify()]


# Key pairs made here


@both
def test_a_pair_is_made_where_it_was_asked_for(pair: KeyPair) -> None:
    holder = Holder()
    assert [0x9000, 0x9000] == [holder.verify(), holder.send(generate(pair))]
    made = sm2.PrivateKey(stored(holder, pair))
    assert made.public == public_of(holder, pair)
    (other,) = set(PAIRS) - {pair}
    assert bytes(other.public.size) == read_file(holder.chip, other.public.fid)[:-2]
    assert b"" == stored(holder, other)


def test_each_pair_is_another_one() -> None:
    holder = Holder()
    assert 0x9000 == holder.verify()
    seen = set()
    for _ in range(5):
        assert 0x9000 == holder.send(generate())
        seen.add(public_of(holder).value)
    assert 5 == len(seen)


FIDS = st.sampled_from([0x0012, 0x0013, 0x0014, 0x0015, 0x0018, 0x0019]) | st.integers(0, 0xFFFF)


@settings(max_examples=60)
@given(public=FIDS, private=FIDS)
@example(public=0x12, private=0x15)
@example(public=0x13, private=0x12)
def test_a_pair_is_made_in_its_two_files_and_in_no_others(public: int, private: int) -> None:
    holder = with_key_pair()
    before = holder.chip.snapshot()
    answer = holder.send(command(GENERATE_KEY_PAIR, None, KeyPairFiles(public, private)))
    fits = (public, private) in {(pair.public.fid, pair.private.fid) for pair in PAIRS}
    assert (0x9000 if fits else 0x6A82) == answer
    assert fits == (before != holder.chip.snapshot())


@pytest.mark.parametrize("fault", [OSError, NotImplementedError, None])
def test_without_chance_no_key_is_made_and_nothing_is_signed(fault: type | None) -> None:
    holder = with_key_pair()
    holder.select()
    assert 0x9000 == holder.verify()
    before = holder.chip.snapshot()

    def random(size: int) -> bytes:
        if fault is not None:
            raise fault
        return bytes(size)

    holder.chip._ctx.world = World(random, lambda: date(2026, 1, 5))
    assert [0x6400, 0x6400] == [holder.send(generate()), holder.send(sign())]
    assert before == holder.chip.snapshot()


# Signatures


@settings(max_examples=15)
@given(message=st.binary(max_size=80))
def test_a_signature_is_the_cards_over_e(message: bytes) -> None:
    holder = with_key_pair()
    public = public_of(holder)
    answer = holder.chip.transmit(sign(sm2.message_digest(public, message)))
    assert (66, 0x9000) == (len(answer), sw(answer))
    assert sm2.verify(public, message, answer[:-2])
    assert not sm2.verify(public, message + b"\0", answer[:-2])


def test_no_two_signatures_have_the_same_r() -> None:
    """The same k twice would tell the private key."""
    holder = with_key_pair()
    found = {holder.chip.transmit(sign())[:32] for _ in range(20)}
    assert 20 == len(found)


def test_a_signature_without_le_waits_for_get_response() -> None:
    holder = with_key_pair()
    assert bytes.fromhex("6140") == holder.chip.transmit(sign()[:-1])
    answer = holder.chip.transmit(bytes.fromhex("00C0000040"))
    assert (66, 0x9000) == (len(answer), sw(answer))


@pytest.mark.parametrize("n", [0, 1, 31, 33, 64])
def test_only_e_is_signed(n: int) -> None:
    holder = with_key_pair()
    raw = bytes.fromhex("002A9E9A") + (bytes((n,)) + bytes(n) if n else b"") + b"\x40"
    assert 0x6700 == holder.send(raw)


def test_without_a_key_there_is_none_to_work_with() -> None:
    holder = Holder()
    assert 0x9000 == holder.verify()
    for raw in (sign(), WORK["decipher"]):
        assert 0x6A88 == holder.send(raw)


# Deciphering, and a pair from a key centre


@both
def test_a_ciphertext_is_deciphered_with_the_key_that_is_named(pair: KeyPair) -> None:
    holder = Holder()
    assert 0x9000 == holder.verify()
    for each in PAIRS:
        assert 0x9000 == holder.send(generate(each))
    ciphertext = sm2.encrypt(public_of(holder, pair), SESSION, CHANCE)
    assert SESSION + b"\x90\x00" == holder.chip.transmit(decipher(ciphertext, pair))
    (other,) = set(PAIRS) - {pair}
    assert b"\x6a\x80" == holder.chip.transmit(decipher(ciphertext, other))
    assert 0x6A82 == holder.send(
        command(DECIPHER, None, DecipherData(pair.public.fid, ciphertext[1:]))
    )


@settings(max_examples=30)
@given(bit=st.integers(0, 8 * 112 - 1))
def test_a_ciphertext_with_a_bit_changed_is_refused(bit: int) -> None:
    holder = with_key_pair()
    right = sm2.encrypt(public_of(holder), SESSION, CHANCE)
    wrong = (int.from_bytes(right) ^ 1 << bit).to_bytes(len(right))
    assert b"\x6a\x80" == holder.chip.transmit(decipher(wrong))


def test_a_pair_of_a_key_centre_comes_in_as_drivers_send_it() -> None:
    holder = with_key_pair()
    envelope = decipher(sm2.encrypt(public_of(holder), SESSION, CHANCE))
    assert SESSION == holder.chip.transmit(envelope)[:-2]
    for raw in (load_session(), import_public(), import_private()):
        assert 0x9000 == holder.send(raw)
    assert CENTRE.public == public_of(holder, ENCIPHERMENT)
    assert CENTRE.secret.reveal() == stored(holder, ENCIPHERMENT)
    hidden = sm2.encrypt(CENTRE.public, b"message", CHANCE)
    answer = holder.chip.transmit(decipher(hidden, ENCIPHERMENT))
    assert b"message" == answer[:-2]


def test_a_public_key_that_comes_in_ends_the_pair_there_was() -> None:
    holder = Holder()
    assert [0x9000, 0x9000] == [holder.verify(), holder.send(generate(ENCIPHERMENT))]
    assert 0x9000 == holder.send(import_public())
    assert b"" == stored(holder, ENCIPHERMENT)
    assert CENTRE.public == public_of(holder, ENCIPHERMENT)


def test_a_private_key_must_belong_to_the_public_one_and_needs_a_session_key() -> None:
    holder = Holder()
    assert 0x9000 == holder.verify()
    assert 0x6985 == holder.send(import_private())
    for first in ((), (import_public(STRANGER.public),)):
        for raw in (*first, load_session()):
            assert 0x9000 == holder.send(raw)
        assert 0x6A80 == holder.send(import_private())
    assert 0x9000 == holder.send(import_public())
    for session in (bytes(16), SESSION):
        assert 0x9000 == holder.send(load_session(session))
        answer = holder.send(import_private())
    assert 0x9000 == answer
    assert 0x6985 == holder.send(import_private()), "a session key serves once"


@pytest.mark.parametrize(
    "raw",
    [
        "80C2400046C0020012CA40" + CENTRE.public.value.hex(),
        "80C2400046C2020014CA40" + CENTRE.public.value.hex(),
        "80C2400046C0020014CB40" + CENTRE.public.value.hex(),
        "80C2400045C0020014CA3F" + CENTRE.public.value.hex()[2:],
        "80C2400046C0020014CA40" + "11" * 64,
        "80C2C00126C2020013CB20" + "11" * 32,
        "80C2C00126C2020015CA20" + "11" * 32,
        "80C2C00126C0020015CB20" + "11" * 32,
        "80C2C00116C2020015CB10" + "11" * 16,
        "80C2C00125C2020015CB1F" + "11" * 31,
        "80C2C00126C2020015CB20" + "11" * 32,
    ],
)
def test_what_is_no_half_of_an_encipherment_pair_is_refused_and_changes_nothing(raw: str) -> None:
    holder = with_key_pair()
    assert 0x9000 == holder.send(load_session())
    before = holder.chip.snapshot()
    assert 0x6A80 == holder.send(bytes.fromhex(raw))
    assert before == holder.chip.snapshot()


# Other cards, and other days


@pytest.mark.parametrize("generation", ["1.0", "2.0"])
def test_earlier_generations_have_no_such_application(generation: str) -> None:
    chip = blank_chip(World(CHANCE, lambda: TEST_DAY))
    issue(chip, TEST_HOLDER, GENERATIONS[generation])
    for name in (b"PKI.", b"SS.CERT.ADF1"):
        assert b"\x6a\x82" == chip.transmit(bytes((0, 0xA4, 4, 0, len(name))) + name)


def test_a_pair_is_there_after_power_came_back() -> None:
    holder = with_key_pair()
    public = public_of(holder)
    again = Holder(holder.flash)
    assert [0x6982, 0x9000] == [again.send(sign()), again.verify()]
    assert public == public_of(again)
    assert sm2.PrivateKey(stored(again)).public == public
