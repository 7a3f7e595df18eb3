# SPDX-License-Identifier: Apache-2.0
"""The doctor about pcscd: what a daemon that is missing, dead, mute or unwilling is called."""

from __future__ import annotations

import shutil
import socket
import struct
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.doctor.finding import Verdict
from host.doctor.machine import Machine
from host.doctor.packages import FAMILIES, family
from host.doctor.pcscd import Service, Word, meet
from host.doctor.service import access, restarting, service, starting

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there pcsc-lite is not")

COMM = "/run/pcscd/pcscd.comm"
DEBIAN = 'ID=debian\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n'
GOOD = struct.pack("=iiI", 4, 4, 0)
STOPPED = 0x8010_001E

Machines = Callable[..., Machine]


def write(machine: Machine, name: str, text: str = "", mode: int = 0o644) -> None:
    path = machine.path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


@pytest.fixture
def machine() -> Iterator[Machine]:
    """An empty Debian, of a user who is not root; its path is short, as a socket's has to be."""
    root = Path(tempfile.mkdtemp(prefix="sc"))
    made = Machine(root, {"PATH": "/usr/bin", "USER": "li"}, "linux", user=1000, deadline=0.2)
    write(made, "/etc/os-release", DEBIAN)
    yield made
    shutil.rmtree(root)


@pytest.fixture
def daemon(machine: Machine) -> Iterator[Callable[[bytes | None], None]]:
    """Starts a daemon on the machine's socket that says this, or nothing at all for None."""
    listeners: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def serve(listener: socket.socket, says: bytes | None) -> None:
        line, _ = listener.accept()
        with line:
            assert 20 == len(line.recv(20, socket.MSG_WAITALL))
            if says is None:
                line.recv(1)  # until the doctor has had enough
            else:
                line.sendall(says)

    def start(says: bytes | None) -> None:
        machine.path(COMM).parent.mkdir(parents=True, exist_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(machine.path(COMM)))
        listener.listen()
        listeners.append(listener)
        threads.append(threading.Thread(target=serve, args=(listener, says)))
        threads[-1].start()

    yield start
    for thread in threads:
        thread.join()
    for listener in listeners:
        listener.close()


@pytest.mark.parametrize(
    ("says", "word"),
    [
        (GOOD, Word.ANSWERED),
        (b"", Word.REFUSED),
        (None, Word.SILENT),
        (struct.pack("=iiI", 4, 9, STOPPED), Word.ANOTHER_VERSION),
        (b"HTTP/1.1 400", Word.NOT_PCSCD),
        (b"no", Word.NOT_PCSCD),
    ],
    ids=lambda found: found.name if isinstance(found, Word) else "",
)
def test_each_way_to_answer_is_told_apart(
    machine: Machine,
    daemon: Callable[[bytes | None], None],
    says: bytes | None,
    word: Word,
) -> None:
    daemon(says)
    met = meet(machine)
    assert word is met.word
    wrong = word is not Word.ANSWERED
    there = {service(machine, met).verdict, access(machine, met, False).verdict}
    assert wrong == (Verdict.PROBLEM in there)
    if word in (Word.ANSWERED, Word.ANOTHER_VERSION):
        assert f"4.{9 if wrong else 4}" == met.version
        assert met.version in service(machine, met).sentence


def test_the_socket_may_be_elsewhere_and_a_wrong_place_is_named(machine: Machine) -> None:
    elsewhere = replace(machine, environment={"PCSCLITE_CSOCK_NAME": "/other/comm"})
    met = meet(elsewhere)
    assert ("/other/comm", Word.ABSENT) == (met.path, met.word)
    finding = service(elsewhere, met)
    assert "PCSCLITE_CSOCK_NAME names a socket" in finding.sentence
    assert ("unset PCSCLITE_CSOCK_NAME",) == finding.fix


def test_a_socket_that_nobody_listens_on_is_cleared_away_first(machine: Machine) -> None:
    machine.path(COMM).parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(machine.path(COMM)))
    met = meet(machine)
    assert Word.DESERTED is met.word
    finding = service(machine, met)
    assert finding.fix == (f"sudo rm -f {COMM} /run/pcscd/pcscd.pid", "sudo pcscd")


def test_a_daemon_that_hangs_is_ended_before_another_is_started(machine: Machine) -> None:
    finding = service(machine, Service(Word.SILENT))
    assert "hangs" in finding.sentence
    assert ("sudo pkill -x pcscd", "sudo pcscd") == finding.fix


def test_permissions_that_keep_the_user_out_are_mended(machine: Machine) -> None:
    finding = service(machine, Service(Word.FORBIDDEN))
    assert Verdict.PROBLEM is finding.verdict
    assert f"sudo chmod 0666 {COMM}" == finding.fix[0]


