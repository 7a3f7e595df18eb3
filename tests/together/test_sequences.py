# SPDX-License-Identifier: Apache-2.0
"""Sequences on issued cards of every generation: vectors/cards/sequences.json, its Q numbers.

A property that another file holds is named in the book with its test.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from datetime import date
from functools import cache
from itertools import pairwise, permutations
from pathlib import Path
from typing import Any

import pytest
from accessbench import OK, REFUSED, card_of, fid, prove
from accesstable import GENERATIONS, PLACES, files, is_open, keys
from books import book, cases
from keybench import AWAY, LIMIT, PIN, WRONG_PIN, Desk
from testbench import SELECT_DEBIT, SELECT_HRSS, SELECT_MF, select_df, select_name, verify

from apdu.wire.hrss.generations import GENERATIONS as SPECIFIED
from card_os.chip import ROM, Chip
from card_os.nvm import JOURNAL_SIZE
from card_os.world import World, seeded
from host.card import Card
from host.channel.memory import MemoryChannel

BOOK = "cards/sequences.json"
ROOT = Path(__file__).parents[2]
every_generation = pytest.mark.parametrize("generation", GENERATIONS)
READS = {"tlv": "00B201{:02X}000000", "cyclic": "00B201{:02X}00", "transparent": "00B0{:02X}0000"}


def guarded_by_pin(generation: str, label: str) -> list[bytes]:
    """Commands that read each file of a directory that the PIN alone opens, and not nothing."""
    found = []
    for file in files(generation, label):
        if is_open(file.read, {"PIN"}) and not is_open(file.read, ()):
            binary = file.structure == "transparent"
            where = 0x80 | file.sfi if binary else file.sfi << 3 | (5 if file.items else 4)
            found.append(bytes.fromhex(READS[file.structure].format(where)))
    return found


def logged_in(generation: str, label: str) -> tuple[Desk, list[bytes]]:
    """The PIN is proven in a directory, and opens there what it should."""
    desk = card_of(generation)
    desk.go(label)
    prove(desk, {"PIN"})
    reads = guarded_by_pin(generation, label)
    assert {desk.send(raw) for raw in reads} <= {OK, 0x6A83}
    return desk, reads


def come_back(desk: Desk, label: str) -> None:
    """To a directory, without selecting the application anew where it is still selected."""
    if OK != desk.send(select_df(fid(label))):
        for each in (SELECT_MF, select_df(fid("SSSE")), select_df(fid(label))):
            assert OK == desk.send(each)


WITH_PIN = [place for place in PLACES if guarded_by_pin(*place)]
with_pin = pytest.mark.parametrize(("generation", "label"), WITH_PIN)


def test_the_pin_guards_files_in_four_directories() -> None:
    assert {"DF01", "DF02", "DF03", "DF04"} == {label for _, label in WITH_PIN}


# Q07 to Q09


@with_pin
@pytest.mark.parametrize("way", AWAY)
def test_what_was_proven_is_gone_once_another_application_is_selected(
    generation: str, label: str, way: str
) -> None:
    desk, reads = logged_in(generation, label)
    for raw in AWAY[way]:
        desk.chip.transmit(raw)
    come_back(desk, label)
    assert {REFUSED} == {desk.send(raw) for raw in reads}


def cold(desk: Desk) -> None:
    desk.chip = Chip(ROM, desk.flash, desk.world)


def warm(desk: Desk) -> None:
    desk.chip.reset()


def by_the_channel(desk: Desk) -> None:
    Card(MemoryChannel(desk.chip)).channel.reset()


@with_pin
@pytest.mark.parametrize("reset", [cold, warm, by_the_channel])
def test_what_was_proven_is_gone_after_a_reset(
    generation: str, label: str, reset: Callable[[Desk], None]
) -> None:
    desk, reads = logged_in(generation, label)
    reset(desk)
    come_back(desk, label)
    assert {REFUSED} == {desk.send(raw) for raw in reads}


@with_pin
def test_a_wrong_pin_takes_the_right_one_back(generation: str, label: str) -> None:
    desk, reads = logged_in(generation, label)
    assert 0x63C5 == desk.send(verify(WRONG_PIN))
    assert {REFUSED} == {desk.send(raw) for raw in reads}


# Q11 to Q16


@every_generation
def test_a_cryptogram_serves_once(generation: str) -> None:
    desk = card_of(generation)
    desk.go("DF01")
    shown = desk.proof("RK1DF01", desk.challenge())
    assert [OK, 0x6984] == [desk.send(shown) for _ in range(2)]
    desk.challenge()
    assert 0x63CE == desk.send(shown)


@every_generation
def test_a_challenge_does_not_outlive_a_reset(generation: str) -> None:
    for reset in (cold, warm):
        desk = card_of(generation)
        desk.go("SSSE")
        shown = desk.proof("UKSSSE", desk.challenge())
        reset(desk)
        desk.go("SSSE")
        assert 0x6984 == desk.send(shown)


def system() -> World:
    from secrets import token_bytes

    return World(token_bytes, lambda: date(2026, 1, 5))


WORLDS = {"seeded": lambda: seeded(7, date(2026, 1, 5)), "system": system}
CHALLENGES, RESETS = 65_536, 64


@cache
def collected(world: str) -> tuple[bytes, ...]:
    """Challenges of one card, over resets."""
    chip = Chip(ROM, card_of("2.0").flash, WORLDS[world]())
    found = []
    for _ in range(RESETS):
        chip.reset()
        found += [chip.transmit(b"\x00\x84\x00\x00\x08") for _ in range(CHALLENGES // RESETS)]
    assert {b"\x90\x00"} == {answer[8:] for answer in found}
    return tuple(answer[:8] for answer in found)


@pytest.mark.parametrize("world", WORLDS)
def test_no_challenge_comes_twice_in_65536(world: str) -> None:
    assert CHALLENGES == len(set(collected(world)))


@pytest.mark.parametrize("world", WORLDS)
def test_the_bits_of_challenges_look_like_chance(world: str) -> None:
    """Ones and zeros, bytes at each place, and bytes in a row: bounds that chance breaks once in
    many millions of runs."""
    challenges = collected(world)
    bits = CHALLENGES * 64
    ones = sum(int.from_bytes(each).bit_count() for each in challenges)
    assert abs(ones - bits / 2) < 6 * bits**0.5 / 2
    expected = CHALLENGES / 256
    for place in range(8):
        counts = [0] * 256
        for each in challenges:
            counts[each[place]] += 1
        assert 120 < sum((n - expected) ** 2 / expected for n in counts) < 420
    stream = b"".join(challenges)
    repeats = sum(one == other for one, other in pairwise(stream))
    assert abs(repeats - len(stream) / 256) < 6 * (len(stream) / 256) ** 0.5


@every_generation
def test_a_key_counts_its_errors_down_and_others_do_not_notice(generation: str) -> None:
    desk = card_of(generation)
    desk.go("DF04")
    assert [0x63C0 | left for left in range(LIMIT - 1, -1, -1)] == [
        desk.fail("RK1DF04") for _ in range(LIMIT)
    ]
    assert [0x6983] * 3 == [
        desk.authenticate("RK1DF04"),
        desk.fail("RK1DF04"),
        desk.authenticate("RK1DF04"),
    ]
    prove(
        desk, {"PIN"} | {key.name for key in keys(generation, "DF04") if key.provable} - {"RK1DF04"}
    )
    prove(desk, {key.name for key in keys(generation, "SSSE") if key.provable})
    desk.chip.reset()
    desk.go("DF04")
    assert 0x6983 == desk.authenticate("RK1DF04")


# Q33


NAMES = [SPECIFIED["2.0"].directory(label).name for _, label in PLACES[:8]]


@every_generation
def test_what_waits_is_handed_out_to_nobody_else(generation: str) -> None:
    applications = [select_name(name) for name in NAMES] + [SELECT_DEBIT]
    for one, other in permutations(applications, 2):
        for interlude in (other[:-1] + b"\0\0", verify(PIN), None):
            desk = card_of_all(generation)
            desk.chip.reset()
            waiting = desk.chip.transmit(one[:-1])
            assert 0x61 == waiting[0]
            if interlude is None:
                desk.chip.reset()
            else:
                desk.chip.transmit(interlude)
            for ne in (0, waiting[1], 1):
                assert b"\x69\x85" == desk.chip.transmit(bytes((0x00, 0xC0, 0x00, 0x00, ne)))


@cache
def card_of_all(generation: str) -> Desk:
    """One card for all: nothing here is written."""
    return card_of(generation)


# Q35


def part(data: bytes, *, more: bool = True, p1: int = 0x88, ins: int = 0xD6) -> bytes:
    """A part of a chain that updates the photo, EF08."""
    return bytes((0x10 if more else 0x00, ins, p1, 0x00, len(data))) + data


def at_the_photo(generation: str) -> Desk:
    desk = card_of(generation)
    desk.go("SSSE")
    prove(desk, {"UKSSSE"})
    return desk


@every_generation
def test_a_chain_without_end_is_dropped_and_leaves_no_trace(generation: str) -> None:
    desk = at_the_photo(generation)
    before = desk.chip.snapshot()
    answers = [desk.send(part(b"\x5a" * 255)) for _ in range(1000)]
    assert {OK, 0x6700} == set(answers)
    assert 0x6700 in answers[:34]
    assert before == desk.chip.snapshot()
    desk.chip.reset()
    assert before == desk.chip.snapshot()


@every_generation
def test_a_chain_that_ends_as_another_command_is_not_done(generation: str) -> None:
    ends = {
        "another instruction": part(b"\x5a", more=False, ins=0xDC),
        "another file": part(b"\x5a", more=False, p1=0x87),
        "a read": b"\x00\xb0\x88\x00\x08",
        "select": SELECT_HRSS,
    }
    for end in ends.values():
        desk = at_the_photo(generation)
        before = desk.chip.snapshot()
        assert OK == desk.send(part(b"\x5a" * 200))
        assert 0x6883 == desk.send(end)
        assert before == desk.chip.snapshot()
        # The chain is over: what comes now is a command of its own.
        assert OK == desk.send(part(b"alone", more=False))
        memory = bytes(desk.flash.cells[JOURNAL_SIZE:])
        assert b"alone" + bytes(3) in memory
        assert b"\x5a" * 3 not in memory


# The book


@cache
def names_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("case", cases(BOOK))
def test_a_property_is_held_by_the_tests_that_the_book_names(case: dict[str, Any]) -> None:
    for each in case.get("tests", ()):
        path, name = each.split("::")
        assert name in names_in(path), each


def test_every_test_here_but_that_of_the_book_holds_a_property_of_it() -> None:
    here = Path(__file__).relative_to(ROOT).as_posix()
    named = {each for case in book(BOOK)["cases"] for each in case.get("tests", ())}
    tests = {f"{here}::{name}" for name in names_in(here) if name.startswith("test_")}
    about = ("the_book_names", "every_test_here", "four_directories")
    assert {each for each in tests if not any(word in each for word in about)} <= named
