# SPDX-License-Identifier: Apache-2.0
"""What a card was told since its last reset, as far as one must know to begin again.

No command but SELECT is kept, so nothing secret is.
"""

from __future__ import annotations

from typing import Final

from apdu.wire.repeating import Again, again

MANY: Final = 32
"""Selections that are still made again."""
_BY_NAME: Final = b"\x04\x00"
"""P1-P2 of SELECT by name, first occurrence, FCI wanted: leads to the same place from anywhere."""
_DONE: Final = (0x61, 0x62, 0x90)
"""First bytes of the status words of a SELECT that selects."""

_NEVER, _OWN_FILE = Again.NEVER, Again.OWN_FILE  # every command comes by here


class Told:
    """A channel's account of it. A layer has its own, of what went through it."""

    __slots__ = ("_moved", "only_reads", "selections")

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """The card was reset."""
        self.only_reads = True
        """Nothing was sent but what can be sent again; after anything else no account is kept."""
        self.selections: list[tuple[bytes, bytes]] = []
        """The SELECTs that lead to where the card is now, each with its status word."""
        self._moved = False

    def sending(self, command: bytes) -> None:
        """A command is about to be sent; whether it arrives is not known."""
        takes = again(command[:4])
        if takes is _NEVER:
            self._give_up()
        elif takes is _OWN_FILE:
            self._moved = True

    def selected(self, command: bytes, answer: bytes) -> None:
        """A SELECT was answered."""
        if not self.only_reads:
            return
        done = answer[-2] in _DONE
        if done:
            self._moved = False
        if done and command[2:4] == _BY_NAME:
            self.selections = []
        if len(self.selections) == MANY:
            self._give_up()
        else:
            self.selections.append((command, answer[-2:]))

    def _give_up(self) -> None:
        self.only_reads = False
        self.selections = []

    @property
    def from_anywhere(self) -> bool:
        """Whether `selections` lead to the same place wherever another program has left the card
        after it reset it."""
        if not self.selections:
            return False
        command, sw = self.selections[0]
        return command[2:4] == _BY_NAME and sw[0] in _DONE

    def can_repeat(self, command: bytes) -> bool:
        """Whether this command would mean the same once the card was reset and `selections` were
        made again, and nothing else would be lost."""
        takes = again(command[:4])
        if not self.only_reads or takes in (Again.NEVER, Again.CONTINUED):
            return False
        return not (self._moved and takes is Again.CURRENT_FILE)
