# SPDX-License-Identifier: Apache-2.0
"""The card that a command is about: an image or a card in a reader."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from host.cli.explaining import Explaining, explain_option
from host.cli.leave import Leave, leave_options
from host.cli.recording import record_options, recorded

if TYPE_CHECKING:
    from host.channel import Channel

Around = Callable[..., "Channel"]
"""Puts a recorder around a channel."""
F = TypeVar("F", bound=Callable[..., Any])
IMAGE = click.Path(path_type=Path)
CARD_WAIT: Final = 10.0
"""Seconds for a card to plug itself in, and for each of its answers."""


@dataclass(frozen=True, slots=True)
class Where:
    """Where a card is, as the command line says it."""

    image: Path | None = None
    reader: str | None = None
    kind: str = "card"
    """What the options are called after: --card, --reader; or --psam, --psam-reader."""
    vpcd: int | None = None
    """The port on which a card may plug itself in."""
    record: Path | None = None
    """The file that a recording goes to."""
    with_secrets: bool = False
    """Whether it keeps PINs and keys."""
    explaining: Explaining | None = None
    """Who says why an image refuses."""
    leave: Leave = field(default_factory=Leave)
    """What may be done with it, if it is a card in a reader."""

    @property
    def given(self) -> bool:
        """Whether any card is meant."""
        return self.places > 0

    @property
    def places(self) -> int:
        """How many places are given."""
        return sum(place is not None for place in (self.image, self.reader, self.vpcd))

    def check(self) -> None:
        """A usage error unless exactly one place is given."""
        if self.places == 1:
            return
        if self.kind == "card":
            raise click.UsageError("Give either --card CARD.img, --reader NAME or --vpcd.")
        name = self.kind
        raise click.UsageError(f"Give either --{name} {name.upper()}.img or --{name}-reader NAME.")


def card_options(verb: F) -> F:
    """The options that say where the card is, and what may be done with one in a reader; the verb
    gets them as `where`, a `Where`."""

    @wraps(verb)
    def told(*arguments: Any, **given: Any) -> Any:
        leave = Leave.taken(given)
        leave.check(given["reader"] is not None or given.get("psam_reader") is not None)
        return verb(*arguments, where=_where(given, leave), **given)

    return _places(leave_options(told))  # type: ignore[return-value]


def reading_options(verb: F) -> F:
    """As `card_options`, for a verb that does nothing but read."""

    @wraps(verb)
    def told(*arguments: Any, **given: Any) -> Any:
        return verb(*arguments, where=_where(given, Leave(reads_only=True)), **given)

    return _places(told)  # type: ignore[return-value]


def _where(given: dict[str, Any], leave: Leave) -> Where:
    """Out of what a command was given by `_places`."""
    named = {name: given.pop(name) for name in ("reader", "vpcd", "record", "with_secrets")}
    image, explaining = given.pop("card"), Explaining() if given.pop("explain") else None
    if explaining and image is None and given.get("psam") is None:
        raise click.UsageError("--explain is for card images: others do not say why they refuse.")
    return Where(image, leave=leave, explaining=explaining, **named)


def _places(verb: F) -> F:
    image = click.option(
        "--card", metavar="CARD.img", type=IMAGE, help="A card image, as `sscard issue` makes it."
    )
    reader = click.option(
        "--reader",
        metavar="NAME",
        help="The card in the PC/SC reader that has NAME in its name; '' if there is only one.",
    )
    vpcd = click.option(
        "--vpcd",
        metavar="[PORT]",
        type=_port,
        is_flag=False,
        flag_value="",
        help=f"Wait {CARD_WAIT:g} s on 127.0.0.1:PORT (35963 unless given) for a card that plugs"
        " itself in, as `sscard serve` or another vpicc does.",
    )
    return image(reader(vpcd(explain_option(record_options(verb)))))


def _port(text: str) -> int:
    """A port, or that of the vpcd of this machine where none is named."""
    if text:
        return int(click.IntRange(0, 0xFFFF)(text))
    from apdu.vpcd import PORT

    return PORT


def psam_options(verb: F) -> F:
    """The options that say where a PSAM is; the verb gets them as `psam`, a `Where`. To be put
    below `card_options`, which say what may be done with it."""
    image = click.option("--psam", metavar="PSAM.img", type=IMAGE, help="A PSAM image.")
    reader = click.option(
        "--psam-reader", metavar="NAME", help="The PSAM in a PC/SC reader, like --reader."
    )

    @wraps(verb)
    def told(*arguments: Any, psam: Path | None, psam_reader: str | None, **rest: Any) -> Any:
        card = rest["where"]
        given = Where(psam, psam_reader, "psam", leave=card.leave, explaining=card.explaining)
        return verb(*arguments, psam=given, **rest)

    return image(reader(told))  # type: ignore[return-value]


@contextmanager
def opened(where: Where, *, contactless: bool = False) -> Iterator[Channel]:
    """The card under power, and let go of properly whatever happens.

    `contactless`: an image is held to a reader instead of put into a slot; of a real reader its
    kind decides. Raises UsageError unless exactly one place is given, ImageError for an image
    that cannot be used, a CardFault for a reader, and what `recorded` raises.
    """
    where.check()
    with (
        recorded(where.record, where.with_secrets) as around,
        _powered(where, around, contactless) as channel,
    ):
        yield channel


@contextmanager
def _powered(where: Where, around: Around, contactless: bool = False) -> Iterator[Channel]:
    if where.image is not None:
        with _image(where, where.image, contactless) as channel:
            explaining = where.explaining
            yield around(channel, explaining.words) if explaining else around(channel)
    elif where.vpcd is not None:
        with around(_plugged_in(where.vpcd)) as channel:
            yield channel
    else:
        with _in_reader(where, around) as channel:
            yield channel


def at_a_desk(
    where: Where, psam: Where, stack: ExitStack
) -> tuple[Callable[[int], Channel], Channel | None]:
    """How the functions of LD/T 33 come to their card, and the PSAM beside it, if there is one.

    An image is opened at once and stays so, a card in a reader is connected to when they want it,
    and may change in between. Both are in one recording. Raises what `opened` does.
    """
    where.check()
    if psam.given:
        psam.check()
    around = stack.enter_context(recorded(where.record, where.with_secrets))
    connect = _connecting(where, around, stack)
    if not psam.given:
        return connect, None
    return connect, stack.enter_context(_powered(psam, partial(around, slot=psam.kind)))


def _connecting(where: Where, around: Around, stack: ExitStack) -> Callable[[int], Channel]:
    if where.image is not None:
        channel = stack.enter_context(_powered(where, around))
        return lambda iType: channel
    if where.vpcd is not None:
        port = where.vpcd
        return lambda iType: around(_plugged_in(port))
    return lambda iType: _in_reader(where, around)


def _in_reader(where: Where, around: Around) -> Channel:
    """A physical card, behind the gate. What is recorded is what reaches the card, with what the
    gate itself asks it and without what it holds back."""
    from host.channel.pcsc import PcscChannel

    channel = around(PcscChannel.open(where.reader or ""))
    try:
        return where.leave.around(channel, psam=where.kind == "psam")
    except BaseException:
        channel.close()
        raise


def _plugged_in(port: int) -> Channel:
    from host.channel.vpcd import VpcdChannel

    def waiting(host: str, port: int) -> None:
        click.echo(f"waiting on {host}:{port} for a card to plug itself in", err=True)

    return VpcdChannel.listen(port, deadline=CARD_WAIT, waiting=waiting)


@contextmanager
def _image(where: Where, path: Path, contactless: bool) -> Iterator[Channel]:
    from apdu.atr import Interface
    from host.channel.memory import MemoryChannel
    from host.cli.images import OpenImage

    with closing(OpenImage.at(path)) as image:
        interface = Interface.CONTACTLESS if contactless else Interface.CONTACT
        explaining = where.explaining
        chip = image.chip
        powered = chip if explaining is None else explaining.around(chip, where.kind)
        try:
            with MemoryChannel(powered, interface) as channel:
                yield channel
        finally:
            if explaining is not None:
                explaining.say()
