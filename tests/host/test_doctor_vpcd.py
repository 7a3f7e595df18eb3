# SPDX-License-Identifier: Apache-2.0
"""The doctor about the virtual reader: its files, whether it is loaded, who is on its ports."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apdu.vpcd import PORT
from host.channel.pcsc.watch import Reader
from host.doctor.configuration import Entry, configuration, entries, virtual
from host.doctor.finding import Verdict
from host.doctor.machine import Machine
from host.doctor.pcscd import Service, Word
from host.doctor.processes import Process, TcpSocket
from host.doctor.survey import Survey
from host.doctor.vpcd import port, vpcd

CONF = "/etc/reader.conf.d/vpcd"
LIBRARY = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so"
AS_DELIVERED = f"""FRIENDLYNAME "Virtual PCD"
DEVICENAME   /dev/null:0x8C7B
LIBPATH      {LIBRARY}
CHANNELID    0x8C7B
"""
MET = Service(Word.ANSWERED)
LOADED = Survey((Reader("Virtual PCD 00 00"), Reader("Virtual PCD 00 01")))
OTHERS = Survey((Reader("ACS ACR38U 00 00"),))


def write(machine: Machine, name: str, text: str = "") -> None:
    machine.path(name).parent.mkdir(parents=True, exist_ok=True)
    machine.path(name).write_text(text)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A Debian with vpcd as its package installs it."""
    made = Machine(tmp_path, {}, "linux", user=1000)
    write(made, "/etc/os-release", "ID=debian")
    write(made, CONF, AS_DELIVERED)
    write(made, LIBRARY)
    return made


def test_the_file_of_the_package_is_understood(machine: Machine) -> None:
    entry = virtual(machine)
    assert Entry(CONF, "Virtual PCD", "/dev/null:0x8C7B", LIBRARY) == entry
    assert entry is not None
    assert (PORT, "", True) == (entry.port, entry.host, entry.vpcd)
    assert Verdict.OK is configuration(machine).verdict


def test_remarks_other_readers_and_hidden_files_are_no_virtual_reader(machine: Machine) -> None:
    write(machine, CONF, "#" + AS_DELIVERED.replace("\n", "\n#"))
    write(machine, "/etc/reader.conf.d/.vpcd.swp", AS_DELIVERED)
    assert () == entries(machine)
    write(machine, CONF, 'FRIENDLYNAME "Twin"\nLIBPATH /usr/lib/libtwin.so\n' + AS_DELIVERED)
    assert ["Twin", "Virtual PCD"] == [each.name for each in entries(machine)]
    entry = virtual(machine)
    assert entry is not None and "Virtual PCD" == entry.name


@given(st.text(alphabet='FRIENDLYNAMEDEVICELIBPATH /:x0"#\n'))
def test_no_file_breaks_the_reading(text: str) -> None:
    class Told(Machine):
        def path(self, name: str) -> Path:
            return Path(__file__).parent

        def text(self, name: str) -> str:
            return text

    for entry in entries(Told()):
        assert isinstance(entry.port, int) and isinstance(entry.host, str)


def test_a_port_that_is_none_is_the_usual_one() -> None:
    assert [PORT, 7, 0x70] == [
        Entry("", "", device, "").port for device in ("/dev/null", "a:7", "a:0x70")
    ]


def test_a_driver_that_is_missing_keeps_pcscd_from_starting(machine: Machine) -> None:
    machine.path(LIBRARY).unlink()
    finding = configuration(machine)
    assert Verdict.PROBLEM is finding.verdict
    assert LIBRARY in finding.sentence and CONF in finding.sentence
    assert ("sudo apt-get install -y --reinstall vsmartcard-vpcd",) == finding.fix
    assert "see configuration" == vpcd(machine, MET, OTHERS).sentence


def test_so_does_that_of_another_reader_whose_entry_is_taken_out(machine: Machine) -> None:
    write(machine, "/etc/reader.conf.d/twin", "FRIENDLYNAME Twin\nLIBPATH /gone.so\n")
    finding = configuration(machine)
    assert Verdict.PROBLEM is finding.verdict
    assert "/gone.so" in finding.sentence
    assert "sudo sed -i 's/^/#/' /etc/reader.conf.d/twin" == finding.fix[-1]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "phone.local"])
