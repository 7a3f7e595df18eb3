# SPDX-License-Identifier: Apache-2.0
"""A card whose PINs are tried: what guards what, and who looks at the comparison."""

from __future__ import annotations

import hmac
from collections.abc import Callable

import pytest
from powercuts import TornFlash
from testbench import (
    SELECT_HRSS,
    SELECT_MF,
    blank,
    boot,
    command,
    send_all,
    sw,
    tries,
)

from apdu.wire.access import ALWAYS, NEVER, Pin
from apdu.wire.codes import pin_bytes
from apdu.wire.hrss.application import RID, SSSE_NAME
from apdu.wire.iso7816 import READ_BINARY, SfiOffset
from apdu.wire.perso import (
    ACTIVATE_FILE,
    CREATE_FILE,
    WRITE_KEY,
    Algorithm,
    FileHeader,
    FileKind,
    KeyBlock,
    KeyRef,
    KeyUsage,
)
from card_os.chip import Chip
from card_os.nvm import Flash

PIN, WRONG, NEW = "123456", "000000", "87654321"
GUARDED = command(READ_BINARY, SfiOffset(1))
LOCAL = 0x81
"""Reference of the PIN of a DF below the application, which has the same value."""


def card_with_pin(limit: int = 6, flash: Flash | None = None, pin: str = PIN) -> Chip:
    """A sealed chip whose HRSS application has this PIN, a local one, and a file behind each."""
    chip = blank(flash)
    block = KeyBlock(KeyUsage.PIN, 0, Algorithm.NONE, limit, pin_bytes(pin))
    ssse = FileHeader(FileKind.DF, 0xDDF1, NEVER, NEVER, name=SSSE_NAME)
    df01 = FileHeader(FileKind.DF, 0xDF01, NEVER, NEVER, name=RID + b"\0")
    file = FileHeader(FileKind.TRANSPARENT, 0xEF01, Pin(0), NEVER, 1, 8)
    inner = FileHeader(FileKind.TRANSPARENT, 0xEF02, Pin(LOCAL), ALWAYS, 2, 8)
    steps = [
        command(CREATE_FILE, None, ssse),
        command(WRITE_KEY, KeyRef(0), block),
        command(CREATE_FILE, None, file),
        command(CREATE_FILE, None, df01),
        command(WRITE_KEY, KeyRef(LOCAL), block),
        command(CREATE_FILE, None, inner),
        SELECT_MF,
        command(ACTIVATE_FILE),
        SELECT_HRSS,
    ]
    send_all(chip, steps)
    return chip


def left(chip: Chip, reference: int = 0) -> int:
    """The tries left, as the chip tells them without a cost while the PIN is not proven."""
    answer = sw(chip.transmit(tries(reference)))
    return 0 if answer == 0x6983 else answer - 0x63C0


def after_a_power_cut(flash: TornFlash) -> tuple[int, bool]:
    """The tries that are left if the power goes now, and whether that is certain."""
    other = boot(Flash(bytearray(flash.cells)))
    send_all(other, [SELECT_HRSS])
    return left(other), flash.all_synced


def opens(chip: Chip) -> bool:
    return sw(chip.transmit(GUARDED)) == 0x9000


def spy_on_comparison(
    monkeypatch: pytest.MonkeyPatch, see: Callable[[], object]
) -> list[tuple[object, bool]]:
    """What `see` gives at each comparison of a PIN, and how the comparison comes out."""
    seen: list[tuple[object, bool]] = []

    def compare(stored: bytes, attempt: bytes) -> bool:
        same = hmac.compare_digest(stored, attempt)
        seen.append((see(), same))
        return same

    monkeypatch.setattr("card_os.secrets.pins.compare_digest", compare)
    return seen
