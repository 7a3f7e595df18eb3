# SPDX-License-Identifier: Apache-2.0
"""What the module `smartcard` of this Python is: pyscard, a namesake, or nothing.

Told without importing it, by the files and by what the installed distributions say is theirs.
"""

from __future__ import annotations

import ctypes
from contextlib import suppress
from dataclasses import dataclass
from importlib.machinery import PathFinder
from importlib.metadata import Distribution, distributions
from pathlib import PurePath
from typing import Final

from host.doctor.finding import Finding, Verdict
from host.doctor.machine import Machine

_MODULE: Final = "smartcard"
_LIBRARY: Final = "libpcsclite.so.1"
"""What pyscard opens on Linux when it runs, by this name."""
_LOOKED_AT: Final = "the module `smartcard` of this Python"


@dataclass(frozen=True, slots=True)
class Namesakes:
    """What lies where `import smartcard` looks."""

    file: str = ""
    """Of the module, empty if there is none."""
    complete: bool = False
    """Whether pyscard's part `smartcard.scard` is there, too."""
    version: str = ""
    """Of the distribution pyscard, if one is installed."""
    strangers: tuple[str, ...] = ()
    """Other distributions that have put files into the same folder, as `name version`."""
    stranger_names: tuple[str, ...] = ()

    @property
    def usable(self) -> bool:
        """Whether it is pyscard, whole and alone; it may still not load."""
        return self.complete and not self.strangers


def look_for_pyscard(machine: Machine) -> Namesakes:
    """Find the module and whose it is. Nothing is imported."""
    version, strangers = "", []
    for each in distributions(path=list(machine.import_path)):
        with suppress(Exception):  # a broken distribution is not this check's business
            name = str(each.metadata["Name"])
            if not _has_files(each):
                continue
            if name.lower() == "pyscard":
                version = version or each.version
            else:
                strangers.append((name, f"{name} {each.version}"))
    spec = PathFinder.find_spec(_MODULE, list(machine.import_path))
    if spec is None:
        return Namesakes()
    places = list(spec.submodule_search_locations or ())
    part = PathFinder.find_spec(f"{_MODULE}.scard", places) if places else None
    return Namesakes(
        spec.origin or (places[0] if places else _MODULE),
        part is not None and part.origin is not None,
        version,
        tuple(said for _, said in strangers),
        tuple(name for name, _ in strangers),
    )


def _has_files(each: Distribution) -> bool:
    mine = (PurePath(_MODULE, "__init__.py"), PurePath(f"{_MODULE}.py"))
    return any(PurePath(file) in mine for file in each.files or ())


def pyscard(machine: Machine, found: Namesakes, import_error: str) -> Finding:
    """`import_error` is what loading it said, empty if it loads or was not tried."""
    pip = f"{machine.python} -m pip"

    def finding(verdict: Verdict, sentence: str, *fix: str) -> Finding:
        return Finding("pyscard", _LOOKED_AT, verdict, sentence, fix)

    if not found.file:
        return finding(
            Verdict.PROBLEM,
            "pyscard is not installed: only readers need it, card images do without",
            *how_to_install(machine),
        )
    if found.strangers or not (found.complete or found.version):
        whose = " and ".join(found.strangers) or "no installed package"
        mixed = ", and its files lie among pyscard's" if found.version else ""
        uninstall = f"{pip} uninstall -y {' '.join(found.stranger_names)}"
        remove = uninstall if found.strangers else f"# rename or remove {found.file}"
        return finding(
            Verdict.PROBLEM,
            f"the module `smartcard` in {found.file} belongs to {whose}, which is not pyscard"
            f" and has taken its name{mixed}",
            remove,
            *how_to_install(machine, again=True),
        )
    if not found.complete or import_error:
        why = f": {import_error}" if import_error else ", its part `smartcard.scard` is missing"
        return finding(
            Verdict.PROBLEM,
            f"pyscard {found.version} is there ({found.file}) but does not load{why}",
            *how_to_install(machine, again=True),
        )
    version = f"pyscard {found.version}" if found.version else "pyscard"
    return finding(Verdict.OK, f"{version}, in {found.file}")


def how_to_install(machine: Machine, *, again: bool = False) -> tuple[str, ...]:
    """The lines that install pyscard here; `again` also over what is there."""
    pip = f"{machine.python} -m pip install {'--force-reinstall ' if again else ''}"
    needs = machine.installing("building", "service") if machine.pcsc_lite else ()
    return (*needs, f'{pip}"pyscard>=2.2"')


def load_library(machine: Machine) -> str:
    """What loading libpcsclite says, empty if it loads: pyscard opens it only when it is used."""
    if machine.pcsc_lite:
        try:
            ctypes.CDLL(_LIBRARY)
        except OSError as error:
            return str(error)
    return ""


def library(machine: Machine, error: str) -> Finding:
    """`error` is of `load_library`."""

    def finding(verdict: Verdict, sentence: str, *fix: str) -> Finding:
        return Finding("libpcsclite", f"the library {_LIBRARY}", verdict, sentence, fix)

    if not machine.pcsc_lite:
        return finding(Verdict.NOT_APPLICABLE, "here PC/SC is a part of the system")
    if error:
        sentence = f"the library of pcsc-lite does not load: {error}"
        return finding(Verdict.PROBLEM, sentence, *machine.installing("library"))
    return finding(Verdict.OK, f"{_LIBRARY} loads")
