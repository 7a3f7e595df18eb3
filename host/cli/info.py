# SPDX-License-Identifier: Apache-2.0
"""What a card tells about itself to whoever owns the reader. Nothing here costs a PIN try."""

from __future__ import annotations

from dataclasses import dataclass, replace

from apdu.errors import FormatError
from apdu.sw import SW
from apdu.tlv import parse_simple
from apdu.wire.access import ALWAYS
from apdu.wire.hrss.generations import SSSE
from apdu.wire.hrss.spec import DfSpec, EfSpec
from apdu.wire.hrss.ssse import HOLDER, ISSUER
from apdu.wire.iso7816 import SELECT, Selection
from host.card import Card
from host.cli.bank_info import BankReport, bank_report
from host.cli.blank import is_blank_psam, is_unsealed
from host.cli.names import APPLICATIONS, BANK, Shown, condition_words, shown_items
from host.cli.psam_info import PsamReport, is_psam, psam_report
from host.cli.reset_words import reset_words
from host.cli.text import packed
from host.clients.hrss import HrssClient
from host.faults import CardMisspoke, CardRefused, NotFound


@dataclass(frozen=True, slots=True)
class Presence:
    """An application that was asked for."""

    application: DfSpec
    found: bool
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Content:
    """What a file says. `trouble` tells why there are no items, or not the right ones; `guarded`
    what must be proven first, where the file is no free one."""

    file: EfSpec
    raw: bytes = b""
    items: tuple[Shown, ...] = ()
    trouble: str = ""
    guarded: str = ""
    misspoken: bool = False
    """The card answered, but not what its specification says."""


@dataclass(frozen=True, slots=True)
class PinState:
    """Whether the card tells the tries left without costing one, and how many there are."""

    query: bool
    tries_left: int | None
    words: str


@dataclass(frozen=True, slots=True)
class CardReport:
    """All of it. Without `files` and `pin` for a card that is no social security card."""

    atr: bytes
    reset: tuple[Shown, ...]
    applications: tuple[Presence, ...]
    files: tuple[Content, ...] = ()
    pin: PinState | None = None
    blank: bool = False
    """Nothing was put on it yet."""
    bank: BankReport | None = None
    """None without a bank's application."""

    @property
    def social_security_card(self) -> bool:
        return self.pin is not None

    @property
    def sound(self) -> bool:
        """It is a social security card, and what could be read is what it should be."""
        if any(each.misspoken for each in self.files) or (self.bank and self.bank.trouble):
            return False
        return self.social_security_card

    def as_json(self) -> dict[str, object]:
        return {
            "atr": packed(self.atr),
            "reset": [each.as_json() for each in self.reset],
            "social_security_card": self.social_security_card,
            "blank": self.blank,
            "applications": [
                {
                    "label": each.application.label,
                    "chinese": each.application.chinese,
                    "name": packed(each.application.name),
                    "found": each.found,
                    "remark": each.remark,
                }
                for each in self.applications
            ],
            "files": [
                {
                    "file": f"EF{each.file.fid & 0xFF:02X}",
                    "name": each.file.english,
                    "chinese": each.file.chinese,
                    "raw": packed(each.raw),
                    "items": [item.as_json() for item in each.items],
                    "trouble": each.trouble,
                    "guarded": each.guarded,
                }
                for each in self.files
            ],
            "pin": self.pin
            and {
                "query": self.pin.query,
                "tries_left": self.pin.tries_left,
                "words": self.pin.words,
            },
            "bank": self.bank and self.bank.as_json(),
        }


def report(card: Card) -> CardReport | PsamReport:
    """Ask the card, which may be a PSAM. Raises CardFault only when it cannot be talked to."""
    atr = card.channel.atr
    reset = tuple(reset_words(atr))
    with card.transaction():
        if is_psam(card):
            return psam_report(card, atr, reset)
        found = tuple(_presence(card, each) for each in APPLICATIONS)
        pays = any(each.found and each.application is BANK for each in found)
        plain = CardReport(atr, reset, found, bank=bank_report(card) if pays else None)
        if not any(each.found and each.application is SSSE for each in found):
            nothing = not any(each.found for each in found)
            return replace(plain, blank=nothing and is_unsealed(card))
        try:
            client = HrssClient(card)
        except CardRefused as error:
            blocked = tuple(Content(file, trouble=str(error)) for file in (ISSUER, HOLDER))
            return replace(plain, files=blocked, pin=PinState(False, None, str(error)))
        if is_blank_psam(card):
            return PsamReport(atr, reset, trouble="personalisation has not ended yet", blank=True)
        files = tuple(_content(client, file) for file in (ISSUER, _holder_file(client)))
        return replace(plain, files=files, pin=_pin(client))


def _presence(card: Card, application: DfSpec) -> Presence:
    try:
        reply = card.ask(SELECT, Selection(), application.name)
    except NotFound:
        return Presence(application, False)
    except (CardRefused, CardMisspoke) as error:
        return Presence(application, False, str(error))
    return Presence(application, True, "blocked" if reply.sw == SW.FILE_DEACTIVATED else "")


def _holder_file(client: HrssClient) -> EfSpec:
    """EF06 as the card's generation has it; one that does not say its generation counts as 2.0."""
    try:
        return client.generation().file("SSSE", HOLDER.sfi)
    except (CardRefused, CardMisspoke):
        return HOLDER


def _content(client: HrssClient, file: EfSpec) -> Content:
    try:
        raw = client.raw(file)
    except CardRefused as error:
        if error.sw == SW.SECURITY_NOT_SATISFIED and file.read != ALWAYS:
            return Content(file, guarded=condition_words(file.read, SSSE))
        return Content(file, trouble=str(error))
    except CardMisspoke as error:
        return Content(file, trouble=str(error), misspoken=True)
    items: tuple[Shown, ...] = ()
    try:
        if file.content is not None:
            items = tuple(shown_items(file.content, parse_simple(raw)))
            file.content.parse(raw)
    except FormatError as error:
        return Content(file, raw, items, str(error), misspoken=True)
    return Content(file, raw, items)


def _pin(client: HrssClient) -> PinState:
    try:
        left = client.tries_left()
    except CardRefused as error:
        return PinState(False, None, f"the card does not tell: {error}")
    if left is None:
        return PinState(True, None, "proven already, so the card does not tell the tries left")
    if left == 0:
        return PinState(True, 0, "blocked")
    return PinState(
        True, left, f"{left} {'try' if left == 1 else 'tries'} left (asking costs none)"
    )
