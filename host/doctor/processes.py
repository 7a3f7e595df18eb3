# SPDX-License-Identifier: Apache-2.0
"""Who has a socket open, as far as /proc lets this user see (Linux; elsewhere nobody is seen)."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from host.doctor.machine import Machine

_CONNECTED: Final = "03"
"""A stream's state in /proc/net/unix."""
_ESTABLISHED: Final = "01"
_LISTENING: Final = "0A"
"""States in /proc/net/tcp."""


@dataclass(frozen=True, slots=True, order=True)
class Process:
    """A running program; its arguments are not looked at, they may hold secrets."""

    pid: int
    name: str

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid})"


@dataclass(frozen=True, slots=True)
class TcpSocket:
    """A row of /proc/net/tcp or tcp6 that listens or is connected."""

    everywhere: bool
    """Whether its own address is 0.0.0.0 or ::, which is every address of the machine."""
    port: int
    far_port: int
    listening: bool
    inode: int
    """0 while a connection waits to be accepted."""


def tcp_sockets(machine: Machine) -> tuple[TcpSocket, ...]:
    """The TCP sockets of this network namespace."""
    found = []
    for name in "/proc/net/tcp", "/proc/net/tcp6":
        for line in machine.text(name).splitlines()[1:]:
            words = line.split()
            with suppress(ValueError, IndexError):  # a row in another shape is none of ours
                near, far, state, inode = words[1], words[2], words[3], int(words[9])
                address, port = near.split(":")
                if state in (_ESTABLISHED, _LISTENING):
                    found.append(
                        TcpSocket(
                            not address.strip("0"),
                            int(port, 16),
                            int(far.split(":")[1], 16),
                            state == _LISTENING,
                            inode,
                        )
                    )
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Clients:
    """Who is connected to a socket: the processes that can be seen, and how many cannot."""

    seen: tuple[Process, ...] = ()
    unseen: int = 0


def clients_of(machine: Machine, path: str) -> Clients:
    """The processes connected to the Unix socket at `path`, this one left out.

    /proc/net/unix has the path at the daemon's end of each connection; the kernel's socket
    diagnosis says what the other end is (sock_diag(7)), and /proc/*/fd whose that is.
    """
    near = set()
    for line in machine.text("/proc/net/unix").splitlines()[1:]:
        words = line.split(maxsplit=7)
        if len(words) == 8 and words[7] == path and words[5] == _CONNECTED:
            near.add(int(words[6]))
    if not near:
        return Clients()
    ends = _unix_peers()
    if not ends:
        return Clients((), len(near))
    far = {ends.get(inode, 0) for inode in near} - {0}  # that of a client who has just left
    owners = owners_of(machine, far)
    seen = {process for processes in owners.values() for process in processes}
    others = tuple(sorted(each for each in seen if each.pid != os.getpid()))
    return Clients(others, len(far - owners.keys()))


def owners_of(machine: Machine, inodes: Collection[int]) -> dict[int, list[Process]]:
    """The processes that have a socket open, by its inode; those of others are seen by root."""
    wanted = {f"socket:[{inode}]": inode for inode in inodes if inode}
    found: dict[int, list[Process]] = {}
    if not wanted:
        return found
    for pid in _numbers(machine):
        folder = f"/proc/{pid}/fd"
        with suppress(OSError):  # another user's, or it has just ended
            for each in os.listdir(machine.path(folder)):
                with suppress(OSError):
                    inode = wanted.get(os.readlink(machine.path(f"{folder}/{each}")))
                    if inode is not None:
                        process = Process(pid, machine.text(f"/proc/{pid}/comm").strip() or "?")
                        if process not in found.setdefault(inode, []):
                            found[inode].append(process)
    return found


def _numbers(machine: Machine) -> Iterator[int]:
    with suppress(OSError):
        yield from (int(each) for each in os.listdir(machine.path("/proc")) if each.isdecimal())


# The kernel's diagnosis of Unix sockets: linux/netlink.h, linux/sock_diag.h, linux/unix_diag.h

_HEADER: Final = struct.Struct("=IHHII")
_REQUEST: Final = struct.Struct("=BBHIIIII")
_ROW: Final = struct.Struct("=BBBBIII")
_ATTRIBUTE: Final = struct.Struct("=HH")
_NETLINK_SOCK_DIAG, _SOCK_DIAG_BY_FAMILY = 4, 20
_REQUEST_ALL, _DONE, _ERROR = 0x301, 3, 2
_SHOW_PEER, _PEER, _ANY = 4, 2, 0xFFFF_FFFF


def _unix_peers() -> dict[int, int]:
    """The other end's inode of each connected Unix socket; none where the kernel does not tell."""
    ends: dict[int, int] = {}
    with suppress(OSError, AttributeError, struct.error):
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as kernel:
            kernel.settimeout(1.0)
            request = _REQUEST.pack(socket.AF_UNIX, 0, 0, _ANY, 0, _SHOW_PEER, _ANY, _ANY)
            length = _HEADER.size + len(request)
            kernel.sendall(_HEADER.pack(length, _SOCK_DIAG_BY_FAMILY, _REQUEST_ALL, 1, 0) + request)
            while not _take_rows(kernel.recv(1 << 17), ends):
                pass
    return ends


def _take_rows(answer: bytes, ends: dict[int, int]) -> bool:
    """Put the rows of one datagram into `ends`; whether it was the last."""
    at = 0
    while at < len(answer):
        length, kind, *_ = _HEADER.unpack_from(answer, at)
        if kind in (_DONE, _ERROR) or length < _HEADER.size:
            return True
        inode = _ROW.unpack_from(answer, at + _HEADER.size)[4]
        each, end = at + _HEADER.size + _ROW.size, at + length
        while each < end:
            size, attribute = _ATTRIBUTE.unpack_from(answer, each)
            if attribute == _PEER:
                ends[inode] = struct.unpack_from("=I", answer, each + _ATTRIBUTE.size)[0]
            each += max(size + 3 & ~3, _ATTRIBUTE.size)
        at += length + 3 & ~3
    return False
