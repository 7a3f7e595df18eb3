# SPDX-License-Identifier: Apache-2.0
"""The PINs and master keys of the PKI application: what proves them, what it costs, what renews."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keybench import flipped
from opcodes import alike, differing, early_exit
from pkibench import (
    ADMIN,
    DIGEST,
    LIMIT,
    PINS,
    SELECT_CERTIFICATES,
    SELECT_PKI,
    USER,
    Holder,
    authenticate,
    generate,
    pin_key,
    sign,
    tries,
    verify,
    with_key_pair,
)
from testbench import command, select_df

from apdu.crypto import pki
from apdu.crypto.sm3 import digest
from apdu.wire.codes import pin_bytes
from apdu.wire.pki import PkiPin, certificates_fci, pki_fci
from apdu.wire.pki_commands import HASH, HashData

both = pytest.mark.parametrize("which", PkiPin)
other_bits = st.integers(0, 127)
NEW_KEY = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")


# Selecting


def test_both_directories_answer_as_was_recorded() -> None:
    chip = Holder().chip
    assert chip.transmit(SELECT_PKI) == bytes.fromhex(
        "6F14840C504B492EC9E7BBE1B1A3D5CF73049202 3330 9000"
    )
    assert chip.transmit(SELECT_CERTIFICATES) == bytes.fromhex(
        "6F0E840C53532E434552542E41444631 9000"
    )
    assert (20 + 2, 14 + 2) == (len(pki_fci()), len(certificates_fci()))


def test_the_inner_directory_is_found_by_its_identifier() -> None:
    holder = Holder(select=SELECT_PKI)
    holder.select(select_df(0xDF01))
    assert 0x9000 == holder.verify()


# Proving a PIN


@both
def test_a_pin_is_proven_by_the_challenge_enciphered_under_its_key(which: PkiPin) -> None:
    holder = Holder()
    assert 0x9000 == holder.verify(which)
    assert -1 == holder.tries(which)
    others = set(PkiPin) - {which}
    assert {LIMIT} == {holder.tries(other) for other in others}


def test_a_challenge_of_8_bytes_is_filled_with_zeros() -> None:
    holder = Holder()
    shown = pin_key(PINS[USER]).encrypt(holder.challenge(8) + bytes(8))
    assert 0x9000 == holder.send(verify(USER, shown))


@pytest.mark.parametrize("fetched", [None, 4])
def test_without_a_challenge_nothing_is_judged_and_no_try_is_paid(fetched: int | None) -> None:
    holder = Holder()
    if fetched:
        holder.challenge(fetched)
    assert [0x6984, 0x6984] == [holder.send(verify(USER, bytes(16))) for _ in range(2)]
    assert 0x6984 == holder.send(authenticate(bytes(16)))
    assert LIMIT == holder.tries()


@both
def test_a_challenge_serves_once_whatever_comes_of_it(which: PkiPin) -> None:
    holder = Holder()
    shown = holder.proof(which)
    assert [0x9000, 0x6984] == [holder.send(verify(which, shown)) for _ in range(2)]
    assert 0x63C5 == holder.fail(which)
    assert 0x6984 == holder.send(verify(which, shown))


@both
@settings(max_examples=20)
@given(bit=other_bits)
def test_a_wrong_proof_costs_a_try_of_its_pin_alone(which: PkiPin, bit: int) -> None:
    holder = Holder()
    assert 0x63C0 | LIMIT - 1 == holder.fail(which, bit)
    for pin in PkiPin:
        assert LIMIT - (pin is which) == holder.tries(pin)
    assert 0x9000 == holder.verify(which)
    holder.select()
    assert LIMIT == holder.tries(which)


@both
def test_no_try_is_left_after_as_many_wrong_ones_and_the_right_pin_is_refused(
    which: PkiPin,
) -> None:
    holder = Holder()
    expected = [0x63C0 | left for left in reversed(range(LIMIT))]
    assert expected == [holder.fail(which) for _ in range(LIMIT)]
    for _ in range(2):
        assert [0x6983, 0x6983] == [holder.verify(which), holder.fail(which)]
        assert 0 == holder.tries(which)
        holder = Holder(holder.flash)


@both
def test_a_try_is_paid_before_the_proof_is_looked_at(
    which: PkiPin, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = Holder()
    seen = []

    def spy(expected: bytes, shown: bytes) -> bool:
        again = Holder(type(holder.flash)(bytearray(holder.flash.cells)))
        seen.append(again.tries(which))
        return False

    monkeypatch.setattr("card_os.secrets.keys.compare_digest", spy)
    holder.verify(which)
    assert [LIMIT - 1] == seen


@both
def test_a_failure_takes_an_earlier_success_away(which: PkiPin) -> None:
    holder = Holder()
    assert [0x9000, 0x63C5] == [holder.verify(which), holder.fail(which)]
    assert LIMIT - 1 == holder.tries(which)
    holder = with_key_pair()
    assert [0x9000, 0x63C5, 0x6982] == [holder.send(sign()), holder.fail(), holder.send(sign())]


def test_asking_for_the_tries_costs_none_and_proves_nothing() -> None:
    holder = Holder()
    before = holder.chip.snapshot()
    assert [LIMIT] * 3 == [holder.tries() for _ in range(3)]
    assert 0x6982 == holder.send(generate())
    assert before == holder.chip.snapshot()


@both
def test_a_wrong_proof_takes_the_same_steps_wherever_it_is_wrong(which: PkiPin) -> None:
    holder = Holder()
    holder.fail(which)
    attempts = []
    for mask in [*differing(bytes(16))][::9]:

        def attempt(mask: bytes = mask) -> bytes:
            assert 0x9000 == holder.verify(which)
            right = int.from_bytes(holder.proof(which))
            return verify(which, (right ^ int.from_bytes(mask)).to_bytes(16))

        attempts.append(attempt)
    alike(holder.chip.transmit, attempts, b"\x63\xc5")


def test_a_comparison_that_ends_early_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("card_os.secrets.keys.compare_digest", early_exit)
    with pytest.raises(ValueError, match="too many values"):
        test_a_wrong_proof_takes_the_same_steps_wherever_it_is_wrong(USER)


@pytest.mark.parametrize("raw", ["0020008110", "0020018010", "0020010110", "0020000010"])
def test_no_other_pin_has_a_reference(raw: str) -> None:
    holder = Holder()
    holder.challenge()
    assert 0x6A86 == holder.send(bytes.fromhex(raw) + bytes(16))


# HASH


@settings(max_examples=30)
@given(data=st.binary(min_size=1, max_size=250))
def test_hash_is_sm3_of_what_is_given(data: bytes) -> None:
    raw = command(HASH, None, HashData(data))
    assert digest(data) + b"\x90\x00" == Holder().chip.transmit(raw)


def test_hash_tells_nothing_of_the_card_and_changes_nothing() -> None:
    fresh, used = Holder(), with_key_pair()
    for _ in range(LIMIT):
        used.fail(ADMIN)
    before = used.chip.snapshot()
    for pin in ("123456", "12345678", "000000"):
        raw = command(HASH, None, HashData(pin_bytes(pin)))
        assert fresh.chip.transmit(raw) == used.chip.transmit(raw)
    assert before == used.chip.snapshot()
    assert [LIMIT, 0] == [fresh.tries(), used.tries(ADMIN)]


# Protected commands


def protected(holder: Holder) -> list[partial[bytes]]:
    """Every protected command, to be built when it is its turn; all rightly made."""
    return [
        partial(holder.change, USER, "654321"),
        partial(holder.change, ADMIN, "654321"),
        partial(holder.unblock),
        partial(holder.unblock, "654321"),
        partial(holder.update_master, NEW_KEY),
    ]


def test_whoever_has_proven_nothing_does_not_learn_whether_a_mac_is_right() -> None:
    """Else each command would try a PIN for nothing."""
    holder = Holder()
    before = holder.chip.snapshot()
    for make in protected(holder):
        assert 0x6982 == holder.send(make())
        assert 0x6982 == holder.send(flipped(make()))
        assert 0x6982 == holder.send(make(key=bytes(16)))
    holder.verify(), holder.fail()
    assert 0x6982 == holder.send(holder.change(USER, "654321"))
    assert 0x6982 == holder.send(flipped(holder.change(USER, "654321")))
    assert 0x6984 == holder.send(bytes.fromhex("845E018114") + bytes(20))
    holder.verify()
    assert before == holder.chip.snapshot()


def test_a_protected_command_without_its_protection_is_refused_and_all_is_forgotten() -> None:
    for raw in ("805E018103654321", "8024000000"[:8], "80D4010013" + "00" * 19):
        holder = Holder()
        assert 0x9000 == holder.verify()
        assert 0x6987 == holder.send(bytes.fromhex(raw))
        assert LIMIT == holder.tries()


@settings(max_examples=25)
@given(bit=st.integers(0, 8 * 20 - 1), which=st.sampled_from(PkiPin))
def test_a_protected_command_with_a_bit_changed_is_refused(bit: int, which: PkiPin) -> None:
    holder = Holder()
    assert 0x9000 == holder.verify(which)
    before = holder.chip.snapshot()
    assert 0x6988 == holder.send(flipped(holder.change(which, "654321"), bit))
    assert before == holder.chip.snapshot()
    assert LIMIT == holder.tries(which)


def test_a_protected_command_cannot_be_sent_again() -> None:
    holder = Holder()
    assert 0x9000 == holder.verify(ADMIN)
    raw = holder.unblock()
    assert [0x9000, 0x6984] == [holder.send(raw), holder.send(raw)]
    assert 0x9000 == holder.verify(ADMIN)
    holder.challenge()
    assert 0x6988 == holder.send(raw)


@both
def test_a_changed_pin_takes_the_place_of_the_old_one_with_all_its_tries(which: PkiPin) -> None:
    holder = Holder()
    assert [0x63C5, 0x9000] == [holder.fail(which), holder.verify(which)]
    assert 0x9000 == holder.send(holder.change(which, "7777777"))
    assert LIMIT == holder.tries(which), "it is to be proven anew"
    holder = Holder(holder.flash)
    assert [0x63C5, 0x9000] == [holder.verify(which), holder.verify(which, "7777777")]


@pytest.mark.parametrize("new", ["ABCDEF", "1234FF", "123F56"])
def test_a_new_pin_must_be_one(new: str) -> None:
    holder = Holder()
    assert 0x9000 == holder.verify()
    raw = bytes.fromhex("805E018103" + new)
    key = pki.pin_key(pin_bytes(PINS[USER]))
    assert 0x6A80 == holder.send(holder.protect(raw, key))
    assert -1 == holder.tries()
    for data in ("", "1234", "1234567890"):
        raw = bytes.fromhex(f"805E0181{len(data) // 2:02X}{data}" if data else "805E0181")
        assert 0x6700 == holder.send(holder.protect(raw, key))


def test_each_secret_lets_in_what_is_protected_under_itself_and_nothing_else() -> None:
    """All three are proven, the last one of them protects the command."""
    keys = {pin: pki.pin_key(pin_bytes(PINS[pin])) for pin in PkiPin}
    prove = {
        "user": (lambda holder: holder.verify(USER), keys[USER]),
        "admin": (lambda holder: holder.verify(ADMIN), keys[ADMIN]),
        "master": (lambda holder: holder.authenticate(), b""),
    }
    open_to = dict(zip(range(5), ("user", "admin", "admin", "admin", "master"), strict=True))
    for at, owner in open_to.items():
        for last, (_, key) in prove.items():
            holder = Holder()
            order = [*(set(prove) - {last}), last]
            assert [0x9000] * 3 == [prove[each][0](holder) for each in order]
            raw = protected(holder)[at](key=key or holder.master)
            assert (0x9000 if last == owner else 0x6982) == holder.send(raw)


def test_the_admin_unblocks_the_user_pin_and_may_give_it_a_new_value() -> None:
    holder = Holder()
    for new in ("", "444444"):
        for _ in range(LIMIT):
            holder.fail()
        assert [0x6983, 0x9000] == [holder.verify(), holder.verify(ADMIN)]
        assert 0x9000 == holder.send(holder.unblock(new))
        assert [LIMIT, 0x9000] == [holder.tries(), holder.verify(USER, new)]
        holder.select()


def test_an_unblock_with_a_value_and_a_reload_without_are_refused() -> None:
    holder = Holder()
    key = pki.pin_key(pin_bytes(PINS[ADMIN]))
    for raw in ("8024000003123456", "80240001"):
        assert 0x9000 == holder.verify(ADMIN)
        assert 0x6700 == holder.send(holder.protect(bytes.fromhex(raw), key))


# The master keys


def test_a_master_key_is_replaced_under_itself_in_its_own_directory() -> None:
    holder = Holder()
    assert 0x9000 == holder.authenticate()
    assert 0x9000 == holder.send(holder.update_master(NEW_KEY))
    assert 0x6982 == holder.send(holder.update_master(bytes(16), NEW_KEY)), "prove it anew"
    assert [0x63CE, 0x9000] == [holder.authenticate(), holder.authenticate(NEW_KEY)]
    holder.select(SELECT_PKI)
    assert [0x63CE, 0x9000] == [holder.authenticate(NEW_KEY), holder.authenticate()]


def test_the_environment_has_no_pins_and_makes_no_keys() -> None:
    holder = Holder(select=SELECT_PKI)
    assert 0x9000 == holder.authenticate()
    for raw in (tries(), generate(), sign(), bytes.fromhex("80240000")):
        assert 0x6D00 == holder.send(raw)


def test_a_new_master_key_must_have_the_head_that_was_seen() -> None:
    holder = Holder()
    assert 0x9000 == holder.authenticate()
    raw = bytes.fromhex("80D4010013 010000") + NEW_KEY
    assert 0x6A80 == holder.send(holder.protect(raw, holder.master))


def test_the_master_key_is_blocked_after_15_wrong_proofs() -> None:
    holder = Holder()
    wrong = [holder.authenticate(bytes(16)) for _ in range(15)]
    assert [0x63C0 | left for left in reversed(range(15))] == wrong
    assert 0x6983 == holder.authenticate()
    assert 0x9000 == holder.verify()


def test_no_key_is_written_on_a_sealed_card() -> None:
    holder = with_key_pair()
    block = bytes.fromhex("80D80000143A010206") + NEW_KEY
    assert 0x6985 == holder.send(block)


def test_nothing_is_proven_after_the_application_was_selected_again() -> None:
    for select in (SELECT_CERTIFICATES, SELECT_PKI):
        holder = with_key_pair()
        assert 0x9000 == holder.authenticate()
        holder.select(select)
        holder.select()
        assert [LIMIT, LIMIT] == [holder.tries(), holder.tries(ADMIN)]
        assert [0x6982, 0x6982] == [holder.send(sign(DIGEST)), holder.send(generate())]
        assert 0x6982 == holder.send(holder.update_master(NEW_KEY))
