# SPDX-License-Identifier: Apache-2.0
"""Command and response APDUs (ISO 7816-4 5.1-5.2): the only decoder of Lc and Le.

`decode` and `encode` are the bare functions that run for every APDU; the two classes are for
people. `apdu.wire.envelope` declares the same format, and a test holds them to each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from apdu.errors import FormatError
from apdu.secret import MASK, brings_secret

SHORT_NE, EXTENDED_NE = 256, 65_536
"""What Le = 00 and Le = 0000 ask for: all there is, up to so many bytes."""


def decode(raw: bytes) -> tuple[int, int, int, bytes, int]:
    """CLA, INS, P1-P2, data and Ne (0 = absent) of a C-APDU, or FormatError."""
    n = len(raw)
    if n < 4:
        raise FormatError(f"C-APDU: {n} bytes, a header has 4")
    p1p2 = raw[2] << 8 | raw[3]
    if n == 4:
        return raw[0], raw[1], p1p2, b"", 0
    p3 = raw[4]
    if n == 5:
        return raw[0], raw[1], p1p2, b"", p3 or SHORT_NE
    if p3:
        if n == 5 + p3:
            return raw[0], raw[1], p1p2, raw[5:], 0
        if n == 6 + p3:
            return raw[0], raw[1], p1p2, raw[5:-1], raw[-1] or SHORT_NE
        raise FormatError(f"C-APDU: Lc is {p3} but {n - 5} bytes follow it")
    if n == 6:
        raise FormatError("C-APDU: an extended length needs two bytes, one follows")
    long = raw[5] << 8 | raw[6]
    if n == 7:
        return raw[0], raw[1], p1p2, b"", long or EXTENDED_NE
    if long and n == 7 + long:
        return raw[0], raw[1], p1p2, raw[7:], 0
    if long and n == 9 + long:
        return raw[0], raw[1], p1p2, raw[7:-2], raw[-2] << 8 | raw[-1] or EXTENDED_NE
    raise FormatError(f"C-APDU: extended Lc is {long} but {n - 7} bytes follow it")


def encode(
    cla: int, ins: int, p1p2: int, data: bytes = b"", ne: int = 0, extended: bool = False
) -> bytes:
    """The C-APDU of these parts, in short form unless a length or `extended` asks for more."""
    head = bytes((cla, ins)) + p1p2.to_bytes(2)
    lc = len(data)
    if not (extended or lc > 255 or ne > SHORT_NE):
        body = bytes((lc,)) + data if lc else b""
        return head + body + bytes((ne & 0xFF,)) if ne else head + body
    if lc > 0xFFFF or ne > EXTENDED_NE:
        raise FormatError(f"C-APDU: {lc} data bytes and Ne {ne} exceed 65535 and 65536")
    le = (ne & 0xFFFF).to_bytes(2) if ne else b""
    if lc:
        return head + b"\0" + lc.to_bytes(2) + data + le
    return head + b"\0" + le if ne else head


@dataclass(frozen=True, slots=True)
class CommandAPDU:
    """A command. `ne` is the length expected: 0 absent, 256 and 65536 themselves."""

    cla: int
    ins: int
    p1: int = 0
    p2: int = 0
    data: bytes = b""
    ne: int = 0
    extended: bool = False
    """Lengths are written in extended form even where the short form would do."""

    def __post_init__(self) -> None:
        for name in ("cla", "ins", "p1", "p2"):
            if not 0 <= getattr(self, name) <= 0xFF:
                raise FormatError(f"C-APDU: {name.upper()} is not one byte")
        if not 0 <= self.ne <= EXTENDED_NE:
            raise FormatError(f"C-APDU: Ne {self.ne} is not 0 to {EXTENDED_NE}")
        if len(self.data) > 0xFFFF:
            raise FormatError(f"C-APDU: {len(self.data)} data bytes, 65535 at most")
        # Normal form, so that values compare as their bytes do.
        lengths = bool(self.data) or self.ne > 0
        needed = len(self.data) > 255 or self.ne > SHORT_NE
        object.__setattr__(self, "extended", lengths and (self.extended or needed))

    def __repr__(self) -> str:
        hidden = self.data and brings_secret(self.cla, self.ins)
        data = MASK if hidden else self.data.hex().upper()
        head = f"{self.cla:02X}{self.ins:02X}{self.p1:02X}{self.p2:02X}"
        return f"CommandAPDU({head}, data={data or None}, ne={self.ne})"

    def __reduce__(self) -> tuple[Any, ...]:
        if self.data and brings_secret(self.cla, self.ins):
            raise TypeError("a secret is not to be copied or stored")
        return type(self), (self.cla, self.ins, self.p1, self.p2, self.data, self.ne, self.extended)

    @property
    def case(self) -> int:
        """1 neither data nor Le, 2 Le, 3 data, 4 both."""
        return 1 + (self.ne > 0) + 2 * bool(self.data)

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        cla, ins, p1p2, data, ne = decode(raw)
        return cls(cla, ins, p1p2 >> 8, p1p2 & 0xFF, data, ne, len(raw) > 5 and not raw[4])

    def __bytes__(self) -> bytes:
        p1p2 = self.p1 << 8 | self.p2
        return encode(self.cla, self.ins, p1p2, self.data, self.ne, self.extended)


@dataclass(frozen=True, slots=True)
class ResponseAPDU:
    """An answer: data, and the status word at the end."""

    data: bytes
    sw: int

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        if len(raw) < 2:
            raise FormatError(f"R-APDU: {len(raw)} bytes, a status word has 2")
        return cls(raw[:-2], raw[-2] << 8 | raw[-1])

    def __bytes__(self) -> bytes:
        return self.data + self.sw.to_bytes(2)
