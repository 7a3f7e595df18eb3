# SPDX-License-Identifier: Apache-2.0
"""What stands where in the flash: journal, master block, then object after object.

    0      journal (card_os.nvm)
    4608   MasterBlock
    4640   ObjectHead, header, body; ObjectHead, header, body; ...    up to MasterBlock.end

A file's header is the `FileHeader` that created it, a PIN's or key's is a `SecretHeader`. Heads
carry a checksum over what never changes; what changes (life, bodies) stands outside of it. The
master block changes rarely and has one over all of it.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, Self
from zlib import crc32

from apdu.wire.fields import choice, counted, raw, rest, uint, wire
from apdu.wire.perso import Algorithm, KeyUsage, Life
from apdu.wire.record import Record, record
from card_os.nvm import JOURNAL_SIZE

LAYOUT_VERSION: Final = 2
HISTORICAL: Final = 13
"""Historical bytes of the ATR."""


class Mark(IntEnum):
    """The first bytes of the master block: what kind of chip this is, and the layout's version."""

    CARD = int.from_bytes(b"SSC") << 8 | LAYOUT_VERSION
    """A holder's card."""
    PSAM = int.from_bytes(b"SAM") << 8 | LAYOUT_VERSION


@record
class MasterBlock(Record):
    """The chip as a whole: its state, where its objects end, its ATR. Always written whole."""

    mark: Mark = wire(choice(Mark, 4))
    life: Life = wire(choice(Life))
    end: int = wire(uint(4))
    historical: bytes = wire(raw(HISTORICAL))
    check: int = wire(uint(4))

    @classmethod
    def make(cls, life: Life, end: int, historical: bytes, mark: Mark = Mark.CARD) -> Self:
        """The block with its checksum."""
        check = crc32(bytes((life,)) + end.to_bytes(4) + historical)
        return cls(mark, life, end, historical, check)

    def then(self, life: Life, end: int) -> Self:
        """The block that takes the place of this one."""
        return self.make(life, end, self.historical, self.mark)


MASTER_AT: Final = JOURNAL_SIZE
OBJECTS_AT: Final = MASTER_AT + 32


class ObjectKind(IntEnum):
    FILE = 0xF1
    SECRET = 0x5C


@record
class ObjectHead(Record):
    """In front of every object: what it is, the number of the DF it belongs to, its lengths."""

    kind: ObjectKind = wire(choice(ObjectKind))
    owner: int = wire(uint(1))
    header: int = wire(uint(2))
    body: int = wire(uint(2))
    check: int = wire(uint(4))
    life: Life = wire(choice(Life))


HEAD: Final = 11


def object_check(kind: int, owner: int, header: bytes, body: int) -> int:
    """The checksum over all of an object that never changes."""
    return crc32(bytes((kind, owner)) + body.to_bytes(2) + header)


@record
class SecretHeader(Record):
    """A key or PIN: reference, usage, version, algorithm, tries; a PIN also its first value.

    `scope` is the PSAM usage byte of a master key, 00 for everything else.
    """

    reference: int = wire(uint(1))
    usage: KeyUsage = wire(choice(KeyUsage))
    version: int = wire(uint(1))
    algorithm: Algorithm = wire(choice(Algorithm))
    limit: int = wire(uint(1))
    scope: int = wire(uint(1), default=0)
    initial: bytes = wire(counted(rest()), default=b"", secret=True)
