# SPDX-License-Identifier: Apache-2.0
"""A holder to verify: people at a PIN pad, a card with a PIN, and the list that the card has."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from odacards import PAN, order
from terminalfiles import shipped

from apdu.crypto.pinblock import build_iso_2
from apdu.wire.pboc import tags
from apdu.wire.pboc.flags import Aip, TerminalCapabilities, Tsi, Tvr
from host.faults import NotFound, PinWrong
from host.terminal.kernel import cardholder
from host.terminal.kernel.config import TerminalConfig
from host.terminal.kernel.pin_entry import DocumentKind, PinPad
from host.terminal.kernel.terminal_data import terminal_data
from host.terminal.kernel.transaction import Order, Transaction

PIN = "1234"
NEXT = 0x40
ALL = (
    TerminalCapabilities.PLAINTEXT_PIN
    | TerminalCapabilities.ONLINE_PIN
    | TerminalCapabilities.SIGNATURE
    | TerminalCapabilities.NO_CVM
    | TerminalCapabilities.HOLDER_DOCUMENT
)


@dataclass
class People:
    """At the terminal: they type what they are given, one after the other."""

    pins: list[str | None] = field(default_factory=lambda: [PIN] * 20)
    shows: bool = True
    asked: list[Any] = field(default_factory=list)

    def offline_pin(self, tries_left: int | None) -> str | None:
        self.asked.append(("offline", tries_left))
        return self.pins.pop(0)

    def online_pin(self) -> str | None:
        self.asked.append("online")
        return self.pins.pop(0)

    def document(self, kind: DocumentKind, number: str) -> bool:
        self.asked.append((kind, number))
        return self.shows


@dataclass
class PinCard:
    """A card with a PIN and tries; or it answers what it is told to."""

    pin: str = PIN
    tries: int | None = 3
    replies: list[Exception] = field(default_factory=list)
    blocks: list[bytes] = field(default_factory=list)

    def data(self, tag: int) -> bytes:
        assert tags.PIN_TRIES == tag
        if self.tries is None:
            raise NotFound(0x6A88, "GET DATA")
        return bytes((self.tries,))

    def verify(self, block: bytes) -> None:
        self.blocks.append(block)
        if self.replies:
            raise self.replies.pop(0)
        if block != build_iso_2(self.pin):
            assert self.tries is not None
            self.tries -= 1
            raise PinWrong(0x63C0 + self.tries, "VERIFY")


def encipher(block: bytes) -> bytes:
    """Stands for a cipher: nothing of the block can be seen in it."""
    return bytes(255 - each for each in reversed(block))


def cvm_list(*rules: tuple[int, int], x: int = 0, y: int = 0) -> bytes:
    return x.to_bytes(4) + y.to_bytes(4) + b"".join(map(bytes, rules))


def terminal(capabilities: int = int(ALL), **more: Any) -> TerminalConfig:
    return replace(shipped(), capabilities=capabilities, **more)


def begun(value: bytes | None, ordered: Order | None = None, **card: bytes) -> Transaction:
    given = ordered or order()
    found = Transaction(given, terminal_data(shipped(), given), aip=Aip.CARDHOLDER_VERIFICATION)
    found.card |= {tags.PAN: bytes.fromhex(PAN), tags.CURRENCY_CODE: bytes.fromhex("0156")}
    if value is not None:
        found.card[tags.CVM_LIST] = value
    return found


def verified(
    *rules: tuple[int, int],
    config: TerminalConfig | None = None,
    card: PinCard | None = None,
    people: People | None = None,
    pad: bool = True,
    ordered: Order | None = None,
    elements: Iterable[tuple[int, bytes]] = (),
    x: int = 0,
    y: int = 0,
) -> Transaction:
    """A transaction whose holder was verified by these rules."""
    found = begun(cvm_list(*rules, x=x, y=y), ordered)
    found.card.update(elements)
    entry = PinPad(people or People(), encipher) if pad else None
    cardholder.verify(found, config or terminal(), card or PinCard(), entry)
    assert found.cvm_results == found.terminal[tags.CVM_RESULTS]
    return found


def told(transaction: Transaction) -> tuple[str, Tvr, Tsi]:
    return transaction.cvm_results.hex().upper(), transaction.tvr, transaction.tsi


DONE = Tsi.CARDHOLDER_VERIFIED
LOST = Tvr.CARDHOLDER_VERIFICATION_FAILED
DOCUMENT = ((tags.DOCUMENT_TYPE, b"\x00"), (tags.DOCUMENT_NUMBER, b"110101198606200010"))
