# SPDX-License-Identifier: Apache-2.0
"""The data groups in memory: each is a file of the application's own, with its number as FID.

Nobody reads or writes these files by their conditions; the handlers of the application do. A group
keeps the room that it was given first.
"""

from __future__ import annotations

from typing import Final

from apdu.errors import StatusError
from apdu.sw import SW
from apdu.wire.access import NEVER
from apdu.wire.fields import uint, wire
from apdu.wire.pboc.groups import record_place
from apdu.wire.perso import FileHeader, FileKind
from apdu.wire.record import Record, record
from card_os.dispatch import Context
from card_os.files.records import ElementaryFile
from card_os.files.tree import Directory


@record
class GroupHead(Record):
    """In front of a group: how many bytes of its room it takes."""

    length: int = wire(uint(2))


HEAD: Final = 2


def read_group(directory: Directory, number: int) -> bytes | None:
    """What a group holds, None when the card has none of this number."""
    file = directory.by_fid.get(number)
    if file is None:
        return None
    length = GroupHead.parse(file.read_binary(0, HEAD)).length
    return file.read_binary(HEAD, length) if length else b""


def add_group(ctx: Context, directory: Directory, number: int, value: bytes) -> None:
    """Keep a group, in its first room or, when there is one of this number, in that.

    Raises StatusError 6A84 when there is no room, 6A80 for a number that no file may have.
    """
    if number not in directory.by_fid:
        size = HEAD + len(value)
        ctx.tree.add_file(
            directory, FileHeader(FileKind.TRANSPARENT, number, NEVER, NEVER, size=size)
        )
    write_group(directory.by_fid[number], value)
    directory.made = None


def write_group(file: ElementaryFile, value: bytes) -> None:
    """Replace what is in a group; inside a block with the rest of it. StatusError 6A84 when it has
    more bytes than the group has room."""
    if HEAD + len(value) > file.header.size:
        text = "group {group:04X} has room for {room} bytes, these are {length}"
        facts = {"group": file.header.fid, "room": file.header.size - HEAD, "length": len(value)}
        raise StatusError(SW.NO_SPACE, text, **facts)
    file.update_binary(0, bytes(GroupHead(len(value))) + value)


def read_record(directory: Directory, sfi: int, number: int) -> bytes:
    """A record, or StatusError 6A82 when there is no such file, 6A83 when it has none such."""
    group = sfi << 8 | number
    found = read_group(directory, group) if record_place(group) else None
    if found is not None:
        return found
    places = map(record_place, directory.by_fid)
    known = any(place and place.sfi == sfi for place in places)
    text = "there is no record {number} in SFI {sfi:02X}" if known else "there is no SFI {sfi:02X}"
    sw = SW.RECORD_NOT_FOUND if known else SW.FILE_NOT_FOUND
    raise StatusError(sw, text, sfi=sfi, number=number)
