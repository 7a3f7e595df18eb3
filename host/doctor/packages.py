# SPDX-License-Identifier: Apache-2.0
"""What the packages are called: one row a family of distributions, told by os-release."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Packages:
    """The install command of a family of distributions, and its names for what PC/SC needs."""

    install: str
    building: str
    """What pyscard is compiled with: there are no wheels of it for Linux."""
    service: str
    library: str
    """libpcsclite.so.1, which pyscard opens when it runs."""
    ccid: str
    """The driver of nearly all USB readers."""
    vpcd: str = ""
    """The virtual reader; empty where it has to be built."""

    def lines(self, *packages: str) -> str:
        """The line that installs them."""
        return " ".join((self.install, *packages))


FAMILIES: Final[Mapping[str, Packages]] = {
    "debian": Packages(
        "apt-get install -y",
        "gcc python3-dev libpcsclite-dev",
        "pcscd",
        "libpcsclite1",
        "libccid",
        "vsmartcard-vpcd",
    ),
    "fedora": Packages(
        "dnf install -y",
        "gcc python3-devel pcsc-lite-devel",
        "pcsc-lite",
        "pcsc-lite-libs",
        "pcsc-lite-ccid",
    ),
    "arch": Packages("pacman -S --needed", "gcc pcsclite", "pcsclite", "pcsclite", "ccid"),
    "alpine": Packages(
        "apk add", "gcc musl-dev python3-dev pcsc-lite-dev", "pcsc-lite", "pcsc-lite-libs", "ccid"
    ),
    "suse": Packages(
        "zypper install -y",
        "gcc python3-devel pcsc-lite-devel",
        "pcsc-lite",
        "libpcsclite1",
        "pcsc-ccid",
    ),
}

_SPOKEN: Final[Mapping[str, str]] = {
    "debian": "debian",
    "ubuntu": "debian",
    "deepin": "debian",
    "uos": "debian",
    "fedora": "fedora",
    "rhel": "fedora",
    "centos": "fedora",
    "openeuler": "fedora",
    "anolis": "fedora",
    "arch": "arch",
    "alpine": "alpine",
    "suse": "suse",
    "opensuse": "suse",
}
"""The words of ID and ID_LIKE in os-release that name a family."""


def family(os_release: str) -> Packages | None:
    """The family that the text of os-release names, ID before ID_LIKE; None if it is not known."""
    said = {}
    for line in os_release.splitlines():
        key, _, value = line.partition("=")
        said[key.strip()] = value.strip().strip("\"'").lower()
    for word in f"{said.get('ID', '')} {said.get('ID_LIKE', '')}".split():
        known = _SPOKEN.get(word) or _SPOKEN.get(word.partition("-")[0])
        if known:
            return FAMILIES[known]
    return None
