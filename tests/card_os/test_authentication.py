# SPDX-License-Identifier: Apache-2.0
"""EXTERNAL AUTHENTICATE: a terminal proves a key over the last challenge, once, and pays for it."""

from __future__ import annotations

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st
from keybench import (
    ANSWERS,
    ATTEMPTS,
    AWAY,
    LIMIT,
    PIN,
    SM4,
    SPEC,
    TDES,
    Desk,
    both_suites,
    every_external_key,
    external,
    flipped,
    issued_cells,
)
from powercuts import TornFlash
from testbench import (
    select_df,
    send_all,
    verify,
)

from apdu.crypto.suite import Suite
from apdu.wire.hrss.generations import DF01
from card_os.nvm import Flash

RK1DF01, UKSSSE, STK = (SPEC[name].kid for name in ("RK1DF01", "UKSSSE", "STK"))

# Every key of the table


@both_suites
@every_external_key
def test_a_key_opens_what_it_guards_and_nothing_else(suite: Suite, name: str) -> None:
    desk = Desk(suite)
    before = desk.chip.snapshot()
    desk.go(name)
    assert desk.opens()
    assert 0x9000 == desk.authenticate(name)
    assert desk.opens(name)
    assert before == desk.chip.snapshot()
    is_local = SPEC[name].kid >= 0x80
    for directory in desk.generation.directories:
        if directory is not desk.directory:
            desk.move(directory)
            assert desk.opens(*[] if is_local else [name])


@both_suites
@every_external_key
def test_a_key_that_is_guessed_wrong_blocks_and_stays_so(suite: Suite, name: str) -> None:
    desk = Desk(suite)
    desk.go(name)
    for left in range(LIMIT - 1, -1, -1):
        assert 0x63C0 | left == desk.fail(name)
    before = desk.chip.snapshot()
    for _ in range(2):
        assert [0x6983, 0x6983] == [desk.authenticate(name), desk.fail(name)]
        assert desk.opens()
        desk.chip.reset()
        desk.go(name)
    assert before == desk.chip.snapshot()
    other = "PUK" if name != "PUK" else "UKSSSE"
    assert 0x9000 == desk.authenticate(other)


@both_suites
@pytest.mark.parametrize("wrong", range(1, LIMIT))
def test_the_right_cryptogram_works_on_every_try_and_gives_all_tries_back(
    suite: Suite, wrong: int
) -> None:
    desk = Desk(suite)
    before = desk.chip.snapshot()
    desk.go("RK1DF01")
    for n in range(wrong):
        assert 0x63C0 | LIMIT - 1 - n == desk.fail("RK1DF01")
    assert 0x9000 == desk.authenticate("RK1DF01")
    assert before == desk.chip.snapshot()
    assert 0x63C0 | LIMIT - 1 == desk.fail("RK1DF01")


@given(st.sampled_from([TDES, SM4]), st.binary(min_size=8, max_size=8), st.integers(0, 127))
def test_the_cryptogram_is_over_any_data_and_over_that_alone(
    suite: Suite, data: bytes, bit: int
) -> None:
    desk = Desk(suite)
    desk.go("RK1DF01")
    shown = desk.cryptogram("RK1DF01", desk.challenge(), data)
    assert 0x9000 == desk.send(external(RK1DF01, shown, data))
    shown = desk.cryptogram("RK1DF01", desk.challenge(), data)
    wrong = flipped(shown + data, bit)
    assert 0x63C0 | LIMIT - 1 == desk.send(external(RK1DF01, wrong[:8], wrong[8:]))
    assert desk.opens()


def test_a_card_of_one_suite_does_not_take_the_cryptogram_of_the_other() -> None:
    desk, other = Desk(TDES), Desk(SM4)
    desk.go("RK1DF01")
    assert 0x63CE == desk.send(other.proof("RK1DF01", desk.challenge()))


# Which key


@both_suites
@every_external_key
def test_the_version_may_be_said_and_must_then_be_right(suite: Suite, name: str) -> None:
    desk = Desk(suite)
    before = desk.chip.snapshot()
    desk.go(name)
    for version in (0, 2, 3, 0xFF):
        shown = desk.proof(name, desk.challenge(), bytes((version,)))
        assert b"\x6a\x88" == desk.chip.transmit(shown)
        assert desk.opens()
    assert before == desk.chip.snapshot()
    assert 0x9000 == desk.send(desk.proof(name, desk.challenge(), b"\x01"))
    assert desk.opens(name)


@pytest.mark.parametrize("length", [*range(16), *range(18, 40)])
def test_a_cryptogram_of_another_length_is_no_attempt(length: int) -> None:
    desk = Desk()
    desk.go("SSSE")
    factor = desk.challenge()
    body = bytes((length,)) + bytes(length) if length else b""
    assert 0x6700 == desk.send(bytes((0x00, 0x82, 0x00, UKSSSE)) + body)
    assert 0x9000 == desk.send(desk.proof("UKSSSE", factor))


# The try


