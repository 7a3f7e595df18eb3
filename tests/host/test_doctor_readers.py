# SPDX-License-Identifier: Apache-2.0
"""The doctor about readers: none, held, mute, or on the USB without PC/SC knowing them."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.channel.pcsc import PcscUnavailable
from host.channel.pcsc.watch import Presence, Reader, Use
from host.cli.testcard import issue_test_card
from host.doctor import processes
from host.doctor.finding import Verdict
from host.doctor.machine import Machine
from host.doctor.pcscd import Service, Word
from host.doctor.processes import Clients, Process, TcpSocket, clients_of, owners_of, tcp_sockets
from host.doctor.readers import cards, holders, readers
from host.doctor.survey import Survey, ask
from host.doctor.usb import plugged_readers, usb
from host.faults import ReaderGone

ATR = issue_test_card().reset()
ACR = "ACS ACR38U 00 00"
EMPTY = Reader(ACR)
CARD = Reader(ACR, Presence.CARD, ATR)
MUTE = Reader(ACR, Presence.MUTE)
VIRTUAL = Reader("Virtual PCD 00 00")
MET = Service(Word.ANSWERED)
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows who has a socket")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text("ID=debian")
    return Machine(tmp_path, {}, "linux", user=1000)


def test_readers_are_named(machine: Machine) -> None:
    finding = readers(machine, Survey((CARD, VIRTUAL)))
    assert (Verdict.OK, f"{ACR}, Virtual PCD 00 00") == (finding.verdict, finding.sentence)


def test_no_reader_at_all_is_a_problem(machine: Machine) -> None:
    finding = readers(machine, Survey())
    assert Verdict.PROBLEM is finding.verdict
    assert "there is no reader" in finding.sentence


def test_a_survey_that_failed_by_itself_is_a_problem_and_else_is_left_to_its_check(
    machine: Machine,
) -> None:
    finding = readers(machine, Survey(trouble="the service is mute"))
    assert Verdict.PROBLEM is finding.verdict
    assert ("sudo pkill -x pcscd", "sudo pcscd") == finding.fix
    assert "net start" in readers(replace(machine, system="win32"), Survey(trouble="x")).fix[-1]
    assert Verdict.UNKNOWN is readers(machine, Survey.left_to("service")).verdict


@pytest.mark.parametrize(
    ("fault", "survey"),
    [
        (
            ReaderGone("PC/SC: turned away (SCARD_W_SECURITY_VIOLATION)"),
            Survey(trouble="see access", denied=True),
        ),
        (ReaderGone("PC/SC: no answer for 5 s"), Survey(trouble="PC/SC: no answer for 5 s")),
        (PcscUnavailable("no wheel"), Survey(trouble="see pyscard", import_error="no wheel")),
    ],
    ids=["denied", "mute", "broken"],
)
def test_what_pc_sc_raises_becomes_a_trouble(
    monkeypatch: pytest.MonkeyPatch, machine: Machine, fault: Exception, survey: Survey
) -> None:
    def states(*, deadline: float) -> tuple[Reader, ...]:
        assert machine.deadline == deadline
        raise fault

    monkeypatch.setattr("host.channel.pcsc.watch.states", states)
    assert survey == ask(machine)
    monkeypatch.setattr("host.channel.pcsc.watch.states", lambda deadline: (CARD,))
    assert Survey((CARD,)) == ask(machine)


def test_a_card_is_shown_by_its_atr(machine: Machine) -> None:
    finding = cards(machine, Survey((CARD, VIRTUAL)))
    assert Verdict.OK is finding.verdict
    assert f"{ACR}: {ATR.hex(' ').upper()}" == finding.sentence


def test_a_mute_card_is_a_problem_and_an_odd_atr_a_warning(machine: Machine) -> None:
    finding = cards(machine, Survey((CARD, MUTE)))
    assert Verdict.PROBLEM is finding.verdict
    assert "gives no ATR" in finding.sentence
    odd = replace(CARD, atr=b"\x00\x00")
    assert Verdict.WARNING is cards(machine, Survey((odd,))).verdict


def test_no_card_is_no_problem(machine: Machine) -> None:
    assert Verdict.OK is cards(machine, Survey((EMPTY,))).verdict
    assert Verdict.NOT_APPLICABLE is cards(machine, Survey()).verdict


# Who holds a card


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Clients]]:
    """What is seen of who is connected."""
    seen = [Clients()]
    monkeypatch.setattr("host.doctor.readers.clients_of", lambda *_: seen[0])
    yield seen


ALONE = Survey((replace(CARD, use=Use.EXCLUSIVE),))
SHARED = Survey((replace(CARD, use=Use.SHARED),))


def test_who_has_the_card_alone_is_named_with_how_to_end_it(
    machine: Machine, clients: list[Clients]
) -> None:
    clients[0] = Clients((Process(7, "bank-client"),))
    finding = holders(machine, ALONE, MET)
    assert Verdict.PROBLEM is finding.verdict
    assert f"has {ACR} to itself; connected to pcscd: bank-client (pid 7)" in finding.sentence
    assert ("# end bank-client properly, or: sudo kill 7",) == finding.fix


def test_the_card_daemon_of_gnupg_is_taught_to_share(
    machine: Machine, clients: list[Clients]
) -> None:
    clients[0] = Clients((Process(7, "scdaemon"), Process(8, "other")))
    fix = "\n".join(holders(machine, ALONE, MET).fix)
    assert "disable-ccid\\npcsc-shared" in fix
    assert "gpgconf --kill scdaemon" in fix
    assert "kill 7" not in fix
    assert "kill 8" in fix


def test_who_shares_a_card_is_named_and_no_problem(
    machine: Machine, clients: list[Clients]
) -> None:
    clients[0] = Clients((Process(7, "p11-kit"),))
    finding = holders(machine, SHARED, MET)
    assert Verdict.OK is finding.verdict
    assert f"{ACR} in use, shared; connected to pcscd: p11-kit (pid 7)" == finding.sentence


def test_a_card_that_nobody_uses_is_nobodys(machine: Machine, clients: list[Clients]) -> None:
    clients[0] = Clients((Process(7, "idle"),))
    assert "no program has a card in use" == holders(machine, Survey((CARD,)), MET).sentence
    assert Verdict.NOT_APPLICABLE is holders(machine, Survey(), MET).verdict


def test_what_the_user_may_not_see_is_said(machine: Machine, clients: list[Clients]) -> None:
    clients[0] = Clients((), 2)
    finding = holders(machine, ALONE, MET)
    assert "2 that this user may not see" in finding.sentence
    assert "sudo sscard doctor" in finding.fix[0]
    clients[0] = Clients()
    root = holders(replace(machine, user=0), ALONE, MET)
    assert "nobody that is seen from here" in root.sentence
    assert "where the other program runs" in root.fix[0]


CLIENT = """
import socket, sys
line = socket.socket(socket.AF_UNIX)
line.connect(sys.argv[1])
print(flush=True)
sys.stdin.read()
"""


@contextmanager
def client_at(path: str) -> Iterator[subprocess.Popen[bytes]]:
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", CLIENT, path]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as client:
        assert client.stdout is not None and client.stdin is not None
        client.stdout.readline()
        yield client
        client.stdin.close()


@linux
def test_the_processes_at_the_other_ends_of_a_socket_are_found() -> None:
    with tempfile.TemporaryDirectory(prefix="sc") as home, socket.socket(socket.AF_UNIX) as comm:
        path = f"{home}/comm"
        comm.bind(path)
        comm.listen()
        machine = Machine()
        assert Clients() == clients_of(machine, path)
        with client_at(path) as one, client_at(path) as two, socket.socket(socket.AF_UNIX) as own:
            own.connect(path)
            gone = socket.socket(socket.AF_UNIX)
            gone.connect(path)
            far = [comm.accept()[0] for _ in "1234"]
            gone.close()
            found = clients_of(machine, path)
            for each in far:
                each.close()
        if not found.seen:
            pytest.skip("this kernel does not tell the ends of a socket")
        assert {one.pid, two.pid} == {each.pid for each in found.seen}
        assert 0 == found.unseen
        assert all(each.name.startswith("python") for each in found.seen)


@linux
def test_a_kernel_that_tells_no_ends_leaves_them_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> None:
        raise OSError("no")

    with tempfile.TemporaryDirectory(prefix="sc") as home, socket.socket(socket.AF_UNIX) as comm:
        comm.bind(f"{home}/comm")
        comm.listen()
        with client_at(f"{home}/comm"), comm.accept()[0]:
            monkeypatch.setattr(processes.socket, "socket", none)
            assert Clients((), 1) == clients_of(Machine(), f"{home}/comm")


@linux
def test_listening_and_connected_tcp_sockets_are_found_with_their_owner() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as line:
        port = server.getsockname()[1]
        line.connect(("127.0.0.1", port))
        with server.accept()[0]:
            found = [each for each in tcp_sockets(Machine()) if port in (each.port, each.far_port)]
            assert {(True, False), (False, False)} == {(e.listening, e.everywhere) for e in found}
            assert 3 == len(found)
            owners = owners_of(Machine(), {each.inode for each in found})
    assert {each.inode for each in found} == owners.keys()


@given(st.text(alphabet="0123456789ABCDEF: \n"))
def test_no_table_of_the_kernel_breaks_the_reading(text: str) -> None:
    class Told(Machine):
        def text(self, name: str) -> str:
            return text

    assert all(isinstance(each, TcpSocket) for each in tcp_sockets(Told()))


# The USB


def plug(machine: Machine, device: str, interface: str, driver: str = "", name: str = "") -> None:
    """A device as sysfs shows it."""
    folder = machine.path(f"/sys/bus/usb/devices/{device}:1.0")
    folder.mkdir(parents=True)
    (folder / "bInterfaceClass").write_text(interface + "\n")
    if driver:
        (folder / "driver").symlink_to(f"../../drivers/{driver}")
    whole = folder.with_name(device)
    whole.mkdir()
    if name:
        (whole / "product").write_text(name + "\n")


def test_a_reader_that_pc_sc_has_is_well(machine: Machine) -> None:
    plug(machine, "1-2", "0b", "usbfs", "ACR38U")
    plug(machine, "1-3", "03", "usbhid", "Mouse")
    machine.path("/usr/lib/pcsc/drivers/ifd-ccid.bundle").mkdir(parents=True)
    finding = usb(machine, Survey((EMPTY,)))
    assert (Verdict.OK, "ACR38U") == (finding.verdict, finding.sentence)


def test_a_reader_without_its_driver_is_named_with_the_package(machine: Machine) -> None:
    plug(machine, "1-2", "0b", name="ACR38U")
    finding = usb(machine, Survey((VIRTUAL,)))
    assert Verdict.PROBLEM is finding.verdict
    assert "ACR38U" in finding.sentence and "libccid" in finding.sentence
    assert ("sudo apt-get install -y libccid",) == finding.fix


def test_a_reader_with_a_driver_of_its_maker_needs_no_other(machine: Machine) -> None:
    plug(machine, "1-2", "0b", "usbfs", "ACR38U")
    assert Verdict.OK is usb(machine, Survey((EMPTY,))).verdict


def test_a_reader_that_pcscd_does_not_take_is_named(machine: Machine) -> None:
    plug(machine, "1-2", "0b")
    machine.path("/usr/lib/pcsc/drivers/ifd-ccid.bundle").mkdir(parents=True)
    finding = usb(machine, Survey((VIRTUAL,)))
    assert Verdict.PROBLEM is finding.verdict
    assert "device 1-2" in finding.sentence
    assert Verdict.UNKNOWN is usb(machine, Survey.left_to("service")).verdict


@pytest.mark.parametrize("driver", ["pn533_usb", "port100"])
def test_a_reader_that_the_kernel_holds_is_freed(machine: Machine, driver: str) -> None:
    plug(machine, "1-2", "ff", driver, "SCL3711")
    finding = usb(machine, Survey((EMPTY,)))
    assert Verdict.PROBLEM is finding.verdict
    assert f"driver {driver} holds the reader SCL3711" in finding.sentence
    assert finding.fix[0].startswith(f"sudo modprobe -r {driver} ")
    assert f"blacklist {driver}" in finding.fix[-1]


def test_no_usb_is_no_problem(machine: Machine) -> None:
    assert () == plugged_readers(machine)
    assert Verdict.NOT_APPLICABLE is usb(machine, Survey()).verdict
