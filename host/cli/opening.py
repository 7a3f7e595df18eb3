# SPDX-License-Identifier: Apache-2.0
"""The card that a command is about: an image or a card in a reader."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from host.channel import Channel

F = TypeVar("F", bound=Callable[..., Any])


def card_options(verb: F) -> F:
    """The options --card and --reader, of which `opened` wants one."""
    image = click.option(
        "--card",
        metavar="CARD.img",
        type=click.Path(path_type=Path),
        help="A card image, as `sscard issue` makes it.",
    )
    reader = click.option(
        "--reader",
        metavar="NAME",
        help="The card in the PC/SC reader that has NAME in its name; '' if there is only one.",
    )
    return image(reader(verb))


def check_one(card: Path | None, reader: str | None) -> None:
    """A usage error unless exactly one of the two is given."""
    if (card is None) == (reader is None):
        raise click.UsageError("Give either --card CARD.img or --reader NAME.")


@contextmanager
def opened(
    card: Path | None, reader: str | None, *, contactless: bool = False
) -> Iterator[Channel]:
    """The card under power, and let go of properly whatever happens.

    `contactless`: an image is held to a reader instead of put into a slot; of a real reader its
    kind decides. Raises UsageError unless exactly one of the two is given, ImageError for an
    image that cannot be used, a CardFault for a reader.
    """
    check_one(card, reader)
    if card is not None:
        with _image(card, contactless) as channel:
            yield channel
    else:
        from host.channel.pcsc import PcscChannel

        with PcscChannel.open(reader or "") as channel:
            yield channel


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
