# SPDX-License-Identifier: Apache-2.0
"""A pcscd of our own with virtual readers, out of everybody's way, and cards to put into them.

The daemon lives in its own mount and network namespace: its directory is bound over /run/pcscd, and
the port on which vpcd takes any card from anybody is nobody else's. A client needs no namespace, it
finds the daemon by PCSCLITE_CSOCK_NAME. Only a card enters, to connect: a thread, or a process.
The namespace outlives the daemon, so that it can be stopped and started under a card's feet.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from apdu.vpcd import PORT, Signal
from card_os.plug import Answered, Event, Plug, Silent, What

CONFIG = Path("/etc/reader.conf.d/vpcd")
READERS = ("Virtual PCD 00 00", "Virtual PCD 00 01")
NEW_NET = 0x40000000  # CLONE_NEWNET of sched.h
PRESENT = 0x20  # SCARD_STATE_PRESENT of winscard.h
SIGNALS = {What.OFF: Signal.OFF, What.ON: Signal.ON, What.RESET: Signal.RESET}


PACKAGES = {
    "gpg-connect-agent": "gnupg scdaemon",
    "ip": "iproute2",
    "javac": "openjdk-17-jdk-headless",
    "nsenter": "util-linux",
    "opensc-explorer": "opensc",
    "opensc-tool": "opensc",
    "pcsc_scan": "pcsc-tools",
    "pcscd": "pcscd",
    "pkcs11-tool": "opensc",
    "pkcs15-tool": "opensc",
    "scriptor": "pcsc-tools",
    "tshark": "tshark",
    "unshare": "util-linux",
}
"""What Debian and Ubuntu have each program in."""


def lacking(*programs: str) -> str:
    """What to install so that these programs are there, or nothing."""
    gone = [program for program in programs if not shutil.which(program)]
    packages = " ".join(dict.fromkeys(PACKAGES.get(program, program) for program in gone))
    return f"needs {', '.join(gone)}: apt-get install {packages}" if gone else ""


@cache
def missing() -> str:
    """Why there can be no pcscd of our own here, or nothing."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "needs root on Linux, for namespaces"
    if why := lacking("unshare", "nsenter", "ip", "pcscd"):
        return why
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
    """The daemon. Its environment variable is set for this process and its children.

    One to a process: pcsc-lite reads that variable once.
    """

    process: subprocess.Popen[bytes]

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="pcscd"))  # short: a socket's path has 108 bytes
        self.client = self.home / "pcscd.comm"
        os.environ["PCSCLITE_CSOCK_NAME"] = str(self.client)
        ready = self.home / "ready"
        script = 'ip link set lo up && mkdir -p /run/pcscd && mount --bind "$0" /run/pcscd'
        script += ' && touch "$0/ready" && exec cat'  # until its standard input ends
        alone = ["unshare", "-m", "-n", "--propagation", "private"]
        words = [*alone, "sh", "-c", script, str(self.home)]
        self.keeper = subprocess.Popen(words, stdin=subprocess.PIPE)
        until("the namespace is there", ready.exists)
        self.network = Path(f"/proc/{self.keeper.pid}/ns/net")
        self.start()

    def start(self) -> None:
        for left in "pcscd.comm", "pcscd.pid":  # by one that was killed
            (self.home / left).unlink(missing_ok=True)
        told = subprocess.run(["pcscd", "--help"], capture_output=True, text=True).stdout
        without = [option for option in ("--disable-polkit",) if option in told]  # from 2.0 on
        enter = ["nsenter", f"--mount=/proc/{self.keeper.pid}/ns/mnt", f"--net={self.network}"]
        with open(self.home / "log", "ab") as log:
            self.process = subprocess.Popen(
                [*enter, "pcscd", "--foreground", *without],
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
        self.keeper.communicate()
        shutil.rmtree(self.home)

    def listens(self, slot: int) -> bool:
        """Whether vpcd waits for a card in the slot."""
        wanted, listening = f":{PORT + slot:04X}", "0A"
        sockets = [
            line.split()
            for name in ("tcp", "tcp6")
            for line in Path(f"/proc/{self.keeper.pid}/net/{name}").read_text().splitlines()[1:]
        ]
        return any(each[1].endswith(wanted) and each[3] == listening for each in sockets)

    def atr(self, slot: int = 0) -> bytes:
        """What programs see as the ATR of the card in the slot; empty without a card there."""
        library, context = ctypes.CDLL("libpcsclite.so.1"), ctypes.c_long()
        code = library.SCardEstablishContext(2, None, None, ctypes.byref(context))
        assert code == 0, f"{code & 0xFFFF_FFFF:08X}: {self.log()}"
        state = _State(READERS[slot].encode())
        code = library.SCardGetStatusChange(
            context, ctypes.c_ulong(0), ctypes.byref(state), ctypes.c_ulong(1)
        )
        library.SCardReleaseContext(context)
        return bytes(state.atr)[: state.length] if state.found & PRESENT else b""

    def insert(self, card: Any, slot: int = 0) -> Inserted:
        return Inserted(card, self.network, PORT + slot)

    def inside(self, *words: str, **how: Any) -> subprocess.Popen[Any]:
        """A command of ours that connects to vpcd, as its process."""
        return subprocess.Popen(["nsenter", f"--net={self.network}", *words], **how)


class Inserted(threading.Thread):
    """A card in a virtual reader; it has `reset() -> ATR` and `transmit(bytes) -> bytes`.

    A card that returns nothing stays silent.
    """

    def __init__(self, card: Any, network: Path, port: int) -> None:
        super().__init__(daemon=True)
        self.network = network
        self.plug = Plug(_Mute(card), ("127.0.0.1", port), self.told)
        self.signals: list[int] = []
        """What the reader said, as numbers of `Signal`; not that it wants the ATR."""
        self.ready = threading.Event()
        self.start()
        assert self.ready.wait(10), "vpcd does not listen"

    def run(self) -> None:
        with open(self.network) as network:
            assert ctypes.CDLL(None).setns(network.fileno(), NEW_NET) == 0
        self.plug.run()

    def told(self, event: Event | Answered) -> None:
        if isinstance(event, Event):
            if event.what is What.CONNECTED:
                self.ready.set()
            elif event.what in SIGNALS:
                self.signals.append(SIGNALS[event.what])

    def pull(self) -> None:
        self.plug.stop()
        self.join(10)


class _Mute:
    """A card whose empty answers are none."""

    def __init__(self, card: Any) -> None:
        self.card = card

    def reset(self) -> bytes:
        atr: bytes = self.card.reset()
        return atr

    def transmit(self, command: bytes) -> bytes:
        answer: bytes = self.card.transmit(command)
        if not answer:
            raise Silent
        return answer


class _State(ctypes.Structure):
    """SCARD_READERSTATE of winscard.h, as pcsc-lite lays it out."""

    _fields_ = (
        ("reader", ctypes.c_char_p),
        ("ours", ctypes.c_void_p),
        ("known", ctypes.c_ulong),
        ("found", ctypes.c_ulong),
        ("length", ctypes.c_ulong),
        ("atr", ctypes.c_ubyte * 33),
    )
