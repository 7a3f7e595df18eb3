# SPDX-License-Identifier: Apache-2.0
"""The doctor about pyscard: there, missing, broken, or another package under its name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from host.doctor.finding import Finding, Verdict
from host.doctor.machine import Machine
from host.doctor.pyscard import library, load_library, look_for_pyscard, pyscard


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A Debian whose Python looks for modules in one folder."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text("ID=debian")
    (tmp_path / "site").mkdir()
    where = (str(tmp_path / "site"),)
    return Machine(tmp_path, {}, "linux", import_path=where, python="/opt/py", user=1000)


def install(machine: Machine, name: str, version: str, *files: str) -> None:
    """As pip leaves a package: its files, its metadata, and the list of its files."""
    site = Path(machine.import_path[0])
    told = site / f"{name}-{version}.dist-info"
    told.mkdir()
    (told / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (told / "RECORD").write_text("".join(f"{file},,\n" for file in files))
    for file in files:
        (site / file).parent.mkdir(parents=True, exist_ok=True)
        (site / file).touch()


def install_pyscard(machine: Machine) -> None:
    files = "smartcard/__init__.py", "smartcard/scard/__init__.py"
    install(machine, "pyscard", "2.3.1", *files)


def found(machine: Machine, import_error: str = "") -> Finding:
    return pyscard(machine, look_for_pyscard(machine), import_error)


def test_pyscard_is_named_with_its_version_and_place(machine: Machine) -> None:
    install_pyscard(machine)
    finding = found(machine)
    assert Verdict.OK is finding.verdict
    assert f"pyscard 2.3.1, in {machine.import_path[0]}/smartcard/__init__.py" == finding.sentence
    assert look_for_pyscard(machine).usable


def test_without_it_the_lines_for_this_system_and_this_python_are_given(machine: Machine) -> None:
    finding = found(machine)
    assert Verdict.PROBLEM is finding.verdict
    assert (
        "sudo apt-get install -y gcc python3-dev libpcsclite-dev pcscd",
        '/opt/py -m pip install "pyscard>=2.2"',
    ) == finding.fix
    assert not look_for_pyscard(machine).usable


@pytest.mark.parametrize("system", ["darwin", "win32"])
def test_elsewhere_a_wheel_is_all_it_takes(machine: Machine, system: str) -> None:
    finding = found(replace(machine, system=system))
    assert ('/opt/py -m pip install "pyscard>=2.2"',) == finding.fix


def test_the_package_smartcard_of_pypi_is_named_and_removed_first(machine: Machine) -> None:
    install(machine, "smartcard", "0.3", "smartcard/__init__.py", "smartcard/tag.py")
    finding = found(machine)
    assert Verdict.PROBLEM is finding.verdict
    assert "/smartcard/__init__.py belongs to smartcard 0.3," in finding.sentence
    assert "/opt/py -m pip uninstall -y smartcard" == finding.fix[0]
    assert '/opt/py -m pip install --force-reinstall "pyscard>=2.2"' == finding.fix[-1]


def test_two_packages_in_one_folder_are_told_from_one(machine: Machine) -> None:
    install_pyscard(machine)
    install(machine, "smartcard", "0.3", "smartcard/__init__.py")
    finding = found(machine)
    assert Verdict.PROBLEM is finding.verdict
    assert "smartcard 0.3" in finding.sentence
    assert "its files lie among pyscard's" in finding.sentence
    assert not look_for_pyscard(machine).usable


def test_a_stray_file_of_that_name_is_named(machine: Machine) -> None:
    stray = Path(machine.import_path[0], "smartcard.py")
    stray.touch()
    finding = found(machine)
    assert f"{stray} belongs to no installed package" in finding.sentence
    assert f"# rename or remove {stray}" == finding.fix[0]


def test_a_pyscard_without_its_heart_is_installed_again(machine: Machine) -> None:
    install(machine, "pyscard", "2.3.1", "smartcard/__init__.py")
    finding = found(machine)
    assert Verdict.PROBLEM is finding.verdict
    assert "`smartcard.scard` is missing" in finding.sentence
    assert "--force-reinstall" in finding.fix[-1]
    assert not look_for_pyscard(machine).usable


def test_what_the_import_said_is_passed_on(machine: Machine) -> None:
    install_pyscard(machine)
    finding = found(machine, "libfoo.so.1: cannot open shared object file")
    assert Verdict.PROBLEM is finding.verdict
    assert "does not load: libfoo.so.1: cannot open" in finding.sentence
    assert "--force-reinstall" in finding.fix[-1]


def test_other_packages_and_broken_ones_do_not_disturb(machine: Machine) -> None:
    install_pyscard(machine)
    install(machine, "smartcard-app", "1.0", "smartcard_app/__init__.py")
    broken = Path(machine.import_path[0], "broken-1.dist-info")
    broken.mkdir()
    (broken / "METADATA").write_bytes(b"\xff\xfe\x00")
    assert Verdict.OK is found(machine).verdict


def test_a_library_that_does_not_load_is_named_with_its_package(machine: Machine) -> None:
    finding = library(machine, "libpcsclite.so.1: file too short")
    assert Verdict.PROBLEM is finding.verdict
    assert "libpcsclite.so.1: file too short" in finding.sentence
    assert ("sudo apt-get install -y libpcsclite1",) == finding.fix
    assert Verdict.OK is library(machine, "").verdict


def test_where_pc_sc_is_a_part_of_the_system_there_is_no_such_library(machine: Machine) -> None:
    there = replace(machine, system="darwin")
    assert "" == load_library(there)
    assert Verdict.NOT_APPLICABLE is library(there, "").verdict
