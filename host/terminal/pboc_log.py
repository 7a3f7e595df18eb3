# SPDX-License-Identifier: Apache-2.0
"""What a card tells of its electronic cash and of its past: balances, transaction log, load log.

Nothing here begins a transaction (JR/T 0025.5 clause 18, 0025.13).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from apdu.dol import offsets, split
from apdu.errors import FormatError
from apdu.sw import SW
from apdu.wire.pboc import tags
from apdu.wire.pboc.amounts import amount_of
from apdu.wire.pboc.answers import LoadLogHead, LogEntry
from apdu.wire.pboc.application import DEBIT_AID
from host.card import Card
from host.clients.pboc import PbocClient, Selected
from host.faults import CardMisspoke, CardRefused, NotFound

MOST_RECORDS: Final = 30
"""Records of a log that are read: no log is longer (JR/T 0025.5 has 10)."""
LOG_SFI: Final = range(11, 31)
"""SFIs that a log may have (EMV Book 3 annex D)."""
_HEAD: Final = 14
_CENTURY: Final = "20"


@dataclass(frozen=True, slots=True)
class CashBalance:
    """电子现金余额, in the minor unit of each currency; None: the card tells none."""

    balance: int | None
    """9F79."""
    limit: int | None
    """9F77: how much it may hold."""
    single_limit: int | None
    """9F78: how much one transaction may take."""
    second: int | None
    """DF79: of the second currency."""


@dataclass(frozen=True, slots=True)
class LoggedTransaction:
    """One record of the transaction log; what the card's format does not have is None."""

    amount: int | None
    other_amount: int | None
    currency: str | None
    """Digits of ISO 4217."""
    country: str | None
    """Digits of ISO 3166."""
    time: datetime | None
    kind: str | None
    """9C, two digits."""
    merchant: str | None
    atc: int | None
    elements: Mapping[int, bytes] = field(repr=False)
    """All that the record has, by tag."""

    def as_json(self) -> dict[str, Any]:
        return {
            "amount": self.amount,
            "other_amount": self.other_amount,
            "currency": self.currency,
            "country": self.country,
            "time": self.time.isoformat() if self.time else None,
            "type": self.kind,
            "merchant": self.merchant,
            "atc": self.atc,
        }


@dataclass(frozen=True, slots=True)
class LoggedLoad:
    """One record of the load log (圈存日志): a balance before and after, in fen."""

    tag: int
    """9F79, or DF79 for the second currency."""
    before: int
    after: int
    transaction: LoggedTransaction

    def as_json(self) -> dict[str, Any]:
        return {
            "balance": f"{self.tag:04X}",
            "before": self.before,
            "after": self.after,
            **self.transaction.as_json(),
        }


def balance(card: Card, aid: bytes = DEBIT_AID) -> CashBalance:
    """What electronic cash the card has. CardMisspoke for an amount that is none."""
    with card.transaction():
        client = PbocClient(card)
        client.select(aid)
        return CashBalance(
            _amount(client, tags.EC_BALANCE),
            _amount(client, tags.EC_BALANCE_LIMIT),
            _amount(client, tags.EC_SINGLE_LIMIT),
            _amount(client, tags.SECOND_EC_BALANCE),
        )


def transactions(card: Card, aid: bytes = DEBIT_AID) -> list[LoggedTransaction]:
    """The transaction log, the newest first; empty where the card has none."""
    with card.transaction():
        client = PbocClient(card)
        selected = client.select(aid)
        form = _format(client, selected, tags.LOG_ENTRY, tags.LOG_FORMAT)
        return [_logged(form[1], record) for record in _records(client, form[0])] if form else []


def loads(card: Card, aid: bytes = DEBIT_AID) -> list[LoggedLoad]:
    """The load log, the newest first; empty where the card has none."""
    with card.transaction():
        client = PbocClient(card)
        selected = client.select(aid)
        form = _format(client, selected, tags.LOAD_LOG_ENTRY, tags.LOAD_LOG_FORMAT)
        return [_load(form[1], record) for record in _records(client, form[0])] if form else []


