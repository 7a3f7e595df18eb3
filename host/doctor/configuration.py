# SPDX-License-Identifier: Apache-2.0
"""The readers that pcscd is told of in files (reader.conf(5)), vpcd's among them: with some
entries pcscd does not even start."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from apdu.vpcd import PORT
from host.doctor.finding import Finding, Verdict
from host.doctor.machine import Machine

FOLDER: Final = "/etc/reader.conf.d"
LISTENS: Final = "/dev/null"
"""DEVICENAME of a vpcd that listens; another host is one that it connects to (reversed)."""
_LINE: Final = re.compile(r'\s*([A-Z]+)\s+(?:"([^"]*)"|(\S+))')


@dataclass(frozen=True, slots=True)
class Entry:
    """A reader as a file names it; words that are missing are empty."""

    file: str
    name: str
    """FRIENDLYNAME; pcscd adds the numbers of reader and slot."""
    device: str
    library: str
    """The driver."""

    @property
    def vpcd(self) -> bool:
        """Whether it is the virtual reader."""
        return "vpcd" in self.library.rpartition("/")[2]

    @property
    def host(self) -> str:
        """Of a reversed vpcd, empty for one that listens."""
        host = self.device.partition(":")[0]
        return "" if not self.vpcd or host in ("", LISTENS) else host

    @property
    def port(self) -> int:
        """TCP port of vpcd's first slot."""
        with suppress(ValueError):
            return int(self.device.partition(":")[2], 0)
        return PORT


def entries(machine: Machine) -> tuple[Entry, ...]:
    """The readers of all files, in the order of the files' names."""
    try:
        names = sorted(path.name for path in machine.path(FOLDER).iterdir())
    except OSError:
        return ()
    found = []
    for file in (f"{FOLDER}/{name}" for name in names if not name.startswith(".")):
        readers: list[dict[str, str]] = []
        for line in machine.text(file).splitlines():
            if match := _LINE.match(line):
                if match[1] == "FRIENDLYNAME" or not readers:
                    readers.append({})
                readers[-1][match[1]] = match[2] or match[3] or ""
        found += [
            Entry(file, *(each.get(word, "") for word in ("FRIENDLYNAME", "DEVICENAME", "LIBPATH")))
            for each in readers
        ]
    return tuple(found)


def virtual(machine: Machine) -> Entry | None:
    """The virtual reader's entry, None if no file has one."""
    return next((each for each in entries(machine) if each.vpcd), None)


def configuration(machine: Machine) -> Finding:
    """Whether pcscd can start with the readers that it is told of."""

    def finding(verdict: Verdict, sentence: str, *fix: str) -> Finding:
        return Finding("configuration", f"the readers in {FOLDER}", verdict, sentence, fix)

    told = entries(machine)
    if not machine.pcsc_lite or not told:
        return finding(Verdict.NOT_APPLICABLE, "pcscd is told of no reader in a file")
    for each in told:
        if each.host:
            instead = f"DEVICENAME   {LISTENS}:0x{each.port:04X}"
            return finding(
                Verdict.PROBLEM,
                f"the virtual reader in {each.file} is reversed (DEVICENAME {each.device}): up to"
                " vpcd 3.3 that aborts pcscd, at once if a slot finds nobody there, or when the"
                " card goes",
                machine.as_root(f"sed -i 's|^DEVICENAME.*|{instead}|' {each.file}"),
            )
        if not machine.exists(each.library):
            package = machine.packages.vpcd if machine.packages and each.vpcd else ""
            install = "# install the package that has it, or take the entry out:"
            if package and machine.packages:
                install = machine.as_root(machine.packages.lines("--reinstall", package))
            return finding(
                Verdict.PROBLEM,
                f"{each.file} names a driver that is not there (LIBPATH {each.library}):"
                " pcscd does not start with it",
                install,
                *(() if package else (machine.as_root(f"sed -i 's/^/#/' {each.file}"),)),
            )
    return finding(Verdict.OK, ", ".join(each.name for each in told))
