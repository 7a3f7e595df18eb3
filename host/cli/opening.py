# SPDX-License-Identifier: Apache-2.0
"""The card that a command is about: an image or a card in a reader."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from apdu.vpcd import PORT

if TYPE_CHECKING:
    from host.channel import Channel

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
    """The options that say where the card is; the verb gets them as `where`, a `Where`."""
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
        type=click.IntRange(0, 0xFFFF),
        is_flag=False,
        flag_value=str(PORT),
        help=f"Wait {CARD_WAIT:g} s on 127.0.0.1:PORT ({PORT} unless given) for a card that plugs"
        " itself in, as `sscard serve` or another vpicc does.",
    )

    @wraps(verb)
    def told(
        *arguments: Any, card: Path | None, reader: str | None, vpcd: int | None, **rest: Any
    ) -> Any:
        return verb(*arguments, where=Where(card, reader, vpcd=vpcd), **rest)

    return image(reader(vpcd(told)))  # type: ignore[return-value]


def psam_options(verb: F) -> F:
    """The options that say where a PSAM is; the verb gets them as `psam`, a `Where`."""
    image = click.option("--psam", metavar="PSAM.img", type=IMAGE, help="A PSAM image.")
    reader = click.option(
        "--psam-reader", metavar="NAME", help="The PSAM in a PC/SC reader, like --reader."
    )

    @wraps(verb)
    def told(*arguments: Any, psam: Path | None, psam_reader: str | None, **rest: Any) -> Any:
        return verb(*arguments, psam=Where(psam, psam_reader, "psam"), **rest)

    return image(reader(told))  # type: ignore[return-value]


@contextmanager
def opened(where: Where, *, contactless: bool = False) -> Iterator[Channel]:
    """The card under power, and let go of properly whatever happens.

    `contactless`: an image is held to a reader instead of put into a slot; of a real reader its
    kind decides. Raises UsageError unless exactly one place is given, ImageError for an image
    that cannot be used, a CardFault for a reader.
    """
    where.check()
    if where.image is not None:
        with _image(where.image, contactless) as channel:
            yield channel
    elif where.vpcd is not None:
        with _plugged_in(where.vpcd) as channel:
            yield channel
    else:
        from host.channel.pcsc import PcscChannel

        with PcscChannel.open(where.reader or "") as channel:
            yield channel


def connecting(where: Where, stack: ExitStack) -> Callable[[int], Channel]:
    """How the functions of LD/T 33 come to their card: an image is opened at once and stays so,
    a card in a reader is connected to when they want it, and may change in between."""
    if where.places == 1 and where.vpcd is not None:
        port = where.vpcd
        return lambda iType: _plugged_in(port)
    if where.reader is None or where.image is not None:
        channel = stack.enter_context(opened(where))
        return lambda iType: channel
    from host.channel.pcsc import PcscChannel

    name = where.reader
    return lambda iType: PcscChannel.open(name)


def _plugged_in(port: int) -> Channel:
    from host.channel.vpcd import VpcdChannel

    def waiting(host: str, port: int) -> None:
        click.echo(f"waiting on {host}:{port} for a card to plug itself in", err=True)

    return VpcdChannel.listen(port, deadline=CARD_WAIT, waiting=waiting)


@contextmanager
def _image(path: Path, contactless: bool) -> Iterator[Channel]:
    from datetime import date
    from secrets import token_bytes

    from apdu.atr import Interface
    from card_os.chip import Chip
    from card_os.image import ImageError, ImageFlash
    from card_os.nvm import MemoryDamaged
    from card_os.world import World
    from host.channel.memory import MemoryChannel

    with ImageFlash(path) as flash:
        try:
            chip = Chip.boot(flash, World(token_bytes, date.today))
        except MemoryDamaged as error:
            raise ImageError(path, f"damaged: {error}") from None
        where = Interface.CONTACTLESS if contactless else Interface.CONTACT
        with MemoryChannel(chip, where) as channel:
            yield channel