def test_a_daemon_that_is_not_installed_comes_with_the_line_that_installs_it(
    machine: Machine,
) -> None:
    finding = service(machine, meet(machine))
    assert "pcscd is not installed" == finding.sentence
    assert ("sudo apt-get install -y pcscd", "sudo pcscd") == finding.fix
    write(machine, "/usr/sbin/pcscd", mode=0o755)
    finding = service(machine, meet(machine))
    assert "pcscd is installed but does not run" == finding.sentence
    assert ("sudo pcscd",) == finding.fix


def test_it_is_started_by_what_starts_things_here(machine: Machine) -> None:
    assert ("sudo pcscd",) == starting(machine)
    assert ("pcscd",) == starting(replace(machine, user=0))
    write(machine, "/sbin/rc-service", mode=0o755)
    assert ("sudo rc-service pcscd start",) == starting(machine)
    machine.path("/run/systemd/system").mkdir(parents=True)
    assert ("sudo systemctl enable --now pcscd.socket",) == starting(machine)
    assert "systemctl restart" in restarting(machine)[0]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("/.dockerenv", ""),
        ("/run/.containerenv", ""),
        ("/proc/1/cgroup", "0::/system.slice/docker-ab12.scope\n"),
        ("/proc/1/cgroup", "4:cpu:/kubepods/besteffort/pod12\n"),
    ],
)
def test_in_a_container_the_socket_of_the_host_is_one_way(
    machine: Machine, name: str, text: str
) -> None:
    assert not machine.container
    write(machine, name, text)
    write(machine, "/usr/sbin/pcscd", "--disable-polkit", mode=0o755)
    inside = replace(machine)
    assert inside.container
    finding = service(inside, meet(inside))
    assert "in this container, nor is the host's socket mounted" in finding.sentence
    assert any("-v /run/pcscd:/run/pcscd" in line for line in finding.fix)
    assert "sudo pcscd --disable-polkit" == finding.fix[-1]


def test_polkit_gets_a_rule_for_this_user_alone(machine: Machine) -> None:
    finding = access(machine, Service(Word.REFUSED), False)
    assert Verdict.PROBLEM is finding.verdict
    assert "sudo tee /etc/polkit-1/rules.d/" in finding.fix[0]
    rule = "\n".join(finding.fix)
    assert 'subject.user == "li"' in rule
    assert "org.debian.pcsc-lite." in rule
    assert finding == access(machine, Service(Word.ANSWERED), True)


def test_a_user_name_that_could_break_out_of_the_rule_is_not_put_in(machine: Machine) -> None:
    sly = replace(machine, environment={"USER": 'x" || true || "'})
    rule = "\n".join(access(sly, Service(Word.REFUSED), False).fix)
    assert 'subject.user == "NAME"' in rule
    assert "true" not in rule


def test_in_a_container_the_service_does_without_polkit(machine: Machine) -> None:
    write(machine, "/.dockerenv")
    fix = access(machine, Service(Word.REFUSED), False).fix
    assert "sudo pcscd --disable-polkit" in fix


def test_other_systems_have_no_daemon_to_ask() -> None:
    for system in "darwin", "win32":
        machine = Machine(system=system)
        met = meet(machine)
        assert Word.NOT_ASKED is met.word
        assert Verdict.NOT_APPLICABLE is service(machine, met).verdict
        assert Verdict.NOT_APPLICABLE is access(machine, met, False).verdict


@pytest.mark.parametrize(
    ("release", "name"),
    [
        ("ID=debian", "debian"),
        ("ID=ubuntu\nID_LIKE=debian", "debian"),
        ("ID=linuxmint\nID_LIKE='ubuntu debian'", "debian"),
        ('ID="rhel"\nID_LIKE="fedora"', "fedora"),
        ('ID="rocky"\nID_LIKE="rhel centos fedora"', "fedora"),
        ("ID=openEuler", "fedora"),
        ("ID=kylin\nID_LIKE=debian", "debian"),
        ("ID=arch", "arch"),
        ("ID=manjaro\nID_LIKE=arch", "arch"),
        ("ID=alpine", "alpine"),
        ("ID=opensuse-leap", "suse"),
        ('ID="opensuse-tumbleweed"\nID_LIKE="opensuse suse"', "suse"),
        ("ID=plan9", None),
        ("", None),
    ],
)
def test_a_distribution_is_known_by_its_family(release: str, name: str | None) -> None:
    assert (FAMILIES[name] if name else None) == family(release)


@given(st.text())
def test_no_text_breaks_the_reading_of_os_release(text: str) -> None:
    assert family(text) in (None, *FAMILIES.values())


def test_an_unknown_system_is_told_what_to_install_in_words() -> None:
    unknown = Machine(Path("/nowhere"), {}, "linux")
    assert ("# install libpcsclite.so.1 with this system's package tool",) == unknown.installing(
        "library"
    )


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_has_a_name_for_everything_but_perhaps_vpcd(
    machine: Machine, name: str
) -> None:
    write(machine, "/etc/os-release", f"ID={name}")
    line = machine.installing("building", "service", "library", "ccid")[0]
    assert line.startswith(f"sudo {FAMILIES[name].install} ")
    assert len(set(line.split())) == len(line.split())
