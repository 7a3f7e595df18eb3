# SPDX-License-Identifier: Apache-2.0
"""The machine that is looked at: its files, its environment, its Python."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final

from host.doctor.packages import Packages, family

_SYSTEM_PROGRAMS: Final = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/bin")
"""Searched after PATH: daemons lie where a user's PATH does not lead."""
_CONTAINERS: Final = ("docker", "kubepods", "containerd", "libpod", "lxc", "garden")
"""Words that a cgroup's path has in a container."""


def _effective_user() -> int:
    return os.geteuid() if hasattr(os, "geteuid") else 0


@dataclass(frozen=True)
class Machine:
    """Where to look; by default at this machine, and for the Python that runs."""

    root: Path = Path("/")
    """Paths below are absolute ones of the machine and looked for under this."""
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)
    system: str = sys.platform
    """As `sys.platform` has it: linux, darwin, win32 and others."""
    import_path: tuple[str, ...] = field(default_factory=lambda: tuple(sys.path))
    python: str = sys.executable
    user: int = field(default_factory=_effective_user)
    """0 is root."""
    deadline: float = 5.0
    """Seconds that the PC/SC service has for an answer."""

    def path(self, name: str) -> Path:
        return self.root / name.lstrip("/")

    def exists(self, name: str) -> bool:
        """False also for what may not be looked at."""
        return os.path.exists(self.path(name))

    def text(self, name: str) -> str:
        """What the file holds, empty if it cannot be read."""
        try:
            return self.path(name).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    def program(self, name: str) -> str:
        """Where a program is, empty if it is not installed."""
        places = [each for each in self.environment.get("PATH", "").split(os.pathsep) if each]
        for place in (*places, *_SYSTEM_PROGRAMS):
            if os.access(self.path(f"{place}/{name}"), os.X_OK):
                return f"{place}/{name}"
        return ""

    @property
    def pcsc_lite(self) -> bool:
        """Whether PC/SC is pcsc-lite with its daemon; elsewhere it is a part of the system."""
        return self.system not in ("darwin", "win32")

    @cached_property
    def container(self) -> bool:
        """Whether this is the inside of a container, as far as that shows."""
        told = self.environment.get("container") or self.exists("/.dockerenv")
        if told or self.exists("/run/.containerenv"):
            return True
        group = self.text("/proc/1/cgroup")
        return any(word in group for word in _CONTAINERS)

    @property
    def systemd(self) -> bool:
        return self.exists("/run/systemd/system")

    @cached_property
    def packages(self) -> Packages | None:
        """What packages are called here, None where that is not known."""
        return family(self.text("/etc/os-release") or self.text("/usr/lib/os-release"))

    def as_root(self, line: str) -> str:
        """The line as this user has to type it."""
        return line if self.user == 0 else f"sudo {line}"

    def installing(self, *kinds: str) -> tuple[str, ...]:
        """The line that installs packages by their kind, a field of Packages."""
        if self.packages is None:
            words = " and ".join(_IN_WORDS[kind] for kind in kinds)
            return (f"# install {words} with this system's package tool",)
        names = " ".join(getattr(self.packages, kind) for kind in kinds).split()
        return (self.as_root(self.packages.lines(*dict.fromkeys(names))),)


_IN_WORDS: Final = {
    "building": "a C compiler and the headers of Python and pcsc-lite",
    "service": "the daemon of pcsc-lite (pcscd)",
    "library": "libpcsclite.so.1",
    "ccid": "the CCID driver (libccid)",
}
