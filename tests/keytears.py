# SPDX-License-Identifier: Apache-2.0
"""The commands of a card with keys that change memory, each to be torn apart.

Challenges are the same whenever power comes, so what a desk said once can be said again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from blockbench import END_CARD, KEY_OF, MESSAGES
from keybench import LIMIT, NEW_PIN, PIN, SM4, SPEC, TDES, WRONG_PIN, Desk, external, issued_cells
from tearing import Scenario
from testbench import command, sw, tries, verify, world

from apdu.crypto.suite import Suite
from apdu.wire.hrss.application import PIN_TRIES
from apdu.wire.iso7816 import UPDATE_BINARY, UPDATE_RECORD, RecordTarget, SfiOffset
from card_os.chip import ROM, Chip
from card_os.nvm import Flash

Steps = Callable[[Desk], object]


@dataclass(frozen=True)
class KeyScenario(Scenario):
    """On an issued card."""

    suite: Suite = TDES
    guarded: tuple[bytes, ...] = (
        tries(),
        command(UPDATE_RECORD, RecordTarget(1, 6), b"\x08\x01A"),
    )

    def boot(self, flash: Flash) -> Chip:
        return Chip(ROM, flash, world())

    def blank_cells(self) -> bytes:
        return issued_cells(self.suite)


class Listened:
    """A chip, and all that was said to it."""

    def __init__(self, chip: Chip) -> None:
        self.chip = chip
        self.heard: list[bytes] = []

    def transmit(self, raw: bytes) -> bytes:
        self.heard.append(raw)
        return self.chip.transmit(raw)


def said(suite: Suite, *steps: Steps) -> tuple[bytes, ...]:
    """What a desk says when it does these steps; the last one may be a command itself."""
    desk = Desk(suite)
    listened = desk.chip = Listened(desk.chip)  # type: ignore[assignment]
    for step in steps:
        last = step(desk)
    return (*listened.heard, last) if isinstance(last, bytes) else tuple(listened.heard)


def go(place: str) -> Steps:
    return lambda desk: desk.go(place)


def key_scenarios() -> Iterator[Scenario]:
    for suite in (TDES, SM4):
        for wrong in (0, 6, 7, 8, 14) if suite is TDES else (3,):
            yield from _authentications(suite, wrong)
        for wrong in (0, 2, PIN_TRIES):
            yield from _services(suite, wrong)
    yield from _updates()
    yield from _blocks()


def _authentications(suite: Suite, wrong: int) -> Iterator[Scenario]:
    """Fifteen tries stand in two bytes."""
    name, kid = "UKSSSE", SPEC["UKSSSE"].kid
    before = said(suite, go(name), *[lambda desk: desk.fail(name)] * wrong)
    *setup, right = said(suite, go(name), lambda desk: desk.proof(name, desk.challenge()))
    bad = external(kid, bytes(8))
    for word, raw, answer in (
        ("right", right, 0x9000),
        ("wrong", bad, 0x63C0 | LIMIT - 1 - wrong),
    ):
        title = f"EXTERNAL AUTHENTICATE, {word}, {suite}, {LIMIT - wrong} tries left"
        yield KeyScenario(title, tuple(setup), (raw,), answer, before, pays=bad, suite=suite)


def _services(suite: Suite, wrong: int) -> Iterator[Scenario]:
    before = said(suite, go("SSSE"), *[lambda desk: desk.send(verify(WRONG_PIN))] * wrong)
    ways: dict[str, Steps] = {
        "unblock": Desk.unblock,
        "reload": lambda desk: desk.reload(NEW_PIN),
        "reload of the same PIN": lambda desk: desk.reload(PIN),
    }
    for word, step in ways.items():
        if wrong or word == "reload":  # else nothing is to be written
            *setup, raw = said(suite, go("SSSE"), lambda desk: desk.authenticate("PUK"), step)
            title = f"PIN CHANGE/UNBLOCK, {word}, {suite}, {PIN_TRIES - wrong} tries left"
            yield KeyScenario(title, tuple(setup), (raw,), before=before, suite=suite)


def _updates() -> Iterator[Scenario]:
    record = command(UPDATE_RECORD, RecordTarget(1, 5), b"\x20\x0210")
    binary = command(UPDATE_BINARY, SfiOffset(22, 3), b"some new bytes")
    for name, key, raw in (
        ("UPDATE RECORD", "UK1DF01", record),
        ("UPDATE BINARY", "UK7DF01", binary),
    ):
        steps: tuple[Steps, ...] = (
            go("DF01"),
            lambda desk, key=key: desk.authenticate(key),  # type: ignore[misc]
            lambda desk, raw=raw: desk.protect(raw, "STKDF01"),  # type: ignore[misc]
        )
        *setup, torn = said(TDES, *steps)
        yield KeyScenario(f"{name} with a MAC", tuple(setup), (torn,))


def _blocks() -> Iterator[Scenario]:
    """One byte of a directory's, and the master block for the card."""

    def block(what: str) -> Steps:
        return lambda desk: desk.protect(MESSAGES[what], KEY_OF[desk.directory.label])

    for suite, place in ((TDES, "DF03"), (SM4, "DF05")):
        for title, what, first in (
            ("APPLICATION BLOCK, temporary", "block", ""),
            ("APPLICATION BLOCK, permanent", "end", ""),
            ("APPLICATION BLOCK, permanent, of a blocked one", "end", "block"),
            ("APPLICATION UNBLOCK", "unblock", "block"),
        ):
            # Bytes and challenge are the same whether the directory is blocked already or not.
            *setup, raw = said(suite, go(place), block(what))
            before = said(suite, go(place), block(first)) if first else ()
            yield KeyScenario(f"{title}, {suite}", tuple(setup), (raw,), before=before, suite=suite)
    *setup, raw = said(TDES, go("DF04"), lambda desk: desk.protect(END_CARD, "BK"))
    yield KeyScenario("CARD BLOCK", tuple(setup), (raw,))


def key_tries(scenario: KeyScenario, cells: bytes) -> int:
    """The tries of the key that the scenario proves, found by spending one of them."""
    chip = scenario.prepare(Flash(bytearray(cells)))
    assert scenario.pays is not None
    answer = sw(chip.transmit(scenario.pays))
    return 0 if answer == 0x6983 else answer - 0x63C0 + 1
