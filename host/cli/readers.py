# SPDX-License-Identifier: Apache-2.0
"""`sscard readers`: the readers of this machine and what is in them, once or as it changes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Final

import click

from host.cli.refusals import DONE
from host.cli.text import packed, say_json, spaced, visible

if TYPE_CHECKING:
    from host.channel.pcsc.watch import Reader, ReaderEvent
    from host.faults import CardFault

NONE: Final = "No reader. `sscard doctor` says what may be missing."
OURS: Final = "social security card (社会保障卡) or PSAM"
_OTHER: Final = "another kind of card"
_DOCTOR: Final = "; `sscard doctor` looks into it"


@click.command()
@click.argument("name", metavar="[NAME]", default="")
@click.option("--watch", "watching", is_flag=True, help="Tell what changes, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON, for programs.")
def readers(name: str, watching: bool, as_json: bool) -> int:
    """List the PC/SC readers that have NAME in their names, and the cards in them.

    No card is connected to, so nobody is disturbed: what is told of a card is what its answer to
    reset tells. Exit status 1 where PC/SC cannot be used.

    With --json an object: readers, each with name, presence (empty, card or mute), atr, protocols
    (0 for T=0, 1 for T=1), interface (contact or contactless), social_security (whether the ATR is
    that of a social security card or a PSAM) and use (free, shared or exclusive); what is not known
    without a card is null. With --watch each event is an object: event, reader, atr, interface and
    social_security. It begins with what is there.
    """
    from host.channel.pcsc import PcscUnavailable
    from host.channel.pcsc.watch import states, watch
    from host.faults import ReaderGone

    try:
        if not watching:
            found = states(name)
            if name and not found and not as_json:
                click.echo(visible(_others(name)))
            else:
                _tell(found, as_json)
            return DONE
        with suppress(KeyboardInterrupt), closing(watch(name)) as events:
            for event in events:
                _tell_event(event, as_json)
    except (PcscUnavailable, ReaderGone) as error:
        raise _towards_the_doctor(error) from None
    return DONE


def _towards_the_doctor(error: CardFault) -> CardFault:
    return type(error)(f"{error}{_DOCTOR}")


def _others(name: str) -> str:
    """What to say where no reader has this name."""
    from host.channel.pcsc import readers as names

    there = ", ".join(f"'{each}'" for each in names())
    return f"No reader has '{name}' in its name; readers here: {there}" if there else NONE


def _tell(found: tuple[Reader, ...], as_json: bool) -> None:
    if as_json:
        say_json({"readers": [_as_json(each) for each in found]})
    elif not found:
        click.echo(NONE)
    else:
        for each in found:
            click.echo(visible(each.name))
            for label, value in _lines(each):
                click.echo(f"  {label:<11}{value}")


def _lines(reader: Reader) -> Iterator[tuple[str, str]]:
    from host.channel.pcsc.watch import Presence, Use

    if reader.presence is Presence.EMPTY:
        yield "card", "none"
        return
    if reader.presence is Presence.MUTE:
        yield "card", "mute: turn it round, or clean its contacts"
    else:
        about = _of_card(reader.atr)
        yield "card", OURS if about["social_security"] else _OTHER
        yield "ATR", spaced(reader.atr)
        spoken = ", ".join(f"T={each}" for each in _protocols(reader.atr))
        yield "protocols", spoken or "not told: the ATR is none"
        yield "interface", str(about["interface"])
    users = {Use.FREE: "by nobody", Use.SHARED: "shared", Use.EXCLUSIVE: "by one program alone"}
    yield "in use", users[reader.use]


def _tell_event(event: ReaderEvent, as_json: bool) -> None:
    about = _of_card(event.atr)
    if as_json:
        says: dict[str, object] = {"event": event.what.value, "reader": event.reader or None}
        say_json(says | {"atr": packed(event.atr) or None} | about)
        return
    words = [f"{event.what.value:<22}", visible(event.reader)]
    if event.atr:
        words += [spaced(event.atr), f"({OURS if about['social_security'] else _OTHER})"]
    click.echo("  ".join(words).rstrip())


def _as_json(reader: Reader) -> dict[str, object]:
    return {
        "name": reader.name,
        "presence": reader.presence.name.lower(),
        "atr": packed(reader.atr) or None,
        "protocols": _protocols(reader.atr) or None,
        **_of_card(reader.atr),
        "use": reader.use.name.lower(),
    }


def _of_card(atr: bytes) -> dict[str, object]:
    """What is told of a card by its ATR, or not, without one."""
    if not atr:
        return {"interface": None, "social_security": None}
    from apdu.atr import interface_of
    from host.cli.reset_words import of_the_family

    return {"interface": interface_of(atr).value, "social_security": of_the_family(atr)}


def _protocols(atr: bytes) -> list[int]:
    """Those that the ATR offers; none of what is no ATR."""
    from apdu.atr import Atr
    from apdu.errors import FormatError

    try:
        return list(Atr.parse(atr).protocols)
    except FormatError:
        return []
