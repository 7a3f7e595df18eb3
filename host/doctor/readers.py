# SPDX-License-Identifier: Apache-2.0
"""The readers that PC/SC has, the cards in them, and who keeps a card to himself."""

from __future__ import annotations

from typing import Final

from apdu.atr import Atr
from apdu.errors import FormatError
from host.channel.pcsc.watch import Presence, Use
from host.doctor.finding import Finding, Verdict
from host.doctor.machine import Machine
from host.doctor.pcscd import Service
from host.doctor.processes import Clients, clients_of
from host.doctor.service import restarting
from host.doctor.survey import Survey

_SCDAEMON: Final = "scdaemon"
_LEAVE_IT_SHARED: Final = (
    "# let gpg share the reader, and take it only over PC/SC:",
    "printf 'disable-ccid\\npcsc-shared\\n' >> ~/.gnupg/scdaemon.conf",
    "gpgconf --kill scdaemon",
)


def readers(machine: Machine, survey: Survey) -> Finding:
    """Whether there is any reader."""

    def finding(verdict: Verdict, sentence: str, *fix: str) -> Finding:
        return Finding("readers", "the readers that PC/SC has", verdict, sentence, fix)

    if not survey.answered:
        if survey.own_trouble:
            return finding(Verdict.PROBLEM, f"not known: {survey.trouble}", *restarting(machine))
        return finding(Verdict.UNKNOWN, f"not known: {survey.trouble}")
    if not survey.readers:
        return finding(
            Verdict.PROBLEM,
            "PC/SC works, but there is no reader",
            "# plug one in, or have a virtual one: see vpcd",
        )
    return finding(Verdict.OK, _listed([each.name for each in survey.readers]))


def cards(machine: Machine, survey: Survey) -> Finding:
    """Whether the cards in the readers answer; only their ATR is looked at."""

    def finding(verdict: Verdict, sentence: str, *fix: str) -> Finding:
        return Finding("cards", "the cards in the readers", verdict, sentence, fix)

    if not survey.readers:
        return finding(Verdict.NOT_APPLICABLE, "no reader to look into")
    mute = [each.name for each in survey.readers if each.presence is Presence.MUTE]
    if mute:
        return finding(
            Verdict.PROBLEM,
            f"the card in {_listed(mute)} gives no ATR",
            "# turn it round, or clean its contacts; a virtual card: see what its program says",
        )
    there = [each for each in survey.readers if each.presence is Presence.CARD]
    if not there:
        return finding(Verdict.OK, "no card in any reader; `sscard serve` puts one into vpcd's")
    said = "; ".join(f"{each.name}: {each.atr.hex(' ').upper()}" for each in there)
    for each in there:
        try:
            Atr.parse(each.atr)
        except FormatError as error:
            sentence = f"{said}; the ATR of the card in {each.name} is not well formed: {error}"
            return finding(Verdict.WARNING, sentence)
    return finding(Verdict.OK, said)


def holders(machine: Machine, survey: Survey, met: Service) -> Finding:
    """Who uses the readers, by name, as far as this user may see."""

    def finding(verdict: Verdict, sentence: str, *fix: str) -> Finding:
        return Finding("holders", "who uses the readers", verdict, sentence, fix)

    if not survey.readers:
        return finding(Verdict.NOT_APPLICABLE, "no reader to hold")
    alone = [each.name for each in survey.readers if each.use is Use.EXCLUSIVE]
    shared = [each.name for each in survey.readers if each.use is Use.SHARED]
    if not alone and not shared:
        return finding(Verdict.OK, "no program has a card in use")
    clients = clients_of(machine, met.path)
    who, fix = _named(machine, clients)
    if alone:
        return finding(
            Verdict.PROBLEM,
            f"another program has {_listed(alone)} to itself; connected to pcscd: {who}",
            *fix,
        )
    return finding(Verdict.OK, f"{_listed(shared)} in use, shared; connected to pcscd: {who}")


def _named(machine: Machine, clients: Clients) -> tuple[str, tuple[str, ...]]:
    """The clients in words, and what to type to be rid of them."""
    if not clients.seen and not clients.unseen:
        elsewhere = " outside of the container" if machine.container else ""
        return f"nobody that is seen from here{elsewhere}", (_to_see_more(machine),)
    names = [str(each) for each in clients.seen]
    fix: list[str] = []
    for each in clients.seen:
        if each.name == _SCDAEMON:
            fix = [*_LEAVE_IT_SHARED, *fix]
        else:
            fix.append(f"# end {each.name} properly, or: {machine.as_root(f'kill {each.pid}')}")
    if clients.unseen:
        names.append(f"{clients.unseen} that this user may not see")
        fix.append(_to_see_more(machine))
    return ", ".join(names), tuple(fix)


def _to_see_more(machine: Machine) -> str:
    if machine.user:
        return "sudo sscard doctor  # root sees the processes of all users"
    return "# run the doctor where the other program runs: containers do not see each other"


def _listed(names: list[str]) -> str:
    return ", ".join(names)
