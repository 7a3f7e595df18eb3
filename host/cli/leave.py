# SPDX-License-Identifier: Apache-2.0
"""What the command line allows with a physical card: the options of the gate, and its questions."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from host.cli.text import visible
from host.rules import FLOOR, AllowList, Rules

if TYPE_CHECKING:
    from host.channel import Channel
    from host.channel.guard import Gate

F = TypeVar("F", bound=Callable[..., Any])
ALLOW_FILE: Final = Path("sscard", "allow")
"""Below $XDG_CONFIG_HOME (~/.config): cards that may be written to, one a line, # for remarks."""
MOST_TRIES: Final = 15
_BETWEEN: Final = str.maketrans("", "", " \t:")
_ATR: Final = re.compile(r"3[BF](?:[0-9A-F]{2}){1,32}", re.ASCII)
"""TS, T0 and what they announce, 33 bytes at most (ISO 7816-3 8.2)."""
_NUMBER: Final = re.compile(r"[0-9A-Z]{8,32}", re.ASCII)


def leave_options(verb: F) -> F:
    """The options of the gate before a physical card: allow, floor, dry_run, yes."""
    options = (
        click.option(
            "--allow",
            metavar="ATR|NUMBER",
            multiple=True,
            help="A card in a PC/SC reader that may be changed, by its ATR or a number of its own"
            f" (card, identification, PAN, PSAM serial). Also one a line in {ALLOW_FILE} below"
            " ~/.config.",
        ),
        click.option(
            "--floor",
            metavar="TRIES",
            type=click.IntRange(0, MOST_TRIES),
            default=FLOOR,
            show_default=True,
            help="PIN tries that must be left there after a wrong PIN.",
        ),
        click.option(
            "--dry-run", is_flag=True, help="Stop before the card there is changed; show by what."
        ),
        click.option("--yes", is_flag=True, help="What cannot be undone there is meant."),
    )
    for option in reversed(options):
        verb = option(verb)
    return verb


@dataclass(frozen=True)
class Leave:
    """What may be done with a physical card."""

    allow: tuple[str, ...] = ()
    floor: int = FLOOR
    dry_run: bool = False
    yes: bool = False
    reads_only: bool = False
    """The command has no such options, since it does nothing but read."""

    @classmethod
    def taken(cls, given: dict[str, Any]) -> Leave:
        """Out of what a command was given by `leave_options`."""
        names = ("allow", "floor", "dry_run", "yes")
        return cls(**{name: given.pop(name) for name in names})

    def check(self, physical: bool) -> None:
        """A usage error for options of the gate where there is no card behind it."""
        if not physical and self != Leave():
            raise click.UsageError(
                "--allow, --floor, --dry-run and --yes are about a card in a PC/SC reader."
            )

    def around(self, channel: Channel, *, psam: bool) -> Channel:
        """The channel of a physical card, behind the gate."""
        from host.channel.guard import GuardedChannel

        if not self.dry_run:
            return GuardedChannel(channel, self._gate)
        return _shown(channel, self._rules, psam)

    @cached_property
    def _gate(self) -> Gate:
        """One for all cards of the command: what was said of one is said of the next."""
        from host.channel.guard import Gate
        from host.cli.own_numbers import own_numbers

        return Gate(self._rules, numbers=own_numbers, sure=self._sure)

    @property
    def _rules(self) -> Rules:
        if self.reads_only:
            return Rules(reads_only=True)
        return Rules(allow_list(self.allow, _allow_file()), self.floor, self.dry_run)

    def _sure(self, sentence: str) -> bool:
        """Ask whoever sits here; without a terminal nobody is sure."""
        if not (self.yes or at_a_terminal()):
            return False
        click.echo(sentence, err=True)
        try:
            return self.yes or click.confirm("Go on?", err=True)
        except click.Abort:
            return False


def at_a_terminal() -> bool:
    """Whether somebody sits here who can be asked."""
    return sys.stdin is not None and sys.stdin.isatty()


def allow_list(given: Iterable[str], file: Path) -> AllowList:
    """The cards on the command line and in a file, which need not exist.

    Raises a usage error that names the option or the line, and the rule.
    """
    atrs, numbers = set(), set()
    for where, text in (*(("--allow", each) for each in given), *_lines(file)):
        entry = text.translate(_BETWEEN).upper()
        if _ATR.fullmatch(entry):
            atrs.add(bytes.fromhex(entry))
        elif _NUMBER.fullmatch(entry) and not entry.startswith(("3B", "3F")):
            numbers.add(entry)
        else:
            raise click.UsageError(
                f"{where}: must be an ATR (3B or 3F and up to 32 more bytes, in hexadecimal) or a"
                " number of 8 to 32 digits and letters."
            )
    return AllowList(frozenset(atrs), frozenset(numbers))


def _lines(file: Path) -> Iterator[tuple[str, str]]:
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return
    except UnicodeDecodeError:
        raise click.UsageError(f"{visible(str(file))}: must be UTF-8.") from None
    except OSError as error:
        raise click.UsageError(f"{visible(str(file))}: {error.strerror or error}.") from None
    for number, line in enumerate(text.splitlines(), start=1):
        entry = line.partition("#")[0].strip()
        if entry:
            yield f"{visible(str(file))} line {number}", entry


def _allow_file() -> Path:
    home = os.environ.get("XDG_CONFIG_HOME")
    return (Path(home) if home else Path.home() / ".config") / ALLOW_FILE


def _shown(channel: Channel, rules: Rules, psam: bool) -> Channel:
    """The gate of a dry run, which follows the conversation to say what it holds back."""
    from apdu.trace import Exchange
    from host.channel.guard import Gate, GuardedChannel
    from host.channel.trace import RecordingChannel
    from host.cli.explain import Explainer

    explainer = Explainer(psam=psam)

    def told(command: bytes) -> None:
        found = explainer.explain(Exchange.of(command, b""))
        click.echo(f"not sent: {found.name} {visible(found.meaning)}".rstrip(), err=True)
        click.echo(f"  {found.exchange.command_text}", err=True)
        for each in found.sent:
            words = (each.tag, each.english, each.chinese, each.value or "", each.meaning)
            click.echo(f"  {visible(' '.join(filter(None, words)))}", err=True)

    def follow(exchange: Exchange) -> None:
        explainer.explain(exchange)

    return GuardedChannel(RecordingChannel(channel, follow), Gate(rules, told=told))
