# SPDX-License-Identifier: Apache-2.0
"""A first word with pcscd over its own socket, so that a daemon that hangs or refuses is told from
one that is not there: libpcsclite gives one code for most of that, and knows no deadline."""

from __future__ import annotations

import errno
import os
import socket
import struct
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from host.doctor.machine import Machine

SOCKET: Final = "/run/pcscd/pcscd.comm"
OTHER_SOCKET: Final = "PCSCLITE_CSOCK_NAME"
"""The environment variable by which libpcsclite looks for another one."""

_HEADER: Final = struct.Struct("=II")
"""Length of the body, command."""
_VERSION: Final = struct.Struct("=iiI")
"""Major, minor, code: the protocol between libpcsclite and pcscd (pcsc-lite's winscard_msg.h)."""
_CMD_VERSION: Final = 0x11
_OURS: Final = (4, 4)
"""What libpcsclite from 1.8.24 to 2.x speaks."""


class Word(Enum):
    """How pcscd took it."""

    ANSWERED = auto()
    ABSENT = auto()
    """There is no socket."""
    DESERTED = auto()
    """There is a socket that nobody listens on."""
    FORBIDDEN = auto()
    """The socket's permissions keep this user out."""
    REFUSED = auto()
    """It closed the connection without a word, as it does to those whom polkit does not allow."""
    SILENT = auto()
    """It took the connection and did not answer in time."""
    ANOTHER_VERSION = auto()
    """It speaks another version of the protocol."""
    NOT_PCSCD = auto()
    """What answered is something else."""
    NOT_ASKED = auto()
    """Here PC/SC is a part of the system."""


@dataclass(frozen=True, slots=True)
class Service:
    """The daemon as it was met."""

    word: Word
    path: str = SOCKET
    version: str = ""
    """Of its protocol, if it said."""


def meet(machine: Machine) -> Service:
    """Say to pcscd which version we speak and hear which it does; nothing else is asked."""
    if not machine.pcsc_lite:
        return Service(Word.NOT_ASKED)
    path = machine.environment.get(OTHER_SOCKET) or SOCKET
    word, version = _say(os.fspath(machine.path(path)), machine.deadline)
    return Service(word, path, version)


def _say(path: str, deadline: float) -> tuple[Word, str]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(deadline)
        try:
            line.connect(path)
            line.sendall(_HEADER.pack(_VERSION.size, _CMD_VERSION) + _VERSION.pack(*_OURS, 0))
            answer = line.recv(_VERSION.size, socket.MSG_WAITALL)
        except OSError as error:
            return _WORDS.get(error.errno or 0, _unheard(error)), ""
    if not answer:
        return Word.REFUSED, ""
    if len(answer) != _VERSION.size:
        return Word.NOT_PCSCD, ""
    major, minor, code = _VERSION.unpack(answer)
    if not 0 < major < 100 or not 0 <= minor < 100:
        return Word.NOT_PCSCD, ""
    return (Word.ANOTHER_VERSION if code else Word.ANSWERED), f"{major}.{minor}"


def _unheard(error: OSError) -> Word:
    return Word.SILENT if isinstance(error, TimeoutError) else Word.DESERTED


_WORDS: Final = {
    errno.ENOENT: Word.ABSENT,
    errno.EACCES: Word.FORBIDDEN,
    errno.EPERM: Word.FORBIDDEN,
    errno.ECONNRESET: Word.REFUSED,
    errno.EPIPE: Word.REFUSED,
    errno.EAGAIN: Word.SILENT,  # its backlog is full: it does not take connections
    errno.EPROTOTYPE: Word.NOT_PCSCD,
}
