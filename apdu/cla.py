# SPDX-License-Identifier: Apache-2.0
"""The class byte (ISO 7816-4 5.4.1): the only place that takes its bits apart."""

from __future__ import annotations

from typing import NamedTuple

from apdu.errors import FormatError
from apdu.wire.fields import bit_const, bits, fixed, wire
from apdu.wire.record import BitRecord, record

CHAINING = 0x10
"""The bit of an interindustry class that says: more parts follow."""


@record
class FirstInterindustry(BitRecord):
    """000x xxxx: channels 0 to 3, secure messaging in two bits (table 2)."""

    kind: int = fixed(bit_const(0, 3))
    chaining: int = wire(bits(1), default=0)
    messaging: int = wire(bits(2), default=0)
    low_channel: int = wire(bits(2), default=0)

    @property
    def channel(self) -> int:
        return self.low_channel


@record
class FurtherInterindustry(BitRecord):
    """01xx xxxx: channels 4 to 19, secure messaging in one bit (table 3)."""

    kind: int = fixed(bit_const(1, 2))
    messaging: int = wire(bits(1), default=0)
    chaining: int = wire(bits(1), default=0)
    low_channel: int = wire(bits(4), default=0)

    @property
    def channel(self) -> int:
        return self.low_channel + 4


@record
class Proprietary(BitRecord):
    """1xxx xxxx: proprietary. PBOC and LD/T 32 set b3 for secure messaging and use no channels."""

    kind: int = fixed(bit_const(1, 1))
    family: int = wire(bits(3), default=0)
    high: int = wire(bits(1), default=0)
    messaging: int = wire(bits(1), default=0)
    low_channel: int = wire(bits(2), default=0)

    @property
    def channel(self) -> int:
        return self.low_channel

    @property
    def chaining(self) -> int:
        return 0


class ClassByte(NamedTuple):
    """What a class byte says."""

    proprietary: bool
    channel: int
    chaining: bool
    messaging: int
    """0 none; else the secure messaging bits as they stand."""
    base: int
    """The class byte without its channel, chaining and messaging bits: 00 or 8x to Fx."""


def parse(cla: int) -> ClassByte:
    """Take a class byte apart, or FormatError for FF and for the reserved 001x xxxx."""
    if cla == 0xFF:
        raise FormatError("CLA: FF is invalid")
    for shape in (FirstInterindustry, FurtherInterindustry, Proprietary):
        try:
            found = shape.of(cla)
        except FormatError:
            continue
        proprietary = shape is Proprietary
        return ClassByte(
            proprietary,
            found.channel,
            bool(found.chaining),
            found.messaging,
            cla & 0xF8 if proprietary else 0x00,
        )
    raise FormatError(f"CLA: {cla:02X} is reserved")


def build(channel: int = 0, *, chaining: bool = False, messaging: int = 0) -> int:
    """The interindustry class byte for a channel 0 to 19, or FormatError."""
    if channel < 4:
        return int(FirstInterindustry(int(chaining), messaging, channel))
    return int(FurtherInterindustry(messaging, int(chaining), channel - 4))


def channel_only(cla: int) -> int:
    """The plain interindustry class byte on the channel of `cla`: that of a GET RESPONSE to it."""
    return cla & 0x4F if cla >> 6 == 0b01 else cla & 0x03
