# SPDX-License-Identifier: Apache-2.0
"""The commands `sscard serve` and `sscard control`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from host.cli.opening import IMAGE
from host.cli.recording import record_options
from host.cli.refusals import DONE, REFUSED
from host.cli.text import say_json, visible

if TYPE_CHECKING:
    from host.cli.virtual.seat import Manner

as_json_option = click.option("--json", "as_json", is_flag=True, help="Write JSON, for programs.")
_WITH_IMAGE: Final = ("insert", "swap")
_MANNER: Final = ("transmission", "contactless", "chaos", "chaos_seed")
_SEEDS: Final = 1_000_000


@click.command()
@click.argument("cards", metavar="[CARD.img]...", nargs=-1, type=IMAGE)
@click.option("--psam", metavar="PSAM.img", type=IMAGE, help="A PSAM, for the next slot.")
@click.option(
    "--atr-protocol",
    "transmission",
    type=click.Choice(["T0", "T1"]),
    help="What the cards offer in their ATR: T0 drops Le where there is data, T1 keeps it."
    "  [default: T0]",
)
@click.option("--contactless", is_flag=True, help="Hold the cards to the readers instead.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Where the readers are.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help="Of slot 1; each further slot has the next.  [default: 35963]",
)
@click.option("--control", metavar="PATH", type=IMAGE, help="Take lines on a Unix socket there.")
@click.option("--power-safe", is_flag=True, help="Let every change wait until the disk has it.")
@click.option("--verbose", is_flag=True, help="Show commands and answers, in words.")
@click.option("--explain", is_flag=True, help="Say why the chip refuses, which no terminal hears.")
@click.option("--chaos", metavar="PROFILE", help="Faults on purpose: a shipped profile, or a file.")
@click.option("--chaos-seed", type=int, help="Same seed, same faults; else one is made and told.")
@record_options
@as_json_option
def serve(verbose: bool, explain: bool, as_json: bool, **given: Any) -> int:
    """Put cards into the virtual readers of this machine, for every PC/SC program to use.

    Needs `apt-get install vsmartcard-vpcd pcscd`, in any order: a card connects when there is a
    reader, and again when it comes back. Each card has a slot of its own, from 1; vpcd has two.
    What a card is told, it keeps. Ends on Ctrl-C or SIGTERM, with status 0 and the images closed.

    Cards come and go meanwhile: type `insert SLOT IMAGE`, `remove SLOT`, `swap SLOT IMAGE`, `list`
    or `help` where this runs in a terminal, or send the same with `sscard control`.

    --chaos knows worn-contacts, slow, pulled, liar and everything; a card that it pulls comes back
    after a second. --record makes FILE for slot 1, FILE.2 for slot 2 and so on.

    With --json each event is an object: event, slot, card; inserted also has host, port and atr,
    command what an exchange of `sscard demo --json` has, microseconds and perhaps why.
    """
    from apdu.vpcd import PORT
    from card_os.image import Durability
    from host.cli.virtual.running import Wanted
    from host.cli.virtual.running import serve as run
    from host.cli.virtual.watching import Board

    manner = _manner(**{name: given.pop(name) for name in _MANNER})
    safe = Durability.POWER_SAFE if given.pop("power_safe") else Durability.KILL_SAFE
    board = Board(as_json=as_json, verbose=verbose, explain=explain)
    port = given.pop("port") or PORT
    run(Wanted(manner=manner, durability=safe, port=port, **given), board)
    return DONE


def _manner(
    transmission: str | None, contactless: bool, chaos: str | None, chaos_seed: int | None
) -> Manner:
    """Raises UsageError, and FormatError for a profile."""
    from secrets import randbelow

    from apdu.atr import Interface, Transmission
    from host.channel.chaos_profile import SHIPPED, load_profile
    from host.cli.virtual.seat import Manner

    if contactless and transmission is not None:
        raise click.UsageError("--atr-protocol is for cards in a slot, not for --contactless.")
    if chaos is None and chaos_seed is not None:
        raise click.UsageError("--chaos-seed is about --chaos PROFILE.")
    try:
        profile = None if chaos is None else load_profile(chaos)
    except OSError as error:
        why = f"{error.strerror or error}; shipped are {', '.join(SHIPPED)}"
        raise click.UsageError(f"--chaos {visible(str(chaos))}: {why}.") from None
    return Manner(
        Interface.CONTACTLESS if contactless else Interface.CONTACT,
        Transmission[transmission or "T0"],
        profile,
        randbelow(_SEEDS) if chaos_seed is None else chaos_seed,
    )


@click.command()
@click.argument("path", metavar="PATH", type=IMAGE)
@click.argument("words", metavar="WORDS...", nargs=-1, required=True)
@as_json_option
def control(path: Path, words: tuple[str, ...], as_json: bool) -> int:
    """Say a line to the `sscard serve --control PATH` that is running, and print its answer.

    WORDS are list, insert SLOT [IMAGE], remove SLOT, swap SLOT IMAGE, help or quit. Exit status 1
    when it could not be done. With --json an object: ok, lines; of list also slots, each with
    slot, host, port, card and state.
    """
    from host.cli.virtual.control import send

    said = list(words)
    if said[0] in _WITH_IMAGE and len(said) == 3:
        said[2] = str(Path(said[2]).absolute())  # the other end may be elsewhere
    answer = send(path, shlex.join(said))
    if as_json:
        say_json(answer)
    else:
        for line in answer["lines"]:
            click.echo(visible(line), err=not answer["ok"])
    return DONE if answer["ok"] else REFUSED
