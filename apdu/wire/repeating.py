# SPDX-License-Identifier: Apache-2.0
"""Which commands can be sent again when a card lost its state: the one table of that.

They read and select, so that sent twice they are as sent once. It is asked before every command
that goes to a card, so these are codes, not forms; `apdu.wire.effects` says of all commands what
they do.
"""

from __future__ import annotations

from enum import Enum, auto
from functools import lru_cache
from typing import Final

SELECT: Final = 0xA4
_READ_BINARY: Final = 0xB0
_READ_RECORD: Final = 0xB2
_GET_RESPONSE: Final = 0xC0
_GET_DATA: Final = 0xCA

_CODES: Final = frozenset(
    bytes(code)
    for code in (
        (0x00, SELECT),
        (0x00, _READ_BINARY),
        (0x00, _READ_RECORD),
        (0x00, _GET_RESPONSE),
        (0x00, _GET_DATA),
        (0x80, _GET_DATA),  # as PBOC has it
    )
)
"""Class and instruction, without secure messaging, on the basic channel."""
_MOVING: Final = {SELECT: 0b11, _READ_RECORD: 0b111}
"""Where P2 says 2, next, or 3, previous (ISO 7816-4 tables 40, 49): a second one goes further."""


class Again(Enum):
    """What sending a command again takes."""

    NEVER = auto()
    """It may prove, draw or change something."""
    ANYWHERE = auto()
    """The application that was selected, if any."""
    OWN_FILE = auto()
    """The same; it names a file by SFI, which then is the current one."""
    CURRENT_FILE = auto()
    """The file that was current."""
    SELECTION = auto()
    """What was selected before: it may be relative to that."""
    CONTINUED = auto()
    """The command whose answer it goes on with."""


@lru_cache(maxsize=1024)
def again(header: bytes) -> Again:
    """What it takes to send a command with these four bytes, CLA to P2, again."""
    ins, p2 = header[1], header[3]
    if header[:2] not in _CODES or p2 & _MOVING.get(ins, 0) in (2, 3):
        return Again.NEVER
    if ins == SELECT:
        return Again.SELECTION
    if ins == _GET_RESPONSE:
        return Again.CONTINUED
    if ins == _READ_BINARY:
        return Again.OWN_FILE if header[2] & 0x80 else Again.CURRENT_FILE
    if ins == _READ_RECORD:
        return Again.OWN_FILE if p2 >> 3 else Again.CURRENT_FILE
    return Again.ANYWHERE