def test_a_reversed_reader_is_turned_round(machine: Machine, host: str) -> None:
    write(machine, CONF, AS_DELIVERED.replace("/dev/null", host))
    finding = configuration(machine)
    assert Verdict.PROBLEM is finding.verdict
    assert f"reversed (DEVICENAME {host}:0x8C7B)" in finding.sentence
    line = f"sudo sed -i 's|^DEVICENAME.*|DEVICENAME   /dev/null:0x8C7B|' {CONF}"
    assert (line,) == finding.fix
    assert "see configuration" == vpcd(machine, MET, OTHERS).sentence


def test_a_reader_that_is_loaded_is_well(machine: Machine) -> None:
    assert Verdict.OK is vpcd(machine, MET, LOADED).verdict


def test_a_reader_that_is_not_loaded_needs_a_restart(machine: Machine) -> None:
    finding = vpcd(machine, MET, OTHERS)
    assert Verdict.PROBLEM is finding.verdict
    assert "has no reader 'Virtual PCD'" in finding.sentence
    assert ("sudo pkill -x pcscd", "sudo pcscd") == finding.fix
    machine.path("/run/systemd/system").mkdir(parents=True)
    assert "sudo systemctl restart" in vpcd(machine, MET, OTHERS).fix[0]


def test_a_reader_of_another_name_is_known_by_it(machine: Machine) -> None:
    write(machine, CONF, AS_DELIVERED.replace("Virtual PCD", "Card of paper"))
    assert Verdict.PROBLEM is vpcd(machine, MET, LOADED).verdict
    mine = Survey((Reader("Card of paper 00 00"),))
    assert Verdict.OK is vpcd(machine, MET, mine).verdict


def test_without_a_service_nobody_knows_what_is_loaded(machine: Machine) -> None:
    assert Verdict.UNKNOWN is vpcd(machine, Service(Word.ABSENT), Survey.left_to("x")).verdict
    assert Verdict.UNKNOWN is vpcd(machine, MET, Survey.left_to("pyscard")).verdict


def test_a_driver_without_an_entry_gets_one(machine: Machine) -> None:
    machine.path(CONF).unlink()
    finding = vpcd(machine, MET, Survey())
    assert Verdict.PROBLEM is finding.verdict
    assert f"{LIBRARY} is there, but pcscd is not told of it" in finding.sentence
    start, end = finding.fix.index(f"sudo tee {CONF} <<'READER'"), finding.fix.index("READER")
    write(machine, CONF, "\n".join(finding.fix[start + 1 : end]))
    assert Entry(CONF, "Virtual PCD", "/dev/null:0x8C7B", LIBRARY) == virtual(machine)


def test_a_reader_that_is_not_installed_is_a_problem_only_where_there_is_no_other(
    machine: Machine,
) -> None:
    machine.path(CONF).unlink()
    machine.path(LIBRARY).unlink()
    finding = vpcd(machine, MET, Survey())
    assert (Verdict.PROBLEM, "sudo apt-get install -y vsmartcard-vpcd") == (
        finding.verdict,
        finding.fix[0],
    )
    assert Verdict.NOT_APPLICABLE is vpcd(machine, MET, OTHERS).verdict
    write(machine, "/etc/os-release", "ID=fedora")
    fedora = replace(machine)
    assert any("vsmartcard" in line for line in vpcd(fedora, MET, Survey()).fix)


# Its ports


class Net:
    """Sockets that are seen, instead of the kernel's."""

    def __init__(self) -> None:
        self.sockets: list[TcpSocket] = []
        self.owners: dict[int, list[Process]] = {}

    def listen(self, who: Process | None, slot: int = 0, *, everywhere: bool = True) -> None:
        self._add(TcpSocket(everywhere, PORT + slot, 0, True, len(self.sockets) + 1), who)

    def connect(self, who: Process, slot: int = 0, *, accepted: bool = True) -> None:
        far = 50_000 + len(self.sockets)
        inode = len(self.sockets) + 1 if accepted else 0
        self._add(TcpSocket(False, PORT + slot, far, False, inode), PCSCD if accepted else None)
        self._add(TcpSocket(False, far, PORT + slot, False, len(self.sockets) + 1), who)

    def _add(self, made: TcpSocket, who: Process | None) -> None:
        self.sockets.append(made)
        if who is not None:
            self.owners[made.inode] = [who]


