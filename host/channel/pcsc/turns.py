# SPDX-License-Identifier: Apache-2.0
"""Whose turn it is at a reader, among the programs of one user that use this library.

pcsc-lite has no queue: whoever finds another's transaction looks again 100 ms later, and a program
that begins its next one at once goes first nearly every time. Of 32 that did, one waited 9 s. So we
queue before we ask: who has the first of two locks waits for the second, hence who comes back
stands behind those who wait. The system takes the locks from a process that has died.

This is a courtesy and protects nothing: PC/SC's transactions do. Other people's programs do not
queue, and where no file can be locked nobody does.
"""

from __future__ import annotations

import os
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import Final

try:
    import fcntl
except ImportError:  # Windows, where PC/SC has a queue itself
    fcntl = None  # type: ignore[assignment]

_SOCKET: Final = "PCSCLITE_CSOCK_NAME"
"""Where pcsc-lite has its clients look for a service other than the system's."""


class Turns:
    """One who queues at a reader, for one thread at a time; a turn is not taken twice."""

    def __init__(self, reader: str) -> None:
        self._files = _files(reader)

    def take(self) -> None:
        """Wait for a turn."""
        if self._files:
            following, turn = self._files
            fcntl.flock(following, fcntl.LOCK_EX)
            try:
                fcntl.flock(turn, fcntl.LOCK_EX)
            finally:
                fcntl.flock(following, fcntl.LOCK_UN)

    def give(self) -> None:
        """Let the next one have it."""
        if self._files:
            fcntl.flock(self._files[1], fcntl.LOCK_UN)

    def close(self) -> None:
        for each in self._files:
            os.close(each)
        self._files = ()


def _files(reader: str) -> tuple[int, int] | tuple[()]:
    """Descriptors of the two files that are locked for a reader; none where there can be none."""
    place = _place()
    if place is None:
        return ()
    stem = f"sscard-{sha256(reader.encode()).hexdigest()[:16]}"
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        following = os.open(place / f"{stem}.next", flags, 0o600)
    except OSError:
        return ()
    try:
        return following, os.open(place / f"{stem}.turn", flags, 0o600)
    except OSError:
        os.close(following)
        return ()


def _place() -> Path | None:
    """A directory in which nobody else can put files: a service of one's own has one, otherwise it
    is below the system's for temporary files."""
    if fcntl is None:
        return None
    if service := os.environ.get(_SOCKET):
        return Path(service).parent
    place = Path(tempfile.gettempdir(), f"sscard-{os.getuid()}")
    try:
        place.mkdir(mode=0o700, exist_ok=True)
        found = place.lstat()
    except OSError:
        return None
    return place if found.st_uid == os.getuid() and not found.st_mode & 0o077 else None
