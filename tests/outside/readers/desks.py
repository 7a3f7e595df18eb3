# SPDX-License-Identifier: Apache-2.0
"""Desks in processes of their own (`loadworker`), that are watched and killed."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
from pathlib import Path
from threading import Thread
from typing import NamedTuple

from commandline import ROOT

FAILS_AFTER = 30.0
"""Seconds without a sign of life after which a test fails instead of waiting."""
PATHS = (ROOT, ROOT / "tests", ROOT / "tests" / "outside" / "readers")


class Done(NamedTuple):
    """A piece of work that a desk has done."""

    number: int
    process: int
    which: int


class Desks:
    """A process that desks come from, and what they tell."""

    def __init__(self, folder: Path) -> None:
        self.errors = folder / "desks.errors"
        self.told: queue.SimpleQueue[Done | None] = queue.SimpleQueue()
        paths = os.pathsep.join(map(str, PATHS))
        with open(self.errors, "wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "loadworker"],
                env=os.environ | {"PYTHONPATH": paths},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self.listener = Thread(target=self.listen, daemon=True)
        self.listener.start()

    def listen(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.told.put(Done(*map(int, line.split())))
        self.told.put(None)

    def begin(self, doing: str, number: int) -> None:
        assert self.process.stdin
        self.process.stdin.write(f"{doing} {number}\n")
        self.process.stdin.flush()

    def next(self) -> Done:
        """The next piece of work that any of them has done."""
        try:
            done = self.told.get(timeout=FAILS_AFTER)
        except queue.Empty:
            done = None
        assert done, f"nobody gets on: {self.errors.read_text()}"
        return done

    def all_of(self, numbers: set[int], but: int = 0) -> dict[int, int]:
        """Wait until each of these has done something, in another process than that; which."""
        found: dict[int, int] = {}
        while found.keys() != numbers:
            done = self.next()
            assert "" == self.errors.read_text()
            if done.number in numbers and done.process != but:
                found[done.number] = done.process
        return found

    def kill(self, process: int) -> None:
        os.kill(process, signal.SIGKILL)

    def close(self) -> None:
        """All of them are killed."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        self.process.wait()
        self.listener.join(FAILS_AFTER)
        self.process.stdout.close()
