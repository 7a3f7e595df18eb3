# SPDX-License-Identifier: Apache-2.0
"""The virtual reader (vsmartcard's vpcd): is it installed and loaded, and who is on its ports?"""

from __future__ import annotations

from typing import Final

from apdu.vpcd import PORT
from host.doctor.configuration import FOLDER, LISTENS, virtual
from host.doctor.finding import Finding, Verdict
from host.doctor.machine import Machine
from host.doctor.pcscd import Service, Word
from host.doctor.processes import Process, TcpSocket, owners_of, tcp_sockets
from host.doctor.service import restarting
from host.doctor.survey import VIRTUAL, Survey

_DAEMON: Final = "pcscd"
_OWN_FILE: Final = f"{FOLDER}/vpcd"
_SLOTS: Final = 2
"""Readers that vpcd has as it is built: the ports of the slots follow on each other."""
_LIBRARIES: Final = ("usr/lib*/pcsc/**/libifdvpcd.so", "usr/local/lib*/pcsc/**/libifdvpcd.so")
_BUILD: Final = (
    "# no package of this system is known, so build it (needs autoconf, automake, libtool):",
    "git clone https://github.com/frankmorgner/vsmartcard",
    "cd vsmartcard/virtualsmartcard && autoreconf -vis && ./configure --sysconfdir=/etc && make",
)


def vpcd(machine: Machine, met: Service, survey: Survey) -> Finding:
    """Whether the virtual reader is there for `sscard serve`."""
    entry = virtual(machine)

    def finding(verdict: Verdict, sentence: str, *fix: str) -> Finding:
        looked_at = f"the virtual reader, {entry.file if entry else FOLDER}"
        return Finding("vpcd", looked_at, verdict, sentence, fix)

    loaded = any(each.name.startswith(entry.name if entry else VIRTUAL) for each in survey.readers)
    if loaded:
        return finding(Verdict.OK, "vpcd is loaded: `sscard serve` can plug a card in")
    if not machine.pcsc_lite:
        sentence = "only for pcsc-lite; on macOS and Windows it is built from vsmartcard's sources"
        return finding(Verdict.NOT_APPLICABLE, sentence)
    if entry is None:
        return _not_configured(machine, met, survey)
    if entry.host or not machine.exists(entry.library):
        return finding(Verdict.UNKNOWN, "see configuration")
    if met.word is not Word.ANSWERED:
        return finding(Verdict.UNKNOWN, "vpcd is configured; pcscd has to run to load it")
    if not survey.answered:
        return finding(Verdict.UNKNOWN, f"vpcd is configured; {survey.trouble}")
    return finding(
        Verdict.PROBLEM,
        f"vpcd is configured, but the pcscd that runs has no reader '{entry.name}': it has not"
        " loaded it since it was installed, or another program has its port",
        *restarting(machine),
    )


def _not_configured(machine: Machine, met: Service, survey: Survey) -> Finding:
    library = _library(machine)
    restart = restarting(machine) if met.word is Word.ANSWERED else ()
    if library:
        sentence = f"vpcd's driver {library} is there, but pcscd is not told of it"
        fix: tuple[str, ...] = (
            f"{machine.as_root(f'tee {_OWN_FILE}')} <<'READER'",
            f'FRIENDLYNAME "{VIRTUAL}"',
            f"DEVICENAME   {LISTENS}:0x{PORT:04X}",
            f"LIBPATH      {library}",
            f"CHANNELID    0x{PORT:04X}",
            "READER",
        )
    else:
        sentence, fix = "vpcd is not installed", _installing(machine)
    needed = "the virtual reader of `sscard serve` needs it"
    if survey.readers:
        verdict, sentence = Verdict.NOT_APPLICABLE, f"{sentence}; only {needed}"
    else:
        verdict, sentence = Verdict.PROBLEM, f"{sentence}: {needed}"
    return Finding("vpcd", f"the virtual reader, {FOLDER}", verdict, sentence, (*fix, *restart))


def _library(machine: Machine) -> str:
    """Where vpcd's driver lies, empty if it does not."""
    for pattern in _LIBRARIES:
        for path in sorted(machine.root.glob(pattern)):
            return "/" + str(path.relative_to(machine.root))
    return ""


