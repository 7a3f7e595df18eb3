# SPDX-License-Identifier: Apache-2.0
"""Cards as a user gets them into a reader: an image by `sscard issue`, put in by `sscard serve`."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from secrets import token_bytes

from commandline import PLAIN, ROOT, in_a_process
from hermetic import Pcscd, until

from apdu.command import CommandAPDU
from apdu.flow import exchange
from apdu.vpcd import PORT
from apdu.wire.hrss.application import SSSE_NAME
from card_os.chip import Chip
from card_os.image import ImageFlash
from card_os.world import World
from host.channel.memory import MemoryChannel

SSCARD = (sys.executable, "-m", "host.cli.main")
SELECT = b"\x00\xa4\x04\x00" + bytes((len(SSSE_NAME),)) + SSSE_NAME
WITH_LE = SELECT + b"\0"
"""The same as SELECT, but its answer wanted at once, as T=1 can carry it and T=0 cannot."""
FETCH = bytes.fromhex("00C0000000")
SELECT_BANK = bytes.fromhex("00A4040008A000000333010101")
READ_BANK = bytes.fromhex("00B2010C00")
PLAIN_READS = (
    SELECT,
    FETCH,
    *(bytes.fromhex(f"00B2{tag:02X}{sfi << 3:02X}00") for sfi, tag in ((5, 1), (5, 7), (6, 9))),
    bytes.fromhex("00B2010400"),
    bytes.fromhex("00EE000000"),
    bytes.fromhex("00A4030000"),
    SELECT_BANK,
    FETCH,
    bytes.fromhex("80CA9F3600"),
    bytes.fromhex("00B2010C01"),
    bytes.fromhex("00A4040006D27600012401"),
    READ_BANK,
)
"""Commands that read, ask for more or are refused; none has chance in it or changes the card. In
the end the bank's application is selected."""
MISSHAPEN = bytes.fromhex("00A40400FF00")
"""A command that some programs refuse to send."""


def issue(image: Path, *words: str) -> Path:
    done = in_a_process("issue", *words, "-o", image)
    assert done.returncode == 0, done.stderr
    return image


class Served:
    """A card in a virtual reader, by a process of its own."""

    def __init__(self, pcscd: Pcscd, image: Path, *words: str, slot: int = 0) -> None:
        self.pcscd, self.image, self.slot, self.words = pcscd, image, slot, words
        self.start()

    def start(self) -> None:
        self.told = self.image.with_name(f"{self.image.name}.told")
        port = ["--port", str(PORT + self.slot)] if self.slot else []
        words = [*SSCARD, "serve", *self.words, *port, str(self.image)]
        with open(self.told, "ab") as told:
            self.process = self.pcscd.inside(
                *words, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=told, stderr=told
            )
        self.asked = False
        until("the card is in the reader", self.seen)

    def seen(self) -> bytes:
        """Its ATR as other programs see it."""
        assert self.process.poll() is None, self.told.read_text()
        return self.pcscd.atr(self.slot)

    def end(self) -> None:
        """Ask it to end, once: who asks twice does not wait."""
        if not self.asked and self.process.poll() is None:
            self.process.terminate()
        self.asked = True

    def stop(self) -> int:
        """The exit code."""
        self.end()
        try:
            code = self.process.wait(10)
        finally:
            self.process.kill()
        until("the reader is empty", lambda: not self.pcscd.atr(self.slot))
        return code


@contextmanager
def twin(image: Path) -> Iterator[Chip]:
    """A chip in memory with what the image holds now; it may be in use."""
    copy = image.with_name(f"{image.name}.twin")
    shutil.copy(image, copy)
    try:
        with ImageFlash(copy) as flash:
            yield Chip.boot(flash, World(token_bytes, date.today))
    finally:
        copy.unlink()


def snapshot(image: Path) -> bytes:
    """A digest of what the card remembers."""
    with twin(image) as chip:
        return chip.snapshot()


def answers(image: Path, commands: tuple[bytes, ...], *, followed: bool = False) -> list[bytes]:
    """What a chip in memory answers; `followed`: with what 61xx and 6Cxx ask for."""
    with twin(image) as chip:
        channel = MemoryChannel(chip)
        if not followed:
            return [channel.transmit(each) for each in commands]
        return [bytes(exchange(channel.transmit, CommandAPDU.parse(each))) for each in commands]


def issued_card(folder: Path, *words: str) -> Path:
    return issue(folder / "card.img", str(PLAIN), "--seed", "7", *words)