@both_suites
@pytest.mark.parametrize("wrong", range(LIMIT))
@pytest.mark.parametrize("right", [True, False])
def test_a_try_is_paid_before_the_cryptogram_is_looked_at(
    suite: Suite, wrong: int, right: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    flash = TornFlash(issued_cells(suite))
    desk = Desk(suite, flash)
    desk.go("SSSE")
    for _ in range(wrong):
        desk.fail("UKSSSE")
    seen = []

    def compare(expected: bytes, shown: bytes) -> bool:
        """As if the power went now: what a failure on another chip with this memory answers."""
        monkeypatch.undo()
        other = Desk(suite, Flash(bytearray(flash.cells)))
        other.go("SSSE")
        same = hmac.compare_digest(expected, shown)
        seen.append((other.fail("UKSSSE"), flash.all_synced, same))
        return same

    raw = desk.proof("UKSSSE", desk.challenge()) if right else None
    raw = raw or external(UKSSSE, flipped(desk.cryptogram("UKSSSE", desk.challenge())))
    monkeypatch.setattr("card_os.secrets.keys.compare_digest", compare)
    assert (0x9000 if right else 0x63C0 | LIMIT - 1 - wrong) == desk.send(raw)
    # What is left after this try, less the one that asking has cost; 6983 where none was left.
    left = LIMIT - wrong - 1
    assert [(0x63C0 | left - 1 if left else 0x6983, True, right)] == seen


def test_a_blocked_key_is_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk()
    desk.go("SSSE")
    for _ in range(LIMIT):
        desk.fail("UKSSSE")
    seen: list[bytes] = []
    monkeypatch.setattr("card_os.secrets.keys.compare_digest", lambda *both: seen.extend(both))
    assert [0x6983, 0x6983] == [desk.authenticate("UKSSSE"), desk.fail("UKSSSE")]
    assert [] == seen


@given(st.lists(st.sampled_from("RWNX"), max_size=30))
def test_tries_are_what_the_attempts_leave(attempts: list[str]) -> None:
    """R a right cryptogram, W a wrong one, N one without a challenge, X a reset."""
    desk = Desk()
    desk.go("SSSE")
    left, proven = LIMIT, False
    for attempt in attempts:
        match attempt:
            case "R":
                left = LIMIT if left else 0
                proven = bool(left)
                assert (0x9000 if left else 0x6983) == desk.authenticate("UKSSSE")
            case "W":
                expected = 0x63C0 | left - 1 if left else 0x6983
                left, proven = max(left - 1, 0), False
                assert expected == desk.fail("UKSSSE")
            case "N":
                proven = False
                assert 0x6984 == desk.send(external(UKSSSE, bytes(8)))
            case _:
                proven = False
                desk.chip.reset()
                desk.go("SSSE")
        assert desk.opens(*["UKSSSE"] if proven else [])


# The proof


@pytest.mark.parametrize("attempt", [each for each in ATTEMPTS if each not in ("right",)])
def test_an_attempt_that_fails_takes_back_what_an_earlier_one_had_proven(attempt: str) -> None:
    desk = Desk()
    desk.go("RK1DF01")
    for _ in range(LIMIT):
        desk.fail("UK2DF01")
    send_all(desk.chip, [verify(PIN)])
    assert [0x9000, 0x9000] == [desk.authenticate("RK1DF01"), desk.authenticate("UK1DF01")]
    assert desk.opens("PIN", "RK1DF01", "UK1DF01")
    assert ANSWERS[attempt] == desk.send(ATTEMPTS[attempt](desk, desk.challenge()))
    # Of that key alone; messaging that is wrong takes everything.
    if attempt == "under messaging":
        assert desk.opens()
    elif attempt in ("wrong", "of a version there is not"):
        assert desk.opens("PIN", "UK1DF01")
    else:
        assert desk.opens("PIN", "RK1DF01", "UK1DF01")


@pytest.mark.parametrize("n", [0, 4, 16])
def test_an_attempt_without_a_challenge_takes_back_the_proof_as_well(n: int) -> None:
    desk = Desk()
    desk.go("SSSE")
    assert 0x9000 == desk.authenticate("UKSSSE")
    if n:
        desk.challenge(n)
    assert 0x6984 == desk.send(external(UKSSSE, bytes(8)))
    assert desk.opens()


@pytest.mark.parametrize("way", [*AWAY, "reset"])
def test_a_proof_ends_with_the_selection_of_an_application(way: str) -> None:
    desk = Desk()
    desk.go("SSSE")
    assert 0x9000 == desk.authenticate("UKSSSE")
    assert desk.opens("UKSSSE")
    if way == "reset":
        desk.chip.reset()
    else:
        send_all(desk.chip, AWAY[way])
    if way != "the application":
        send_all(desk.chip, [select_df(0xDDF1)])
    assert desk.opens()


def test_a_proof_of_a_local_key_ends_with_its_directory_and_serves_no_other() -> None:
    desk = Desk()
    for other in desk.generation.directories:
        desk.go("DF01")
        assert 0x9000 == desk.authenticate("UK1DF01")  # KID 83, as each of the others has
        desk.move(other)
        if other is not DF01:
            assert desk.opens()
            desk.move(DF01)
        assert desk.opens(*["UK1DF01"] if other is DF01 else [])


def test_a_challenge_from_one_directory_serves_the_next_one() -> None:
    """It belongs to the application: a terminal may fetch it before it goes to a DF."""
    desk = Desk()
    desk.go("SSSE")
    factor = desk.challenge()
    desk.move(DF01)
    assert 0x9000 == desk.send(desk.proof("RK1DF01", factor))
