# SPDX-License-Identifier: Apache-2.0
"""Answer to reset (ISO 7816-3 8.2): read and build. `apdu.wire.reset` declares the same format."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import reduce
from operator import xor
from typing import Self

from apdu.errors import FormatError

MAX_LENGTH = 33
"""TS and at most 32 characters."""
_CONTACTLESS_MAX = 20
"""TS, T0, TD1, TD2, 15 historical bytes, TCK."""


class Interface(Enum):
    """How a card gets power and commands."""

    CONTACT = "contact"
    """ISO 7816-3."""
    CONTACTLESS = "contactless"
    """ISO 14443. What PC/SC shows for an ATR then is made by the reader (`contactless_atr`)."""


class Transmission(Enum):
    """The transmission protocol of a card in a slot (ISO 7816-3). The numbers are those of TD."""

    T0 = 0
    """Characters: a command has data or Le, not both, and a long reply waits behind 61xx."""
    T1 = 1
    """Blocks: a command may have data and Le."""


@dataclass(frozen=True, slots=True)
class InterfaceBytes:
    """TAi, TBi, TCi, each None when absent, and the protocol in TDi, which opens the next group."""

    ta: int | None = None
    tb: int | None = None
    tc: int | None = None
    protocol: int | None = None


@dataclass(frozen=True, slots=True)
class Atr:
    """An answer to reset. `groups[0]` belongs to T0; each TD that follows opens another."""

    historical: bytes
    groups: tuple[InterfaceBytes, ...] = (InterfaceBytes(),)
    inverse: bool = False

    @property
    def protocols(self) -> tuple[int, ...]:
        """The transmission protocols offered, first choice first; T=15 is none."""
        named = [group.protocol for group in self.groups if group.protocol is not None]
        offered = dict.fromkeys(protocol for protocol in named if protocol != 15)
        return tuple(offered) or (0,)

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """The value of a whole ATR, check character included, or FormatError."""
        if not raw:
            raise FormatError("ATR: empty")
        if raw[0] not in (0x3B, 0x3F):
            raise FormatError(f"ATR: TS is {raw[0]:02X}, must be 3B or 3F")
        if len(raw) > MAX_LENGTH:
            raise FormatError(f"ATR: {len(raw)} bytes, {MAX_LENGTH} at most")
        if len(raw) < 2:
            raise FormatError("ATR: T0 is missing")
        at, indicator, count = 2, raw[1] >> 4, raw[1] & 0x0F
        groups: list[InterfaceBytes] = []
        checked = False
        while True:
            present = [at + (indicator & (1 << bit) - 1).bit_count() for bit in range(4)]
            end = at + indicator.bit_count()
            if end > len(raw):
                raise FormatError(f"ATR: interface bytes of group {len(groups) + 1} are missing")
            ta, tb, tc, td = (
                raw[where] if indicator >> bit & 1 else None for bit, where in enumerate(present)
            )
            protocol = None if td is None else td & 0x0F
            groups.append(InterfaceBytes(ta, tb, tc, protocol))
            at = end
            if td is None:
                break
            checked = checked or protocol != 0
            indicator = td >> 4
        if len(raw) != at + count + checked:
            raise FormatError(
                f"ATR: {count} historical bytes{' and TCK' if checked else ''} announced, "
                f"{len(raw) - at} bytes follow"
            )
        if checked and reduce(xor, raw[1:]):
            raise FormatError("ATR: the check character TCK is wrong")
        return cls(raw[at : at + count], tuple(groups), raw[0] == 0x3F)

    def __bytes__(self) -> bytes:
        if len(self.historical) > 15:
            raise FormatError(f"ATR: {len(self.historical)} historical bytes, 15 at most")
        announced = [group.protocol is not None for group in self.groups]
        if announced != [True] * (len(announced) - 1) + [False]:
            raise FormatError("ATR: every group but the last must name a protocol")
        body = bytearray()
        low = len(self.historical)
        for group in self.groups:
            values = (group.ta, group.tb, group.tc)
            more = group.protocol is not None
            if any(value is not None and not 0 <= value <= 0xFF for value in values):
                raise FormatError("ATR: an interface byte is not one byte")
            if more and not 0 <= (group.protocol or 0) <= 15:
                raise FormatError("ATR: a protocol is not 0 to 15")
            bits = sum(1 << at for at, value in enumerate(values) if value is not None) | more << 3
            body.append(bits << 4 | low)
            body += bytes(value for value in values if value is not None)
            low = group.protocol or 0
        body += self.historical
        if any(group.protocol for group in self.groups):
            body.append(reduce(xor, body))
        raw = bytes((0x3F if self.inverse else 0x3B,)) + bytes(body)
        if len(raw) > MAX_LENGTH:
            raise FormatError(f"ATR: {len(raw)} bytes, {MAX_LENGTH} at most")
        return raw


def contact_atr(historical: bytes, transmission: Transmission) -> bytes:
    """The ATR of a card in a slot from its historical bytes, 15 at most: no programming voltage, no
    extra guard time; under T=1 also information fields of 254 bytes and waiting times BWI 4, CWI 5
    (EMV Book 1 8.3, the basic ATRs). Raises FormatError for more."""
    if transmission is Transmission.T0:
        return bytes(Atr(historical, (InterfaceBytes(tb=0, tc=0),)))
    first = InterfaceBytes(tb=0, tc=0, protocol=1)
    return bytes(
        Atr(historical, (first, InterfaceBytes(protocol=1), InterfaceBytes(ta=0xFE, tb=0x45)))
    )


def contactless_atr(historical: bytes) -> bytes:
    """The ATR that a PC/SC reader makes for a card of ISO 14443 from the historical bytes of its
    ATS, 15 at most (PC/SC part 3, 3.1.3.2.3.1). Raises FormatError for more."""
    return bytes(
        Atr(historical, (InterfaceBytes(protocol=0), InterfaceBytes(protocol=1), InterfaceBytes()))
    )


def interface_of(atr: bytes) -> Interface:
    """How a card is reached, by the ATR that a PC/SC reader gives; CONTACT also for what is none.

    A card in a slot could have such an ATR too, but none is known: it names T=0 and T=1 and no
    parameter of either.
    """
    of_ats = len(atr) <= _CONTACTLESS_MAX and atr == contactless_atr(atr[4:-1])
    return Interface.CONTACTLESS if of_ats else Interface.CONTACT
