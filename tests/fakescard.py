# SPDX-License-Identifier: Apache-2.0
"""A PC/SC service in this process, behind the functions of `smartcard.scard`, that does what it is
told: readers and cards come and go, calls fail or hang, the service ends."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from threading import Condition, Event, enumerate
from types import ModuleType
from typing import Any

import pytest

from apdu.atr import interface_of

ERRORS = {
    "SCARD_S_SUCCESS": 0,
    "SCARD_E_INVALID_HANDLE": 0x80100003,
    "SCARD_E_UNKNOWN_READER": 0x80100009,
    "SCARD_E_TIMEOUT": 0x8010000A,
    "SCARD_E_SHARING_VIOLATION": 0x8010000B,
    "SCARD_E_NO_SMARTCARD": 0x8010000C,
    "SCARD_E_PROTO_MISMATCH": 0x8010000F,
    "SCARD_F_COMM_ERROR": 0x80100013,
    "SCARD_E_NOT_TRANSACTED": 0x80100016,
    "SCARD_E_READER_UNAVAILABLE": 0x80100017,
    "SCARD_E_NO_SERVICE": 0x8010001D,
    "SCARD_E_SERVICE_STOPPED": 0x8010001E,
    "SCARD_E_NO_READERS_AVAILABLE": 0x8010002E,
    "SCARD_W_UNRESPONSIVE_CARD": 0x80100066,
    "SCARD_W_UNPOWERED_CARD": 0x80100067,
    "SCARD_W_RESET_CARD": 0x80100068,
    "SCARD_W_REMOVED_CARD": 0x80100069,
    "SCARD_W_SECURITY_VIOLATION": 0x8010006A,
}
NUMBERS = {
    "SCARD_SCOPE_USER": 0,
    "SCARD_SHARE_EXCLUSIVE": 1,
    "SCARD_SHARE_SHARED": 2,
    "SCARD_SHARE_DIRECT": 3,
    "SCARD_LEAVE_CARD": 0,
    "SCARD_RESET_CARD": 1,
    "SCARD_PCI_T0": 91,
    "SCARD_PCI_T1": 92,
    "SCARD_STATE_UNAWARE": 0x0,
    "SCARD_STATE_CHANGED": 0x2,
    "SCARD_STATE_EMPTY": 0x10,
    "SCARD_STATE_PRESENT": 0x20,
    "SCARD_STATE_EXCLUSIVE": 0x80,
    "SCARD_STATE_INUSE": 0x100,
    "SCARD_STATE_MUTE": 0x200,
}
OK = b"\x90\x00"
PRESENT, POWERED = 0x04, 0x10
"""Of a card's state, as pcsc-lite's pcsclite.h has it."""
ASKED_OF_A_CARD = (
    "SCardTransmit", "SCardStatus", "SCardBeginTransaction", "SCardEndTransaction",
)  # fmt: skip
CONTACT = bytes.fromhex("3B00")
CONTACTLESS = bytes.fromhex("3B80800101")
State = tuple[str, int, list[int]]


@dataclass
class Slot:
    """A reader. A card is its ATR: empty for a mute one, None for none."""

    card: bytes | None = None
    share: int = 0
    count: int = 0
    powering: bool = False
    """The card is there, its ATR not yet known."""
    powered: bool = True
    kept_off: bool = False
    """Somebody took the card up without power, so who connects does not get it any."""


@dataclass
class Service:
    """What programs see of it are the methods with the names of winscard.h."""

    slots: dict[str, Slot] = field(default_factory=lambda: {"ACME One": Slot(), "ACME Two": Slot()})
    alive: bool = True
    counts: bool = True
    """Whether it counts insertions and removals."""
    fails: dict[str, int] = field(default_factory=dict)
    """The codes of calls that fail, by function."""
    fails_for: dict[str, list[int]] = field(default_factory=dict)
    """The codes of the next calls, by function."""
    hangs: dict[str, Event] = field(default_factory=dict)
    """Calls that wait for an event first."""
    meanwhile: list[Callable[[], object]] = field(default_factory=list)
    """What happens, one at each call that begins a look: for a context, or for the readers."""
    hidden: str = ""
    """A reader that is listed still but was unplugged."""
    uid: bytes = b"\x6a\x81"
    contexts: set[int] = field(default_factory=set)
    connected: dict[int, str] = field(default_factory=dict)
    reset: set[int] = field(default_factory=set)
    """The connections that have to be told that somebody reset the card."""
    sent: list[bytes] = field(default_factory=list)
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    changed: Condition = field(default_factory=Condition)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    # What happens

    def insert(self, card: bytes = CONTACT, name: str = "ACME One") -> None:
        self._happens(name, card)

    def remove(self, name: str = "ACME One") -> None:
        self._happens(name, None)

    def _happens(self, name: str, card: bytes | None) -> None:
        with self.changed:
            slot = self.slots[name]
            slot.card, slot.count, slot.share = card, slot.count + self.counts, 0
            slot.powered, slot.kept_off = True, False
            self.changed.notify_all()

    def use(self, share: int, name: str = "ACME One") -> None:
        with self.changed:
            self.slots[name].share = share
            self.changed.notify_all()

    def powers_off(self, name: str = "ACME One", *, taken_up: bool = False) -> None:
        """As when another program leaves the card so; `taken_up`: and one more goes on with it."""
        self.slots[name].powered, self.slots[name].kept_off = False, taken_up
        self._tells_reset(name)

    def _tells_reset(self, name: str, but: int = 0) -> None:
        self.reset |= {each for each, where in self.connected.items() if where == name} - {but}

    def begins(self) -> None:
        self.alive = True

    def ends(self) -> None:
        with self.changed:
            self.alive = False
            self.contexts.clear()
            self.changed.notify_all()

    def is_left_alone(self) -> None:
        """Whoever used it has cleared up, and so have the threads."""
        for thread in enumerate():
            if thread.name == "sscard-pcsc":
                thread.join(10)
                assert not thread.is_alive()
        assert not self.contexts, "a context was left behind"

    def is_left_to_one(self) -> None:
        """All but one have cleared up, or do so now."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.contexts) == 1, 10)

    # What programs call

    def ask(self, name: str, *arguments: Any) -> Any:
        self.calls.append((name, *arguments))
        if self.meanwhile and name in ("SCardEstablishContext", "SCardListReaders"):
            self.meanwhile.pop(0)()
        if name in self.hangs:
            self.hangs[name].wait(10)
        if self.fails_for.get(name):
            return _code(self.fails_for[name].pop()), None
        if name in self.fails:
            return _code(self.fails[name]), None
        if name not in ("SCardEstablishContext", "SCardReleaseContext") and not self.alive:
            return _code(ERRORS["SCARD_E_NO_SERVICE"]), None
        if name in ASKED_OF_A_CARD and arguments[0] in self.reset:
            return _code(ERRORS["SCARD_W_RESET_CARD"]), None
        return getattr(self, name)(*arguments)

    def SCardEstablishContext(self, scope: int) -> tuple[int, int]:
        if not self.alive:
            return _code(ERRORS["SCARD_E_NO_SERVICE"]), 0
        made = next(self.numbers)
        self.contexts.add(made)
        return 0, made

    def SCardReleaseContext(self, context: int) -> int:
        with self.changed:
            self.contexts.discard(context)
            self.changed.notify_all()
        return 0

    def SCardListReaders(self, context: int, groups: list[str]) -> tuple[int, list[str]]:
        if context not in self.contexts:
            return _code(ERRORS["SCARD_E_INVALID_HANDLE"]), []
        if not self.slots:
            return _code(ERRORS["SCARD_E_NO_READERS_AVAILABLE"]), []
        return 0, list(self.slots)

    def SCardGetStatusChange(
        self, context: int, milliseconds: int, asked: list[tuple[str, int]]
    ) -> tuple[int, list[State]]:
        with self.changed:
            news = self.changed.wait_for(lambda: self._news(asked), milliseconds / 1000)
            if not self.alive:
                return _code(ERRORS["SCARD_E_NO_SERVICE"]), []
            if any(name == self.hidden or name not in self.slots for name, _ in asked):
                self.slots.pop(self.hidden, None)
                return _code(ERRORS["SCARD_E_UNKNOWN_READER"]), []
            states = [self._state(name) for name, _ in asked]
            return 0 if news else _code(ERRORS["SCARD_E_TIMEOUT"]), states

    def _news(self, asked: list[tuple[str, int]]) -> bool:
        there = all(name in self.slots for name, _ in asked)
        if not self.alive or not there or not any(flags for _, flags in asked):
            return True
        return any(self._state(name)[1] & ~2 != flags for name, flags in asked)

    def _state(self, name: str) -> State:
        slot = self.slots[name]
        flags = slot.count << 16 | NUMBERS["SCARD_STATE_CHANGED"]
        if slot.card is None:
            return name, flags | NUMBERS["SCARD_STATE_EMPTY"], []
        flags |= NUMBERS["SCARD_STATE_PRESENT"]
        flags |= {0: 0, 1: NUMBERS["SCARD_STATE_EXCLUSIVE"], 2: NUMBERS["SCARD_STATE_INUSE"]}[
            slot.share
        ]
        if slot.powering:
            return name, flags, []
        return name, flags | (0 if slot.card else NUMBERS["SCARD_STATE_MUTE"]), list(slot.card)

    def SCardConnect(self, context: int, name: str, share: int, protocol: int) -> Any:
        slot = self.slots[name]
        if share != NUMBERS["SCARD_SHARE_DIRECT"]:
            if slot.card is None:
                return _code(ERRORS["SCARD_E_NO_SMARTCARD"]), 0, 0
            slot.powered |= not slot.kept_off
            if not slot.powered:
                return _code(ERRORS["SCARD_W_UNPOWERED_CARD"]), 0, 0
        self.connected[handle := next(self.numbers)] = name
        return 0, handle, 1

    def SCardStatus(self, handle: int) -> Any:
        slot = self.slots[self.connected[handle]]
        card = slot.card or b""
        contactless = interface_of(card).value == "contactless"
        state = PRESENT | POWERED * slot.powered
        return 0, self.connected[handle], state, 2 if contactless else 1, list(card)

    def SCardTransmit(self, handle: int, pci: int, command: list[int]) -> tuple[int, list[int]]:
        if not self.slots[self.connected[handle]].powered:
            return _code(ERRORS["SCARD_E_NOT_TRANSACTED"]), []
        self.sent.append(bytes(command))
        answer = self.uid if command[:2] == [0xFF, 0xCA] else OK
        return 0, list(answer)

    def SCardReconnect(self, handle: int, share: int, protocol: int, how: int) -> tuple[int, int]:
        slot = self.slots[name := self.connected[handle]]
        self.reset.discard(handle)
        if how == NUMBERS["SCARD_RESET_CARD"]:
            slot.powered, slot.kept_off = True, False
            self._tells_reset(name, but=handle)
        elif not slot.powered:
            slot.kept_off = True
        return 0, 1

    def SCardBeginTransaction(self, handle: int) -> int:
        return 0

    def SCardEndTransaction(self, handle: int, what: int) -> int:
        return 0

    def SCardDisconnect(self, handle: int, what: int) -> int:
        del self.connected[handle]
        return 0


FUNCTIONS = [name for name in vars(Service) if name.startswith("SCard")]


def _code(number: int) -> int:
    """As pyscard gives it: signed."""
    return number - (1 << 32) if number >> 31 else number


def installed(monkeypatch: pytest.MonkeyPatch) -> Service:
    """A service that takes the place of pyscard; nobody queues at its readers."""
    monkeypatch.setenv("PCSCLITE_CSOCK_NAME", "/dev/null/pcscd")
    service = Service()
    package, scard = ModuleType("smartcard"), ModuleType("smartcard.scard")
    package.scard = scard  # type: ignore[attr-defined]
    scard.resourceManager = "pcsclite"  # type: ignore[attr-defined]
    for name, number in {**ERRORS, **NUMBERS}.items():
        setattr(scard, name, _code(number))
    for name in FUNCTIONS:
        setattr(scard, name, lambda *given, name=name: service.ask(name, *given))
    monkeypatch.setitem(sys.modules, "smartcard", package)
    monkeypatch.setitem(sys.modules, "smartcard.scard", scard)
    return service
