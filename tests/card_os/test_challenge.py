# SPDX-License-Identifier: Apache-2.0
"""A challenge serves one attempt to prove a key, right or wrong, and only if it is the latest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from keybench import ANSWERS, ATTEMPTS, AWAY, LIMIT, PIN, SPEC, Desk, challenge, external
from testbench import select_df, select_name, send_all, tries, verify

from card_os.chip import ROM, Chip
from card_os.world import World
from host.cli.testcard import TEST_DAY

RK1DF01, UKSSSE = SPEC["RK1DF01"].kid, SPEC["UKSSSE"].kid


def test_without_a_challenge_there_is_nothing_to_prove_and_it_costs_nothing() -> None:
    desk = Desk()
    before = desk.chip.snapshot()
    desk.go("RK1DF01")
    for factor in (bytes(8), b""):
        shown = desk.cryptogram("RK1DF01", factor.ljust(8, b"\0"))
        assert 0x6984 == desk.send(external(RK1DF01, shown))
    assert before == desk.chip.snapshot()


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_a_challenge_serves_one_attempt(attempt: str) -> None:
    desk = Desk()
    desk.go("RK1DF01")
    for _ in range(LIMIT):
        desk.fail("UK2DF01")
    factor = desk.challenge()
    assert ANSWERS[attempt] == desk.send(ATTEMPTS[attempt](desk, factor))
    assert 0x6984 == desk.send(desk.proof("RK1DF01", factor))
    assert desk.opens()


@pytest.mark.parametrize("way", AWAY)
def test_a_challenge_is_gone_once_an_application_is_selected(way: str) -> None:
    desk = Desk()
    desk.go("SSSE")
    factor = desk.challenge()
    send_all(desk.chip, AWAY[way])
    if way != "the application":
        send_all(desk.chip, [select_df(0xDDF1)])
    assert 0x6984 == desk.send(desk.proof("UKSSSE", factor))


def test_a_challenge_is_gone_after_a_reset() -> None:
    desk = Desk()
    desk.go("SSSE")
    factor = desk.challenge()
    desk.chip.reset()
    desk.go("SSSE")
    assert 0x6984 == desk.send(desk.proof("UKSSSE", factor))


@pytest.mark.parametrize(
    "between",
    [tries(), verify(PIN), verify("000000"), select_df(0xDF01), select_name(b"nobody"), b"\0"],
    ids=["tries", "PIN", "wrong PIN", "a DF", "nobody", "nonsense"],
)
def test_a_challenge_waits_as_long_as_the_application_is_selected(between: bytes) -> None:
    desk = Desk()
    desk.go("SSSE")
    factor = desk.challenge()
    desk.chip.transmit(between)
    assert 0x9000 == desk.send(desk.proof("UKSSSE", factor))


@pytest.mark.parametrize("n", [4, 16])
def test_a_challenge_of_another_length_serves_no_key_and_is_used_up(n: int) -> None:
    desk = Desk()
    desk.go("SSSE")
    earlier = desk.challenge()
    for part in (slice(8), slice(-8, None)):
        assert 0x6984 == desk.send(desk.proof("UKSSSE", desk.challenge(n)[part].ljust(8, b"\0")))
        assert 0x6984 == desk.send(desk.proof("UKSSSE", earlier))
    assert 0x9000 == desk.authenticate("UKSSSE")


@given(st.lists(st.sampled_from([4, 8, 16]), min_size=1, max_size=5))
def test_only_the_latest_challenge_counts(lengths: list[int]) -> None:
    *earlier, last = lengths
    for n in range(len(earlier)):
        desk = Desk()
        desk.go("SSSE")
        factors = [desk.challenge(length) for length in lengths]
        shown = desk.proof("UKSSSE", factors[n][:8].ljust(8, b"\0"))
        assert (0x63CE if last == 8 else 0x6984) == desk.send(shown)
    desk = Desk()
    desk.go("SSSE")
    factors = [desk.challenge(length) for length in lengths]
    shown = desk.proof("UKSSSE", factors[-1][:8].ljust(8, b"\0"))
    assert (0x9000 if last == 8 else 0x6984) == desk.send(shown)


@pytest.mark.parametrize("again", ["at once", "with another challenge", "after a reset"])
def test_a_success_that_was_recorded_cannot_be_played_again(again: str) -> None:
    desk = Desk()
    desk.go("SSSE")
    recorded = desk.proof("UKSSSE", desk.challenge())
    assert 0x9000 == desk.send(recorded)
    if again == "after a reset":
        desk.chip.reset()
        desk.go("SSSE")
    if again != "at once":
        desk.challenge()
    assert (0x6984 if again == "at once" else 0x63CE) == desk.send(recorded)
    assert desk.opens()


@pytest.mark.parametrize("error", [OSError, NotImplementedError])
def test_without_a_source_of_chance_there_is_no_challenge_and_the_one_before_is_over(
    error: type[Exception],
) -> None:
    drawn = [bytes(range(8))]

    def random(n: int) -> bytes:
        if not drawn:
            raise error
        return drawn.pop()

    desk = Desk()
    desk.chip = Chip(ROM, desk.flash, World(random, lambda: TEST_DAY))
    desk.go("SSSE")
    shown = desk.proof("UKSSSE", desk.challenge())
    assert b"\x64\x00" == desk.chip.transmit(challenge())
    assert 0x6984 == desk.send(shown)
