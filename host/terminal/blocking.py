# SPDX-License-Identifier: Apache-2.0
"""Blocking at the desk (锁定, 解锁): one directory's application, or the whole card.

Each of these asks a `KeySource` for the MAC between two commands to the card. They raise
KeyUnavailable where the source cannot make it, and CardRefused 6988 where it made a wrong one;
nothing has changed then but that what was proven to the card is forgotten. Where no answer came
back (CardGone), the same may be asked for again: a block that is there already is no fault.
"""

from __future__ import annotations

from typing import TypeVar

from apdu.wire.form import CommandForm
from apdu.wire.hrss.blocking import block_key
from apdu.wire.hrss.commands import (
    APPLICATION_BLOCK,
    APPLICATION_UNBLOCK,
    CARD_BLOCK,
    BlockKind,
    BlockRef,
)
from apdu.wire.hrss.keys import KeySpec, key_named
from apdu.wire.hrss.spec import DfSpec
from apdu.wire.iso7816 import SELECT, By, Selection
from host.card import command_of
from host.clients.hrss import HrssClient
from host.keys import CardIdentity, KeySource, Protection

P = TypeVar("P")

_BK = key_named("BK")


def block(
    client: HrssClient,
    source: KeySource,
    card: CardIdentity,
    directory: DfSpec,
    *,
    permanent: bool = False,
) -> None:
    """Block a directory, DF03 to DF07, until `unblock` or for good. Leaves it selected.

    Raises FormatError for a directory that cannot be blocked, before anything is sent, and
    NotAllowed (9303) for one that is blocked for good already.
    """
    kind = BlockKind.PERMANENT if permanent else BlockKind.TEMPORARY
    _about(client, source, card, directory, APPLICATION_BLOCK, BlockRef(kind))


def unblock(client: HrssClient, source: KeySource, card: CardIdentity, directory: DfSpec) -> None:
    """Give back a directory that is blocked, not for good. Leaves it selected. Raises as `block`
    does; one that is not blocked stays as it is."""
    _about(client, source, card, directory, APPLICATION_UNBLOCK, None)


def block_card(client: HrssClient, source: KeySource, card: CardIdentity) -> None:
    """End the card (整卡锁定), from wherever in the application: it answers 6A81 to every command
    from then on, and there is no way back."""
    source.check(_BK, card)
    with client.card.transaction():
        _send(client, source, card, _BK, CARD_BLOCK, None)


def _about(
    client: HrssClient,
    source: KeySource,
    card: CardIdentity,
    directory: DfSpec,
    form: CommandForm[P, None, None],
    params: P,
) -> None:
    """Go to the directory, which may be blocked, and send the command there."""
    key = block_key(directory)
    source.check(key, card)
    with client.card.transaction():
        client.card.ask(SELECT, Selection(By.FILE_ID), directory.fid.to_bytes(2))
        _send(client, source, card, key, form, params)


def _send(
    client: HrssClient,
    source: KeySource,
    card: CardIdentity,
    key: KeySpec,
    form: CommandForm[P, None, None],
    params: P,
) -> None:
    command = command_of(form, params, None, 0)
    request = Protection(key, card, client.challenge(), command)
    client.card.relay(source.protect(request), form.name)