def has_load(card: Card, atc: int, aid: bytes = DEBIT_AID) -> bool | None:
    """Whether the load log has a load that a transaction of the card made; None where the card has
    no such log, or none that reaches back so far.

    A balance that was told anew and did not become more is no load.
    """
    with card.transaction():
        client = PbocClient(card)
        selected = client.select(aid)
        form = _format(client, selected, tags.LOAD_LOG_ENTRY, tags.LOAD_LOG_FORMAT)
        if form is None:
            return None
        found = [_load(form[1], record) for record in _records(client, form[0])]
    numbers = [each.transaction.atc for each in found]
    if any(each.transaction.atc == atc and each.after > each.before for each in found):
        return True
    if None in numbers:
        return None
    whole = len(found) < min(form[0].records, MOST_RECORDS)
    return False if whole or min(filter(None, numbers), default=atc) < atc else None


def _amount(client: PbocClient, tag: int) -> int | None:
    try:
        value = client.data(tag)
    except CardRefused:
        return None
    return _number(tag, value)


def _number(tag: int, value: bytes) -> int:
    try:
        if len(value) != 6:
            raise FormatError(f"{len(value)} bytes, must be 6")
        return amount_of(value)
    except FormatError as error:
        raise CardMisspoke(f"{tag:X}: {error}") from None


def _format(
    client: PbocClient, selected: Selected, entry: int, form: int
) -> tuple[LogEntry, bytes] | None:
    """Where a log is and what its records hold; None where the card has no such log."""
    place = selected.elements.get(entry)
    if place is None:
        return None
    try:
        found = LogEntry.parse(place)
        if found.sfi not in LOG_SFI:
            raise FormatError(f"SFI {found.sfi}, must be {LOG_SFI[0]} to {LOG_SFI[-1]}")
        listed = client.data(form)
        offsets(listed)
    except FormatError as error:
        raise CardMisspoke(f"log ({entry:X}): {error}") from None
    return found, listed


def _records(client: PbocClient, entry: LogEntry) -> Iterator[bytes]:
    """The records that have been written; an erased one is as good as none."""
    for number in range(1, min(entry.records, MOST_RECORDS) + 1):
        try:
            record = client.record(entry.sfi, number)
        except NotFound as fault:
            if fault.sw not in (SW.RECORD_NOT_FOUND, SW.FILE_NOT_FOUND):
                raise
            return
        if record.strip(b"\x00") and record.strip(b"\xff"):
            yield record


def _logged(form: bytes, record: bytes) -> LoggedTransaction:
    try:
        found = split(form, record)
    except FormatError as error:
        raise CardMisspoke(f"log: {error}") from None
    amount, other = found.get(tags.AMOUNT), found.get(tags.OTHER_AMOUNT)
    atc, name = found.get(tags.ATC), found.get(tags.MERCHANT_NAME)
    return LoggedTransaction(
        None if amount is None else _number(tags.AMOUNT, amount),
        None if other is None else _number(tags.OTHER_AMOUNT, other),
        _digits(found.get(tags.CURRENCY), 3),
        _digits(found.get(tags.TERMINAL_COUNTRY), 3),
        _time(found.get(tags.DATE), found.get(tags.TIME)),
        _digits(found.get(tags.TRANSACTION_TYPE), 2),
        None if name is None else _text(name),
        None if atc is None else int.from_bytes(atc),
        found,
    )


def _load(form: bytes, record: bytes) -> LoggedLoad:
    try:
        head = LoadLogHead.parse(record[:_HEAD])
    except FormatError as error:
        raise CardMisspoke(f"load log: {error}") from None
    before, after = _number(head.tag, head.before), _number(head.tag, head.after)
    return LoggedLoad(head.tag, before, after, _logged(form, record[_HEAD:]))


def _digits(value: bytes | None, size: int) -> str | None:
    return None if value is None else value.hex().upper()[-size:].rjust(size, "0")


def _time(date: bytes | None, time: bytes | None) -> datetime | None:
    """None too for a date that there is not: a terminal may have sent anything."""
    if date is None:
        return None
    digits = _CENTURY + date.hex() + (time or bytes(3)).hex()
    try:
        return datetime.strptime(digits, "%Y%m%d%H%M%S")
    except ValueError:
        return None


def _text(value: bytes) -> str:
    """A name as the terminal wrote it, GBK or ASCII; what is no text is shown as such."""
    return value.rstrip(b"\x00 ").decode("gb18030", "replace")
