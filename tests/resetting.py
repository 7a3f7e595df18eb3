# SPDX-License-Identifier: Apache-2.0
"""A card that another program resets: what PC/SC then says, and a card that shows all it lost."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from hashlib import sha256

from apdu.atr import Interface
from host.channel.memory import MemoryChannel, Powered
from host.faults import CardReset

OK = b"\x90\x00"
APPLICATIONS = (b"FIRST", b"SECOND")


class Forgetful:
    """A toy whose every answer depends on all that a reset forgets: application, current file, and
    what it was told that was neither a read nor a SELECT. Unless it speaks T=1, an answer waits
    for GET RESPONSE."""

    def __init__(self, t1: bool = True, atr: bytes = b"\x3b\x00") -> None:
        self.t1, self.atr = t1, atr
        self.seen: list[bytes] = []
        """All commands since it was made."""
        self.reset()

    def reset(self, interface: Interface = Interface.CONTACT) -> bytes:
        self.application = b""
        self.file = 0
        self.dirty: tuple[bytes, ...] = ()
        self.waiting = b""
        return self.atr

    def transmit(self, command: bytes) -> bytes:
        self.seen.append(command)
        waiting, self.waiting = self.waiting, b""
        match command[1]:
            case 0xC0:
                return waiting + OK if waiting else b"\x69\x85"
            case 0xA4:
                if (sw := self.select(command)) != OK:
                    return sw
            case 0xB2 if command[3] >> 3:
                self.file = command[3] >> 3
            case 0xB0 if command[2] & 0x80:
                self.file = command[2] & 0x1F
            case 0xB2 | 0xB0 | 0xCA:
                pass
            case _:
                self.dirty += (command,)
                return OK
        file = 0 if command[1] == 0xCA else self.file  # GET DATA asks the application
        state = self.application, file, self.dirty, command[1:4]
        answer = sha256(repr(state).encode()).digest()[:8]
        if self.t1:
            return answer + OK
        self.waiting = answer
        return bytes((0x61, len(answer)))

    def select(self, command: bytes) -> bytes:
        name = command[5 : 5 + command[4]] if len(command) > 5 else b""
        if command[2] == 0x04 and command[3] & 3 == 2:
            at = (self.application, *APPLICATIONS).index(self.application)
            self.application, self.file = APPLICATIONS[(at + 1) % 2], 0
        elif command[2] == 0x04 and name in APPLICATIONS:
            self.application, self.file = name, 0
        elif command[2] == 0x02 and len(name) == 2:
            self.file = name[1]
        else:
            return b"\x6a\x82"
        return OK


class SharedChannel(MemoryChannel):
    """A card that others reset and leave somewhere: at the calls with these numbers, counted from
    0, while it is not kept. It is told until `reset()`, which takes the card up as it is; another
    `reset()` is one."""

    def __init__(self, card: Powered, strikes: Collection[int] = ()) -> None:
        super().__init__(card)
        self.card, self.strikes = card, strikes
        self.calls = self.struck = self.taken_up = self.resets = self.depth = 0
        self.lost = self.knows = False
        self.le_with_data = getattr(card, "t1", False)

    def call(self) -> None:
        if self.calls in self.strikes and not self.depth:
            self.card.reset()
            if isinstance(self.card, Forgetful):
                self.card.application, self.card.file = APPLICATIONS[1], 3
            self.struck += 1
            self.lost = True
        self.calls += 1
        if self.lost:
            self.knows = True
            raise CardReset("another program reset the card")

    def _exchange(self, command: bytes) -> bytes:
        self.call()
        return super()._exchange(command)

    def reset(self) -> bytes:
        known, self.lost, self.knows = self.knows, False, False
        if known:
            self.taken_up += 1
            self.told.forget()
            return self.atr
        self.resets += 1
        return super().reset()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.call()
        self.depth += 1
        try:
            yield
        finally:
            self.depth -= 1
