# SPDX-License-Identifier: Apache-2.0
"""A pcscd of our own with virtual readers, out of everybody's way, and cards to put into them.

The daemon lives in its own mount and network namespace: its directory is bound over /run/pcscd, and
the port on which vpcd takes any card from anybody is nobody else's. A client needs no namespace, it
finds the daemon by PCSCLITE_CSOCK_NAME. Only the thread of a card enters, to connect.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

CONFIG = Path("/etc/reader.conf.d/vpcd")
PORT = 35963  # of the first slot; the second slot has the next
NEW_NET = 0x40000000  # CLONE_NEWNET of sched.h
OFF, ATR = 0, 4  # what vpcd signals in frames of one byte; 1 is power, 2 is reset


def missing() -> str:
    """Why there can be no pcscd of our own here, or nothing."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "needs root on Linux, for namespaces"
    for program, package in ("unshare", "util-linux"), ("ip", "iproute2"), ("pcscd", "pcscd"):
        if not shutil.which(program):
            return f"needs {program}: apt-get install {package}"
    lines = CONFIG.read_text().split() if CONFIG.exists() else []
    if "LIBPATH" not in lines or not Path(lines[lines.index("LIBPATH") + 1]).exists():
        return "needs the vpcd driver: apt-get install vsmartcard-vpcd"
    probe = subprocess.run(["unshare", "-m", "-n", "true"], capture_output=True, text=True)
    return f"may not make namespaces: {probe.stderr.strip()}" if probe.returncode else ""


def until(what: str, true: Callable[[], Any], seconds: float = 10.0) -> Any:
    """Poll until it is true; its value."""
    end = time.monotonic() + seconds
    while not (value := true()):
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.01)
    return value


class Pcscd:
    """The daemon. Its environment variable is set for this process and its children."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="pcscd"))  # short: a socket's path has 108 bytes
        self.client = self.home / "pcscd.comm"
        os.environ["PCSCLITE_CSOCK_NAME"] = str(self.client)
        self.start()

    def start(self) -> None:
        script = 'ip link set lo up && mkdir -p /run/pcscd && mount --bind "$0" /run/pcscd'
        script += " && exec pcscd --foreground $(pcscd --help | grep -o -e --disable-polkit)"  # 2.x
        alone = ["unshare", "-m", "-n", "--propagation", "private"]
        with open(self.home / "log", "ab") as log:
            self.process = subprocess.Popen(
                [*alone, "sh", "-c", script, str(self.home)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        until("pcscd listens", self.client.exists)

    def stop(self) -> int:
        """Its exit code: anything but 0 is a crash."""
        self.process.terminate()
        return self.process.wait(10)

    def log(self) -> str:
        return f"pcscd ended with {self.process.poll()}: {(self.home / 'log').read_text()}"

    def remove(self) -> None:
        os.environ.pop("PCSCLITE_CSOCK_NAME")
        shutil.rmtree(self.home)

    def insert(self, card: Any, slot: int = 0) -> Inserted:
        return Inserted(card, self.process.pid, PORT + slot)


class Inserted(threading.Thread):
    """A card in a virtual reader; it has `reset() -> ATR` and `transmit(bytes) -> bytes`.

    An empty answer or half a header would crash pcscd 1.9.9, so a frame leaves in one piece, and a
    card that returns nothing stays silent.
    """

    def __init__(self, card: Any, namespace_of: int, port: int) -> None:
        super().__init__(daemon=True)
        self.card, self.port = card, port
        self.network = f"/proc/{namespace_of}/ns/net"
        self.signals: list[int] = []
        self.ready = threading.Event()
        self.start()
        assert self.ready.wait(10), "vpcd does not listen"

    def run(self) -> None:
        with open(self.network) as network:
            assert ctypes.CDLL(None).setns(network.fileno(), NEW_NET) == 0
        self.socket = until("vpcd listens", self.connect)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.ready.set()
        atr = self.card.reset()
        while head := self.read(2):
            frame = self.read(int.from_bytes(head, "big"))
            if len(frame) != 1:
                answer = self.card.transmit(frame)
            elif frame[0] == ATR:
                answer = atr
            else:
                self.signals.append(frame[0])
                atr, answer = atr if frame[0] == OFF else self.card.reset(), b""
            if answer:
                with suppress(OSError):  # pulled while it worked
                    self.socket.sendall(len(answer).to_bytes(2, "big") + answer)

    def connect(self) -> socket.socket | None:
        try:
            return socket.create_connection(("127.0.0.1", self.port))
        except ConnectionRefusedError:
            return None

    def read(self, length: int) -> bytes:
        got = b""
        while len(got) < length:
            try:
                more = self.socket.recv(length - len(got))
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            except OSError:
                return b""
            if not more:
                return b""
            got += more
        return got

    def pull(self) -> None:
        with suppress(OSError):  # pulled before
            self.socket.shutdown(socket.SHUT_RDWR)
        self.join(10)
        self.socket.close()