def _installing(machine: Machine) -> tuple[str, ...]:
    packages = machine.packages
    if packages is None or not packages.vpcd:
        return (*_BUILD, machine.as_root("make install"))
    return (machine.as_root(packages.lines(packages.vpcd)),)


def port(machine: Machine, survey: Survey) -> Finding:
    """Who listens on vpcd's ports, on which addresses, and which cards are plugged in."""
    entry = virtual(machine)
    first = entry.port if entry else PORT
    name = entry.name if entry else VIRTUAL
    ports = range(first, first + _SLOTS)
    sockets = [
        each for each in tcp_sockets(machine) if each.port in ports or each.far_port in ports
    ]
    owners = owners_of(machine, {each.inode for each in sockets})
    loaded = any(each.name.startswith(name) for each in survey.readers)

    def finding(verdict: Verdict, sentence: str, *fix: str) -> Finding:
        looked_at = f"TCP ports {first} and {first + 1}, where a card plugs in"
        return Finding("port", looked_at, verdict, sentence, fix)

    listening = [each for each in sockets if each.listening and each.port in ports]
    if not listening:
        if loaded:
            apart = "nobody listens in this network namespace: pcscd is kept in one of its own"
            return finding(Verdict.OK, apart)
        return finding(Verdict.NOT_APPLICABLE, "nobody listens, vpcd is not loaded")
    for each in listening:
        whose = owners.get(each.inode, [])
        if whose and all(process.name != _DAEMON for process in whose):
            return finding(
                Verdict.PROBLEM,
                f"port {each.port} is taken by {_names(whose)}: vpcd cannot have it",
                f"# end {whose[0].name} properly, or: {machine.as_root(f'kill {whose[0].pid}')}",
                *restarting(machine),
            )
        if not whose and not loaded:
            return finding(
                Verdict.UNKNOWN,
                f"port {each.port} is taken, this user may not see by whom",
                f"sudo ss -ltnp 'sport = :{each.port}'",
            )
    plugged, waiting = _cards(sockets, owners, ports)
    if waiting:
        return finding(
            Verdict.PROBLEM,
            f"a card waits at port {waiting}, which has one already: who connects first is the card"
            f"{plugged}",
            "# end the other program, or plug this card into the other slot",
        )
    if any(each.everywhere for each in listening):
        return finding(
            Verdict.WARNING,
            "pcscd listens on all addresses of this machine (vpcd cannot do otherwise): whoever"
            f" reaches it and connects first is the card{plugged}",
            *_walling_off(machine, ports),
        )
    return finding(Verdict.OK, f"pcscd listens for cards{plugged}")


def _cards(
    sockets: list[TcpSocket], owners: dict[int, list[Process]], ports: range
) -> tuple[str, int]:
    """Which programs are plugged in, as the end of a sentence; and a port where another waits."""
    words, waiting = [], 0
    for number in ports:
        here = [each for each in sockets if each.port == number and not each.listening]
        there = [each for each in sockets if each.far_port == number and not each.listening]
        if any(each.inode == 0 for each in here):
            waiting = number
        names = [_names(owners[each.inode]) for each in there if each.inode in owners]
        if here:
            words.append(f"port {number} has {' and '.join(names) or 'a card from elsewhere'}")
    return ("; " + ", ".join(words) if words else ""), waiting


def _names(processes: list[Process]) -> str:
    return ", ".join(str(each) for each in processes)


def _walling_off(machine: Machine, ports: range) -> tuple[str, ...]:
    """The lines that keep the network away from vpcd's ports."""
    first, last = ports[0], ports[-1]
    return (
        machine.as_root(f"iptables -A INPUT ! -i lo -p tcp --dport {first}:{last} -j DROP"),
        "# or with nftables, if there is a chain `input` in a table `inet filter`:",
        machine.as_root(
            f"nft add rule inet filter input iifname != lo tcp dport {first}-{last} drop"
        ),
        "# or keep pcscd in a network namespace of its own: `unshare --net`, `ip link set lo up`",
    )
