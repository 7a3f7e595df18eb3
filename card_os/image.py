# SPDX-License-Identifier: Apache-2.0
"""The chip's memory as a file: one of the two places in `card_os` that touch the world.

    0      ImageHeader: mark, version, size of the flash, checksum     never changes
    64     one byte: closed properly, or in use
    65     digest of the flash, valid while closed
    4096   the flash

The file is locked while it is open and has mode 0600: it holds the card's keys in the clear.
A file that was closed properly is checked wholly against its digest; one whose process was
killed is finished from its journal instead.
"""

from __future__ import annotations

import mmap
import os
import sys
import tempfile
from enum import Enum
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from zlib import crc32

from apdu.errors import FormatError
from apdu.wire.fields import const, fixed, uint, wire
from apdu.wire.record import Record, record
from card_os.nvm import Flash

IMAGE_VERSION: Final = 1
FLASH_AT: Final = 4096
MIN_FLASH, MAX_FLASH = 8192, 1 << 24
"""Bytes of flash that an image may have."""
_MARK: Final = b"\x89SSCARD\n"  # the first byte and the line end show up transfers as text
_STATE_AT: Final = 64
_DIGEST_AT: Final = 65
_CLOSED, _IN_USE = b"\x00", b"\x01"


class ImageError(Exception):
    """The file cannot be used as a card image: names the file and the reason."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class Durability(Enum):
    """What survives once a command has been answered."""

    KILL_SAFE = "kill-safe"
    """The end of the process, by whatever signal; data may wait in the system's cache."""
    POWER_SAFE = "power-safe"
    """Also the loss of power: every step waits until the disk has it."""


@record
class ImageHeader(Record):
    """The first bytes of an image."""

    mark: bytes = fixed(const(_MARK))
    version: int = wire(uint(2))
    flash_size: int = wire(uint(4))
    check: int = wire(uint(4))

    @classmethod
    def make(cls, flash_size: int) -> Self:
        return cls(IMAGE_VERSION, flash_size, _check(IMAGE_VERSION, flash_size))


def _check(version: int, flash_size: int) -> int:
    return crc32(_MARK + version.to_bytes(2) + flash_size.to_bytes(4))


def save(path: Path, cells: memoryview) -> None:
    """Write a new image in one step: either the whole file is there under this name, or nothing.

    Raises ImageError when a file of this name exists or it cannot be written.
    """
    head = bytes(ImageHeader.make(len(cells))).ljust(_STATE_AT, b"\0")
    head += _CLOSED + sha256(cells).digest()
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with open(handle, "wb") as file:
            file.write(head.ljust(FLASH_AT, b"\0"))
            file.write(cells)
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)
        _sync_directory(path.parent)
    except FileExistsError:
        raise ImageError(path, "exists already; an image is never written over") from None
    except OSError as error:
        raise ImageError(path, f"cannot be written: {error.strerror or error}") from None
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)


class ImageFlash(Flash):
    """A flash whose cells are a file. Close it, or use it as a context."""

    def __init__(self, path: Path, durability: Durability = Durability.KILL_SAFE) -> None:
        """Open an image. Raises ImageError when it is missing, in use, damaged, or not one."""
        self.path = path
        if durability is Durability.POWER_SAFE:
            self.sync = self._flush
        try:
            self._file = open(path, "r+b")
        except OSError as error:
            raise ImageError(path, f"cannot be opened: {error.strerror or error}") from None
        except ValueError:  # a zero byte in it
            raise ImageError(path, "cannot be opened: no name of a file") from None
        try:
            _lock(self._file.fileno(), path)
            size = _flash_size(path, self._file.read(FLASH_AT))
            if os.fstat(self._file.fileno()).st_size != FLASH_AT + size:
                raise ImageError(path, "damaged: the length does not agree with the header")
            self._map = mmap.mmap(self._file.fileno(), FLASH_AT + size)
        except BaseException:
            self._file.close()
            raise
        super().__init__(memoryview(self._map)[FLASH_AT:])
        self._dirty = self._map[_STATE_AT : _STATE_AT + 1] != _CLOSED
        if not self._dirty and self._map[_DIGEST_AT : _DIGEST_AT + 32] != self._digest():
            self._release()
            raise ImageError(path, "damaged: the content does not agree with its digest")

    def _digest(self) -> bytes:
        return sha256(self.cells).digest()

    def write(self, at: int, data: bytes) -> None:
        if not self._dirty:
            self._map[_STATE_AT : _STATE_AT + 1] = _IN_USE
            self._dirty = True
            if self.sync is not None:
                self.sync()
        super().write(at, data)

    def _flush(self) -> None:
        self._map.flush()

    def close(self) -> None:
        """Seal the content with its digest and let go of the file."""
        if self._file.closed:
            return
        if self._dirty:
            self._map[_DIGEST_AT : _DIGEST_AT + 32] = self._digest()
            self._map[_STATE_AT : _STATE_AT + 1] = _CLOSED
            if self.sync is not None:
                self.sync()
        self._release()

    def _release(self) -> None:
        self.cells.release()
        self._map.close()
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _flash_size(path: Path, head: bytes) -> int:
    """What the header says the flash has, once the header is believed."""
    size = ImageHeader.byte_length()
    if head[: len(_MARK)] != _MARK:
        raise ImageError(path, "not a card image")
    try:
        header = ImageHeader.parse(head[:size])
    except FormatError:
        raise ImageError(path, "damaged: the header is cut short") from None
    if header.check != _check(header.version, header.flash_size):
        raise ImageError(path, "damaged: the header fails its checksum")
    if header.version != IMAGE_VERSION:
        raise ImageError(
            path, f"image version {header.version}; this program knows version {IMAGE_VERSION}"
        )
    if not MIN_FLASH <= header.flash_size <= MAX_FLASH or len(head) < FLASH_AT:
        raise ImageError(path, "damaged: the header gives an impossible size")
    return header.flash_size


def _lock(handle: int, path: Path) -> None:
    """Keep other processes out until the file is closed."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise ImageError(path, "in use by another process") from None


def _sync_directory(directory: Path) -> None:
    """Make the new name as durable as the file. Windows has no such step."""
    if sys.platform != "win32":
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
