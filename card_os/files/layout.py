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

from apdu.wire.fields import choice, const, counted, fixed, raw, rest, uint, wire
from apdu.wire.perso import Algorithm, KeyUsage, Life
from apdu.wire.record import Record, record
from card_os.nvm import JOURNAL_SIZE

LAYOUT_VERSION: Final = 2
HISTORICAL: Final = 13
"""Historical bytes of the ATR."""


@record
class MasterBlock(Record):
    """The chip as a whole: its state, where its objects end, its ATR. Always written whole."""

    mark: bytes = fixed(const(b"SSC" + bytes((LAYOUT_VERSION,))))
    life: Life = wire(choice(Life))
    end: int = wire(uint(4))
    historical: bytes = wire(raw(HISTORICAL))
    check: int = wire(uint(4))

    @classmethod
    def make(cls, life: Life, end: int, historical: bytes) -> Self:
        """The block with its checksum."""
        return cls(life, end, historical, crc32(bytes((life,)) + end.to_bytes(4) + historical))


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
