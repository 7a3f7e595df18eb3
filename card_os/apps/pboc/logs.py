# SPDX-License-Identifier: Apache-2.0
"""The two logs of the card: of transactions (交易日志, 9F4D) and of loads (圈存日志, DF4D).

Records are values end to end, as 9F4F and DF4F list them; those of loads begin with the tag that
was loaded and its balance before and after. Number 1 is the newest (JR/T 0025.5 clause 18,
0025.13).
"""

from __future__ import annotations

from apdu.dol import fitted
from apdu.wire.elements import BY_TAG, Format
from apdu.wire.pboc import tags
from apdu.wire.pboc.amounts import amount_bytes
from apdu.wire.pboc.answers import LoadLogHead
from card_os.apps.pboc.profile import DataList, Log, Profile
from card_os.apps.pboc.state import CardState, store
from card_os.dispatch import Context
from card_os.files.records import CyclicFile

Sent = tuple[DataList, bytes]
"""A list of the card's, and what the terminal sent for it."""


def transaction_record(profile: Profile, atc: bytes, *sent: Sent) -> bytes:
    """What the transaction log keeps of a transaction; empty when the card has no such log.

    `sent`: where the elements are looked for, in this order. What is nowhere is zeros. `atc`: 2
    bytes.
    """
    log = profile.transaction_log
    return _values(log, atc, sent) if log else b""


def load_record(
    profile: Profile, tag: int, before: int, after: int, atc: bytes, *sent: Sent
) -> bytes:
    """What the load log keeps of a load; empty when the card has no such log."""
    log = profile.load_log
    if log is None:
        return b""
    head = LoadLogHead(tag, amount_bytes(before), amount_bytes(after))
    return bytes(head) + _values(log, atc, sent)


def commit(ctx: Context, profile: Profile, state: CardState, transaction: bytes) -> None:
    """The state after a transaction and its log record, if it has one, in one step."""
    _keep(ctx, profile.transaction_log, state, transaction)


def commit_load(ctx: Context, profile: Profile, state: CardState, load: bytes) -> None:
    """The state after a load and its log record, if it has one, in one step."""
    _keep(ctx, profile.load_log, state, load)


def _keep(ctx: Context, log: Log | None, state: CardState, entry: bytes) -> None:
    directory = ctx.session.directory
    ring = directory.by_sfi.get(log.sfi) if log and entry else None
    with ctx.nvm.atomic():
        store(directory, state)
        if isinstance(ring, CyclicFile):
            ring.write_newest(entry)
    if isinstance(ring, CyclicFile):
        ring.load()


def _values(log: Log, atc: bytes, sent: tuple[Sent, ...]) -> bytes:
    return b"".join(
        [_value(tag, place.length, atc, sent) for tag, place in log.layout.places.items()]
    )


def _value(tag: int, length: int, atc: bytes, sent: tuple[Sent, ...]) -> bytes:
    if tag == tags.ATC:
        return fitted(atc, length, Format.BINARY)
    for asked, data in sent:
        found = asked.value(tag, data)
        if len(found) == length:
            return found
        if found:
            known = BY_TAG.get(tag)
            return fitted(found, length, known.format if known else Format.BINARY)
    return bytes(length)
