# SPDX-License-Identifier: Apache-2.0
"""Whatever is blocked, given back, replayed and torn: a directory is as it was left.

The model is one word a directory, and whether the card lives. A command under the right key moves
its own directory alone; torn anywhere, it has done so or it has not; everything else moves nothing.
"""

from __future__ import annotations

from blockbench import (
    END_CARD,
    ENDED,
    KEY_OF,
    LEADS_TO,
    MESSAGES,
    NEVER_BLOCKED,
    OPEN,
    states,
)
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from keybench import SM4, SPEC, TDES, WRONG_PIN, Desk, issued_cells
from powercuts import DAMAGES, Damage, PowerCut, TornFlash
from testbench import SELECT_HRSS, command, sw, verify

from apdu.crypto.suite import Suite
from apdu.wire.iso7816 import READ_BINARY, READ_RECORD, RecordRef, SfiOffset
from card_os.chip import ROM, Chip

places = st.sampled_from([*KEY_OF] * 2 + [*NEVER_BLOCKED])
messages = st.sampled_from([*MESSAGES])
damages = st.sampled_from(DAMAGES)
FREE = command(READ_BINARY, SfiOffset(5), ne=16)
"""Of DF05, whose file is open to all."""
CARD_ENDED = 0x6A81


class Blocking(RuleBasedStateMachine):
    """A desk with all keys, some of them the wrong ones, and a hand at the plug."""

    @initialize(suite=st.sampled_from([TDES, SM4]), wrong=st.integers(0, 3))
    def issue(self, suite: Suite, wrong: int) -> None:
        self.flash = TornFlash(issued_cells(suite))
        self.desk = Desk(suite, self.flash)
        self.desk.go("SSSE")
        for _ in range(wrong):
            self.desk.send(verify(WRONG_PIN))
        self.left = 6 - wrong
        self.state = dict.fromkeys(KEY_OF, OPEN)
        self.alive = True
        self.heard: list[bytes] = []

    # What a directory does with a message

    def enter(self, place: str) -> bool:
        """Go to a directory; False where it has ended, or the card."""
        try:
            self.desk.go(place)
        except AssertionError:
            assert not self.alive or self.state.get(place) == ENDED
            return False
        return True

    def message(self, place: str, what: str, key: str) -> bytes:
        raw = self.desk.protect(MESSAGES[what], key)
        self.heard.append(raw)
        return raw

    @rule(place=places, what=messages, key=st.sampled_from([None, None, None, *SPEC]))
    def send(self, place: str, what: str, key: str | None) -> None:
        if not self.enter(place):
            return
        right = {**KEY_OF, **NEVER_BLOCKED}[place]
        expected = 0x6985 if place in NEVER_BLOCKED else 0x9000
        if key not in (None, right):
            expected = 0x6988
        assert expected == self.desk.send(self.message(place, what, key or right))
        if expected == 0x9000:
            self.state[place] = LEADS_TO[what]

    @rule(place=st.sampled_from([*KEY_OF]), what=messages, cut=st.integers(0, 4), damage=damages)
    def send_and_pull(self, place: str, what: str, cut: int, damage: Damage) -> None:
        if not self.enter(place):
            return
        raw = self.message(place, what, KEY_OF[place])
        if self.pulled(raw, cut, damage):
            found = states(self.desk.chip)[place]
            assert found in (self.state[place], LEADS_TO[what])
            self.state[place] = found
        else:
            self.state[place] = LEADS_TO[what]

    @rule(place=places, cut=st.integers(0, 4), damage=damages, sure=st.sampled_from([0, 0, 0, 1]))
    def end_the_card_and_pull(self, place: str, cut: int, damage: Damage, sure: int) -> None:
        """With the right key seldom, for then all is over."""
        if not self.enter(place):
            return
        raw = self.desk.protect(END_CARD, "BK" if sure else KEY_OF.get(place, "STK"))
        if self.pulled(raw, cut, damage):
            assert sure
            self.alive = sw(self.desk.chip.transmit(SELECT_HRSS)) == OPEN
        else:
            self.alive = not sure

    def pulled(self, raw: bytes, cut: int, damage: Damage) -> bool:
        """Send with the power cut at a write. True when it was; the chip has started again."""
        self.flash.arm(cut, damage)
        try:
            self.desk.send(raw)
            return False
        except PowerCut:
            self.flash = TornFlash(bytes(self.flash.cells))
            self.desk.flash = self.flash
            self.desk.chip = Chip(ROM, self.flash, self.desk.world)
            return True
        finally:
            self.flash.arm(None)

    @rule(place=places, which=st.integers(0, 50), fresh=st.booleans())
    @precondition(lambda self: self.heard)
    def replay(self, place: str, which: int, fresh: bool) -> None:
        if not self.enter(place):
            return
        if fresh:
            self.desk.challenge()
        answer = self.desk.send(self.heard[which % len(self.heard)])
        assert (0x6988 if fresh else 0x6984) == answer

    @rule()
    def reset(self) -> None:
        self.desk.chip.reset()

    # What must hold

    @precondition(lambda self: hasattr(self, "state"))
    @invariant()
    def each_directory_is_where_it_was_left(self) -> None:
        chip = self.desk.chip
        expected = self.state if self.alive else dict.fromkeys(self.state, CARD_ENDED)
        assert expected == states(chip)
        if not self.alive:
            return
        for place, state in self.state.items():
            if state != ENDED:
                self.desk.go(place)
                answer = sw(chip.transmit(command(READ_RECORD, RecordRef(1, 5))))
                # DF05 has no records, and opens to all; the others ask for a proof first.
                usual = 0x6981 if place == "DF05" else 0x6982
                assert (usual if state == OPEN else 0x6985) == answer
        if self.state["DF05"] == OPEN:
            self.desk.go("DF05")
            assert bytes(16) + b"\x90\x00" == chip.transmit(FREE)

    @precondition(lambda self: getattr(self, "alive", False))
    @invariant()
    def the_pin_and_what_is_never_blocked_do_not_notice(self) -> None:
        for place in NEVER_BLOCKED:
            self.desk.go(place)
            assert self.left == self.desk.tries()


TestBlocking = Blocking.TestCase
TestBlocking.settings = settings(stateful_step_count=25, max_examples=60)
