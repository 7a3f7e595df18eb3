# SPDX-License-Identifier: Apache-2.0
"""Which commands can be sent again when a card lost its state: the one table of that.

They read and select, so that sent twice they are as sent once. It is asked before every command
that goes to a card, so these are codes, not forms; `apdu.wire.effects` says of all commands what
they do.
"""

from __future__ import annotations

from typing import Final

SELECT: Final = 0xA4
READ_BINARY: Final = 0xB0
READ_RECORD: Final = 0xB2
GET_RESPONSE: Final = 0xC0
_GET_DATA: Final = 0xCA

_CODES: Final = frozenset(
    bytes(code)
    for code in (
        (0x00, SELECT),
        (0x00, READ_BINARY),
        (0x00, READ_RECORD),
        (0x00, GET_RESPONSE),
        (0x00, _GET_DATA),
        (0x80, _GET_DATA),  # as PBOC has it
    )
)
"""Class and instruction, without secure messaging, on the basic channel."""
_MOVING: Final = {SELECT: (0b11, (2, 3)), READ_RECORD: (0b111, (2, 3))}
"""Where P2 says next or previous (ISO 7816-4 tables 40 and 49): a second one goes further."""


def repeatable(command: bytes) -> bool:
    """Whether a C-APDU, 4 bytes or more, may be sent again: it proves, draws and changes nothing.

    A GET RESPONSE may be, together with the command that it belongs to.
    """
    if command[:2] not in _CODES:
        return False
    mask, moving = _MOVING.get(command[1], (0, ()))
    return command[3] & mask not in moving


def of_current_file(command: bytes) -> bool:
    """Whether a repeatable command reads the current EF, whichever that is."""
    if command[1] == READ_BINARY:
        return not command[2] & 0x80
    return command[1] == READ_RECORD and not command[3] >> 3


def makes_current(command: bytes) -> bool:
    """Whether a repeatable command makes an EF current by reading it by its SFI."""
    return command[1] in (READ_BINARY, READ_RECORD) and not of_current_file(command)
