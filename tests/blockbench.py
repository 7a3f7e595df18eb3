# SPDX-License-Identifier: Apache-2.0
"""Blocking on an issued card: the commands in one line, and what each directory then says."""

from __future__ import annotations

import pytest
from keybench import Desk
from testbench import command, select_df, select_name, sw

from apdu.wire.hrss.application import RID
from apdu.wire.hrss.commands import (
    APPLICATION_BLOCK,
    APPLICATION_UNBLOCK,
    CARD_BLOCK,
    BlockKind,
    BlockRef,
)
from card_os.chip import Chip

KEY_OF = {"DF03": "LKDF03", "DF04": "LKDF04", "DF05": "STKDF05", "DF06": "STKDF06"} | {
    "DF07": "STKDF07"
}
"""The directories that can be blocked, and the key of each."""
NEVER_BLOCKED = {"SSSE": "STK", "DF01": "STKDF01", "DF02": "STKDF02"}
"""Those that cannot, and what protects commands in them."""
FIDS = {"SSSE": 0xDDF1} | {f"DF0{n}": 0xDF00 | n for n in range(1, 8)}
AIDS = {"DF03": 2, "DF04": 3, "DF05": 5, "DF06": 6, "DF07": 4}

OPEN, BLOCKED, ENDED = 0x9000, 0x6283, 0x9303
"""What SELECT of a directory answers."""
BLOCK = command(APPLICATION_BLOCK, BlockRef(BlockKind.TEMPORARY))
END = command(APPLICATION_BLOCK, BlockRef(BlockKind.PERMANENT))
UNBLOCK = command(APPLICATION_UNBLOCK)
END_CARD = command(CARD_BLOCK)
MESSAGES = {"block": BLOCK, "end": END, "unblock": UNBLOCK}
LEADS_TO = {"block": BLOCKED, "end": ENDED, "unblock": OPEN}

every_place = pytest.mark.parametrize("place", KEY_OF)
every_message = pytest.mark.parametrize("what", MESSAGES)


def do(desk: Desk, what: str, key: str = "") -> int:
    """Send one of the three in the desk's current directory, under its key or another."""
    return desk.send(desk.protect(MESSAGES[what], key or KEY_OF[desk.directory.label]))


def blocked(place: str, kind: str = "block", desk: Desk | None = None) -> Desk:
    """A desk in a directory that has been blocked."""
    desk = desk or Desk()
    desk.go(place)
    assert 0x9000 == do(desk, kind)
    return desk


def selects(chip: Chip, place: str) -> set[int]:
    """What selecting a directory answers, in every way. Leaves it, or SSSE, current."""
    chip.transmit(select_df(FIDS["SSSE"]))
    fid = FIDS[place].to_bytes(2)
    ways = [
        select_df(FIDS[place]),
        bytes.fromhex("00A4010002") + fid + b"\0",
        bytes.fromhex("00A4080004DDF1") + fid + b"\0",
        select_name(RID + bytes((AIDS[place],))),
    ]
    found = set()
    for way in ways:
        chip.transmit(select_df(FIDS["SSSE"]))
        found.add(sw(chip.transmit(way)))
    return found


def states(chip: Chip) -> dict[str, int]:
    """What all directories that can be blocked answer when they are selected."""
    chip.transmit(select_name("sx1.sh.社会保障".encode("gb18030")))
    return {place: sw(chip.transmit(select_df(FIDS[place]))) for place in KEY_OF}
