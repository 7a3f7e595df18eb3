# SPDX-License-Identifier: Apache-2.0
"""Debit cards in a terminal's slot: one with electronic cash, one that is pulled out at a command,
one whose signed answers are tampered with on their way."""

from __future__ import annotations

from typing import Final

from paymentbench import fen
from paymentdesk import Typing, gone

from apdu.wire.pboc import tags
from card_os.chip import Chip
from host.card import Card
from host.channel.memory import MemoryChannel
from host.terminal.kernel.pin_entry import PinPad

CASH: Final = {
    tags.EC_BALANCE: fen(5_000),
    tags.EC_BALANCE_LIMIT: fen(100_000),
    tags.EC_SINGLE_LIMIT: fen(5_000),
    tags.EC_RESET_THRESHOLD: fen(1_000),
}
"""What a card with electronic cash is given."""
PIN_1234: Final = PinPad(Typing("1234"), lambda block: bytes(8))


def slot(chip: Chip) -> Card:
    return Card(MemoryChannel(chip))


class Pulled(MemoryChannel):
    """A chip that is pulled out: its command number `at` (from 0) comes too late, or its answer is
    not heard any more (`heard` False)."""

    def __init__(self, chip: Chip, pattern: str, done: bool) -> None:
        super().__init__(chip)
        self.pattern, self.done, self.out = bytes.fromhex(pattern), done, False

    def _exchange(self, command: bytes) -> bytes:
        if self.out:
            raise gone()
        if command.startswith(self.pattern):
            self.out = True
            if self.done:
                super()._exchange(command)
            raise gone()
        return super()._exchange(command)


class Tampered(MemoryChannel):
    """Somebody between card and reader who changes a byte of every signed cryptogram."""

    def _exchange(self, command: bytes) -> bytes:
        answer = super()._exchange(command)
        if command[1] == 0xAE and answer[:1] == b"\x77":
            at = answer.index(b"\x9f\x4b") + 20
            answer = answer[:at] + bytes((answer[at] ^ 1,)) + answer[at + 1 :]
        return answer
