# SPDX-License-Identifier: Apache-2.0
"""Is the PC/SC service there, does it answer, and does it let this user in?"""

from __future__ import annotations

import re
from typing import Final

from host.doctor.finding import Finding, Verdict
from host.doctor.machine import Machine
from host.doctor.pcscd import OTHER_SOCKET, SOCKET, Service, Word

_ASKED: Final = (Word.ANSWERED, Word.REFUSED, Word.ANOTHER_VERSION)
"""Words after which the daemon is known to run."""


def service(machine: Machine, met: Service) -> Finding:
    """Whether a pcscd is installed, runs and answers."""

    def finding(verdict: Verdict, sentence: str, *fix: str) -> Finding:
        return Finding("service", f"pcscd at {met.path}", verdict, sentence, fix)

    if met.word is Word.NOT_ASKED:
        if machine.system == "win32":
            return Finding(
                "service",
                "the service SCardSvr",
                Verdict.NOT_APPLICABLE,
                "a part of Windows; it stops itself when no reader is plugged in",
                ("sc query SCardSvr",),
            )
        return Finding("service", "CryptoTokenKit", Verdict.NOT_APPLICABLE, "a part of macOS")
    if met.word is Word.ANOTHER_VERSION:
        return finding(
            Verdict.PROBLEM,
            f"pcscd runs but speaks version {met.version} of its protocol, and libpcsclite another:"
            " they come from different releases of pcsc-lite, as happens with a container's",
            "# bring both to one release: upgrade pcsc-lite here and where pcscd runs",
        )
    if met.word in _ASKED:
        said = f", protocol {met.version}" if met.version else ""
        return finding(Verdict.OK, f"pcscd runs and answers{said}")
    if met.path != SOCKET:
        return finding(
            Verdict.PROBLEM,
            f"{OTHER_SOCKET} names a socket where no pcscd answers: {_OF_THE_SOCKET[met.word]}",
            f"unset {OTHER_SOCKET}",
        )
    if met.word is Word.ABSENT:
        return _absent(machine)
    return finding(
        Verdict.PROBLEM, f"pcscd does not answer: {_OF_THE_SOCKET[met.word]}", *_fix(machine, met)
    )


_OF_THE_SOCKET: Final = {
    Word.ABSENT: "there is no such file",
    Word.DESERTED: "the socket is there but nobody listens, its daemon has died",
    Word.FORBIDDEN: "the socket's permissions keep this user out",
    Word.SILENT: "the connection is taken, but no answer comes in time: it hangs",
    Word.NOT_PCSCD: "what answers there is not pcscd",
}


def _absent(machine: Machine) -> Finding:
    """No socket: not installed, not started, or left outside of the container."""
    share = ("docker run -v /run/pcscd:/run/pcscd ...", "# or a pcscd of the container's own:")
    outside = share if machine.container else ()
    where = " in this container, nor is the host's socket mounted" if machine.container else ""
    if machine.program("pcscd"):
        sentence = f"pcscd is installed but does not run{where}"
        fix = (*outside, *starting(machine))
    else:
        sentence = f"pcscd is not installed{where}"
        fix = (*outside, *machine.installing("service"), *starting(machine))
    if where:
        fix = ("# from outside:", *fix)
    return Finding("service", f"pcscd at {SOCKET}", Verdict.PROBLEM, sentence, fix)


def _fix(machine: Machine, met: Service) -> tuple[str, ...]:
    if met.word is Word.FORBIDDEN:
        return (machine.as_root(f"chmod 0666 {met.path}"), machine.as_root("chmod 0755 /run/pcscd"))
    if met.word is Word.DESERTED:
        clear = machine.as_root(f"rm -f {met.path} /run/pcscd/pcscd.pid")
        return (clear, *starting(machine))
    return restarting(machine)


def starting(machine: Machine) -> tuple[str, ...]:
    """The lines that start pcscd, by what starts things here."""
    if machine.systemd:
        return (machine.as_root("systemctl enable --now pcscd.socket"),)
    if machine.program("rc-service"):
        return (machine.as_root("rc-service pcscd start"),)
    return (machine.as_root("pcscd") + (_without_polkit(machine) if machine.container else ""),)


def _without_polkit(machine: Machine) -> str:
    """The option for containers, where there is no polkit to ask, if this pcscd has it."""
    try:
        there = b"disable-polkit" in machine.path(machine.program("pcscd")).read_bytes()
    except OSError:
        there = False
    return " --disable-polkit" if there else ""


def restarting(machine: Machine) -> tuple[str, ...]:
    """The lines that end the service that runs, and start another."""
    if machine.system == "win32":
        return ("net stop SCardSvr", "net start SCardSvr")
    if not machine.pcsc_lite:
        return ("# unplug the readers and plug them in again",)
    if machine.systemd:
        return (machine.as_root("systemctl restart pcscd.socket pcscd.service"),)
    if machine.program("rc-service"):
        return (machine.as_root("rc-service pcscd restart"),)
    return (machine.as_root("pkill -x pcscd"), *starting(machine))


_RULES: Final = "/etc/polkit-1/rules.d/50-pcscd.rules"


def access(machine: Machine, met: Service, denied: bool) -> Finding:
    """Whether polkit lets this user in. `denied`: it did not when PC/SC was asked for readers."""

    def finding(verdict: Verdict, sentence: str, *fix: str) -> Finding:
        return Finding("access", "whether pcscd lets this user in", verdict, sentence, fix)

    if met.word not in _ASKED and not denied:
        return finding(Verdict.NOT_APPLICABLE, "nobody to ask: see service")
    if met.word is not Word.REFUSED and not denied:
        return finding(Verdict.OK, "pcscd does not turn this user away")
    sentence = (
        "pcscd turns this user away (SCARD_W_SECURITY_VIOLATION): polkit does not allow it,"
        " as it does only for who sits at the machine"
    )
    if machine.container:
        return finding(
            Verdict.PROBLEM,
            f"{sentence}; a pcscd in a container finds no polkit at all",
            *(machine.as_root(line) for line in ("pkill -x pcscd", "pcscd --disable-polkit")),
            "# or, if it is the host's, a rule of polkit there:",
            *_rule("the user's name outside"),
        )
    user = machine.environment.get("USER", "")
    user = user if re.fullmatch(r"[\w.-]+", user) else "NAME"
    return finding(Verdict.PROBLEM, sentence, *_rule(user, machine.as_root(f"tee {_RULES}")))


def _rule(user: str, tee: str = f"tee {_RULES}") -> tuple[str, ...]:
    return (
        f"{tee} <<'RULE'",
        "polkit.addRule(function(action, subject) {",
        '  if (action.id.indexOf("org.debian.pcsc-lite.") == 0 &&',
        f'      subject.user == "{user}") return polkit.Result.YES;',
        "});",
        "RULE",
    )
