# SPDX-License-Identifier: Apache-2.0
"""`sscard serve` in a process of its own, the readers it goes to, and what it says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any

from commandline import ROOT
from fakereader import DEADLINE, Reader

SELECT = bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF00")
VERIFY = bytes.fromhex("0020000003123456")
WRONG = bytes.fromhex("0020000003999999")
TRIES = bytes.fromhex("00200000")
CHALLENGE = bytes.fromhex("0084000008")


class Serving:
    """The process, and its lines as they come."""

    def __init__(self, *words: object, stdin: int = subprocess.DEVNULL, **settings: Any) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "host.cli.main", "serve", *map(str, words)],
            cwd=ROOT,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            env=os.environ | {"PYTHONUTF8": "1"},
            **settings,
        )
        self.lines: list[str] = []
        self._coming: Queue[str | None] = Queue()
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._coming.put(line.rstrip("\n"))
        self._coming.put(None)

    def until(self, true: Callable[[str], bool], what: object) -> str:
        """The next line for which this is true."""
        while True:
            line = self._coming.get(timeout=DEADLINE)
            assert line is not None, f"it ended without {what!r}: {self.lines}"
            self.lines.append(line)
            if true(line):
                return line

    def wait(self, words: str) -> str:
        """The next line that has these words in it."""
        return self.until(lambda line: words in line, words)

    def event(self, name: str) -> dict[str, Any]:
        """The next object of this event, with --json."""
        line = self.until(lambda line: json.loads(line).get("event") == name, name)
        return json.loads(line)  # type: ignore[no-any-return]

    def end(self, number: int = signal.SIGTERM) -> int:
        """Its exit status after a signal."""
        self.process.send_signal(number)
        return self.ended()

    def ended(self) -> int:
        status = self.process.wait(DEADLINE)
        self._reader.join(DEADLINE)
        while (line := self._coming.get()) is not None:
            self.lines.append(line)
        return status


@contextmanager
def serving(*words: object, **settings: Any) -> Iterator[Serving]:
    """It, and no trace of it afterwards."""
    made = Serving(*words, **settings)
    try:
        yield made
    finally:
        made.process.kill()
        made.process.wait(DEADLINE)
        made._reader.join(DEADLINE)
        assert made.process.stdout is not None
        made.process.stdout.close()


def at(reader: Reader) -> tuple[str, int]:
    """The option for the port of slot 1."""
    return "--port", reader.address[1]


def sockets_of(pid: int) -> dict[str, tuple[str, str, bool]]:
    """The TCP sockets of a process by inode: own address, the other's, whether it listens; and
    Unix sockets that have a name: name, nothing, whether it listens."""
    mine = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = os.readlink(link)
        except OSError:
            continue  # closed meanwhile
        if target.startswith("socket:["):
            mine.add(target[8:-1])
    found = {}
    for name in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]:
            (
                _,
                own,
                other,
                state,
                *_,
            ) = line.split()
            inode = line.split()[9]
            if inode in mine:
                found[inode] = own, other, state == "0A" or name.startswith("udp")
    for line in Path(f"/proc/{pid}/net/unix").read_text().splitlines()[1:]:
        _, _, _, flags, _, _, inode, *path = line.split(maxsplit=7)
        if inode in mine:
            found[inode] = (*path, "", "")[0], "", bool(int(flags, 16) & 0x10000)
    return found
