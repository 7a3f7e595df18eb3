# SPDX-License-Identifier: Apache-2.0
"""A process that works on a card image, reports each answered command, and is killed meanwhile.

python -m imageworker IMAGE                work until somebody kills it, reports on stdout
python -m imageworker IMAGE WRITE...       for each number a copy of the image and a process,
                                           which kills itself in the middle of that write;
                                           reports in IMAGE.<number>.answered
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from testbench import SELECT_HRSS, boot, change_pin, command, send_all, verify

from apdu.wire.iso7816 import UPDATE_BINARY, SfiOffset
from card_os.image import ImageFlash

INITIAL, PINS = "123456", ("11111111", "2222222")


class Operation(NamedTuple):
    """A command, and what the card holds once it has been done."""

    command: bytes
    counter: int
    pin: str
    uses_pin: bool


def operations() -> Iterator[Operation]:
    """Verify, then over and over: count, change the PIN, verify it."""
    counter, pin = 0, INITIAL
    yield Operation(verify(pin), counter, pin, True)
    while True:
        counter += 1
        update = command(UPDATE_BINARY, SfiOffset(1), counter.to_bytes(4))
        yield Operation(update, counter, pin, False)
        old, pin = pin, PINS[counter % 2]
        yield Operation(change_pin(old, pin), counter, pin, True)
        yield Operation(verify(pin), counter, pin, True)


def work(image: Path, report: int, die_at: int | None = None) -> None:
    """Do the operations one by one; a byte goes to `report` as soon as one is answered."""
    flash = ImageFlash(image)
    writes = 0

    def before_write(at: int, data: bytes) -> None:
        nonlocal writes
        if writes == die_at:
            half = (len(data) + 1) // 2
            flash.cells[at : at + half] = data[:half]
            os.kill(os.getpid(), signal.SIGKILL)
        writes += 1

    flash.before_write = before_write  # type: ignore[method-assign]
    chip = boot(flash)
    send_all(chip, [SELECT_HRSS])
    for operation in operations():
        if chip.transmit(operation.command) != b"\x90\x00":
            raise AssertionError(f"{operation} was refused")
        os.write(report, b".")


def main(image: str, *points: str) -> None:
    if not points:
        work(Path(image), sys.stdout.fileno())
    for point in map(int, points):
        copy = Path(f"{image}.{point}")
        shutil.copyfile(image, copy)
        child = os.fork()
        if not child:
            report = os.open(f"{copy}.answered", os.O_CREAT | os.O_WRONLY, 0o600)
            work(copy, report, point)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
