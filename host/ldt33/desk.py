# SPDX-License-Identifier: Apache-2.0
"""The card that a function works on, from power-on until it is let go."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache, cached_property

from apdu.atr import Atr
from apdu.errors import FormatError
from apdu.tlv import parse_simple
from apdu.wire.hrss.generations import SSSE, Generation, generation_of
from apdu.wire.hrss.spec import DfSpec, EfSpec, Item, items
from apdu.wire.hrss.ssse import HOLDER, ISSUER
from host.card import Card
from host.channel import Channel
from host.clients.hrss import HrssClient
from host.faults import CardFault, CardMisspoke, NotAllowed, NotFound
from host.keys import CardIdentity
from host.ldt33.codes import Code, DriverFault
from host.ldt33.pinpad import PinPad, PinPrompt, about_the_pin
from host.ldt33.syntax import CardInfo
from host.ldt33.values import content_of, item_text
from host.terminal.authentication import identity_of
from host.terminal.hrss import log_in

CODE, VERSION, ISSUED, EXPIRES, NUMBER = 0x01, 0x03, 0x05, 0x06, 0x07
"""Tags of EF05."""
Found = dict[int, list[bytes]]
"""Values by tag, one for each record with it."""


class Desk:
    """A card under power whose HRSS application is selected. Raises -1 for another card.

    `by_hand`: between two steps of a function nothing is known of how long it takes, so other
    programs are then not kept away.
    """

    def __init__(self, channel: Channel, pad: PinPad, *, by_hand: bool = False) -> None:
        self.channel = channel
        self.pad = pad
        self.by_hand = by_hand
        self.introduced = False
        """Whether the key centre was told which card this is."""
        self._pin_shown = False
        self._may_be_proven = False
        channel.reset()
        try:
            self.client = HrssClient(Card(channel))
        except NotFound as error:
            raise DriverFault(Code.CARD_TYPE, str(error)) from None
        self.directory = SSSE

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep other programs away, where that can be done."""
        if self.by_hand:
            yield
        else:
            with self.channel.transaction():
                yield

    def leave(self) -> None:
        """Let go of the card; nothing stays proven."""
        with suppress(CardFault, OSError):
            if self._may_be_proven:
                self.channel.reset()
        self.channel.close()

    # What it says of itself

    @cached_property
    def issuer(self) -> Found:
        """EF05, as much as the card shows before the terminal has proven itself."""
        try:
            return self.found(ISSUER)
        except NotAllowed:
            numbers = CODE, VERSION  # which cards of 3.0 always show
            raw = (self.client.record_bytes(ISSUER.sfi, number) for number in numbers)
            return taken_apart(b"".join(raw))

    def refresh(self) -> None:
        """Read EF05 anew: more may be seen of it."""
        self.__dict__.pop("issuer", None)

    @cached_property
    def generation(self) -> Generation:
        try:
            return generation_of(self.said(VERSION))
        except FormatError as error:
            raise CardMisspoke(str(error)) from None

    @cached_property
    def identity(self) -> CardIdentity:
        """-20 when its identification code is none."""
        try:
            return identity_of(self.identification, self.said(VERSION), self.channel.atr)
        except FormatError as error:
            raise DriverFault(Code.CARD_CODE, str(error)) from None

    @property
    def identification(self) -> bytes:
        return _one(self.issuer, CODE)

    @property
    def historical(self) -> bytes:
        """The 13 bytes that drivers call 卡复位信息."""
        try:
            return Atr.parse(self.channel.atr).historical
        except FormatError as error:
            raise CardMisspoke(str(error)) from None

    def said(self, tag: int) -> str:
        """An item of EF05 as text; empty when it is not shown."""
        return text_of(self.issuer, tag) if tag in self.issuer else ""

    def check(self, meant: CardInfo) -> None:
        """-22 unless this is the card that is meant."""
        other = meant.identification != self.identification
        if other or (NUMBER in self.issuer and meant.number != self.said(NUMBER)):
            raise DriverFault(Code.OTHER_CARD)

    # Going about on it

    def go(self, directory: DfSpec) -> None:
        """Make a directory current, unless it is."""
        if directory.fid != self.directory.fid:
            self.client.enter(directory)
            self.directory = directory

    def found(self, file: EfSpec) -> Found:
        """The items of a file in the current directory."""
        return taken_apart(self.client.raw(file))

    def show_pin(self, prove: Callable[[HrssClient, str], None] = log_in) -> None:
        """Have the PIN entered and prove it, unless it was."""
        if self._pin_shown:
            return
        pin = self.pad.enter(PinPrompt.PIN)
        self.proving()
        with about_the_pin():
            prove(self.client, pin)
        self._pin_shown = True

    def proving(self) -> None:
        """Note that something may be proven from now on, which must not outlast the function."""
        self._may_be_proven = True


def taken_apart(raw: bytes) -> Found:
    """The items in a file's records. CardMisspoke when they are none."""
    found: Found = {}
    try:
        for each in parse_simple(raw):
            found.setdefault(each.tag, []).append(each.value)
    except FormatError as error:
        raise CardMisspoke(str(error)) from None
    return found


def text_of(found: Found, tag: int) -> str:
    """An item of EF05 or EF06 as text."""
    return item_text(_items()[tag], [_one(found, tag)])


@cache
def _items() -> dict[int | None, Item]:
    return {item.tag: item for file in (ISSUER, HOLDER) for item in items(content_of(file))}


def _one(found: Found, tag: int) -> bytes:
    try:
        (value,) = found[tag]
    except (KeyError, ValueError):
        raise CardMisspoke(f"not one item with tag {tag:02X}") from None
    return value