PCSCD = Process(1, "pcscd")
SSCARD = Process(7, "sscard")


@pytest.fixture
def net(monkeypatch: pytest.MonkeyPatch) -> Net:
    made = Net()
    monkeypatch.setattr("host.doctor.vpcd.tcp_sockets", lambda _: tuple(made.sockets))
    monkeypatch.setattr("host.doctor.vpcd.owners_of", lambda *_: made.owners)
    return made


def test_without_the_reader_its_ports_are_nobodys(machine: Machine, net: Net) -> None:
    assert Verdict.NOT_APPLICABLE is port(machine, OTHERS).verdict
    net.listen(Process(3, "web"), slot=2)
    assert Verdict.NOT_APPLICABLE is port(machine, OTHERS).verdict


def test_a_reader_in_a_namespace_of_its_own_is_well(machine: Machine, net: Net) -> None:
    finding = port(machine, LOADED)
    assert Verdict.OK is finding.verdict
    assert "one of its own" in finding.sentence


@pytest.mark.parametrize("slot", [0, 1])
def test_another_program_on_the_port_is_named(machine: Machine, net: Net, slot: int) -> None:
    net.listen(Process(9, "java"), slot)
    finding = port(machine, OTHERS)
    assert Verdict.PROBLEM is finding.verdict
    assert f"port {PORT + slot} is taken by java (pid 9)" in finding.sentence
    assert "sudo kill 9" in finding.fix[0]


def test_a_port_taken_by_somebody_unseen_is_not_known(machine: Machine, net: Net) -> None:
    net.listen(None)
    finding = port(machine, OTHERS)
    assert Verdict.UNKNOWN is finding.verdict
    assert (f"sudo ss -ltnp 'sport = :{PORT}'",) == finding.fix
    assert Verdict.WARNING is port(machine, LOADED).verdict


def test_a_reader_open_to_the_network_is_warned_of_with_the_wall(
    machine: Machine, net: Net
) -> None:
    net.listen(PCSCD)
    net.listen(PCSCD, 1)
    finding = port(machine, LOADED)
    assert Verdict.WARNING is finding.verdict
    assert "all addresses" in finding.sentence
    fix = "\n".join(finding.fix)
    assert f"sudo iptables -A INPUT ! -i lo -p tcp --dport {PORT}:{PORT + 1} -j DROP" in fix
    assert f"tcp dport {PORT}-{PORT + 1} drop" in fix
    assert "unshare" in fix


def test_a_reader_that_only_this_machine_reaches_is_well(machine: Machine, net: Net) -> None:
    net.listen(PCSCD, everywhere=False)
    assert Verdict.OK is port(machine, LOADED).verdict


def test_who_is_plugged_in_is_named(machine: Machine, net: Net) -> None:
    net.listen(PCSCD)
    net.connect(SSCARD)
    assert "port 35963 has sscard (pid 7)" in port(machine, LOADED).sentence
    net.connect(Process(8, "vicc"), 1)
    assert (
        "port 35963 has sscard (pid 7), port 35964 has vicc (pid 8)"
        in port(machine, LOADED).sentence
    )


def test_a_second_card_that_waits_at_a_port_is_a_problem(machine: Machine, net: Net) -> None:
    net.listen(PCSCD)
    net.connect(SSCARD)
    net.connect(Process(8, "vicc"), accepted=False)
    finding = port(machine, LOADED)
    assert Verdict.PROBLEM is finding.verdict
    assert f"a card waits at port {PORT}, which has one already" in finding.sentence
    assert "port 35963 has sscard (pid 7) and vicc (pid 8)" in finding.sentence


@pytest.fixture
def real() -> Iterator[int]:
    """A port that is this process's."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows who has a socket")
def test_the_ports_of_the_configuration_are_looked_at_in_this_very_system(
    machine: Machine, real: int
) -> None:
    machine.path("/proc").symlink_to("/proc")
    write(machine, CONF, AS_DELIVERED.replace("0x8C7B", str(real)))
    finding = port(machine, OTHERS)
    assert Verdict.PROBLEM is finding.verdict
    assert f"port {real} is taken by " in finding.sentence
    assert f"(pid {os.getpid()})" in finding.sentence
