# SPDX-License-Identifier: Apache-2.0
"""Blocking an application, giving it back, and the end of the card (锁定, 解锁).

A MAC under the key of the directory, or of the card, is all that is asked for. A change of life is
one byte, or one block of the master, so a lost power finds it done or not. What cannot be blocked
is refused behind the MAC, as every condition is.
"""

from __future__ import annotations

from apdu.errors import StatusError
from apdu.sw import SW
from apdu.wire.hrss.blocking import BLOCKABLE
from apdu.wire.hrss.commands import (
    APPLICATION_BLOCK,
    APPLICATION_UNBLOCK,
    CARD_BLOCK,
    BlockKind,
    BlockRef,
)
from apdu.wire.perso import Life
from card_os.access import FREE, Rule, without_local
from card_os.dispatch import CommandTable, Context, Protection
from card_os.session import IN_USE, Stage

commands = CommandTable()

_ALWAYS = IN_USE | Stage.BLOCKED
_LIFE_OF = {BlockKind.TEMPORARY: Life.DEACTIVATED, BlockKind.PERMANENT: Life.TERMINATED}


def blockable(ctx: Context, _: BlockRef | None) -> Rule:
    """6985 where nothing is blocked, 9303 where the block is for good."""
    directory = ctx.session.directory
    if directory.header.fid not in BLOCKABLE:
        text = "{place} is not one of the directories that can be blocked by themselves"
        raise StatusError(SW.CONDITIONS_NOT_SATISFIED, text, file=directory.header.fid)
    if directory.effective is Life.TERMINATED:
        text = "{place} is blocked for good"
        raise StatusError(SW.PERMANENTLY_BLOCKED, text, file=directory.header.fid)
    return FREE


@commands.on(APPLICATION_BLOCK, access=blockable, messaging=Protection.MAC, life=_ALWAYS)
def application_block(ctx: Context, ref: BlockRef, _: None) -> None:
    """Block the current DF; again, or for good, as well."""
    _move(ctx, _LIFE_OF[ref.kind])


@commands.on(APPLICATION_UNBLOCK, access=blockable, messaging=Protection.MAC, life=_ALWAYS)
def application_unblock(ctx: Context, _: None, __: None) -> None:
    """Give the current DF back; one that is not blocked stays as it is."""
    _move(ctx, Life.ACTIVATED)


@commands.on(CARD_BLOCK, messaging=Protection.MAC, life=_ALWAYS)
def card_block(ctx: Context, _: None, __: None) -> None:
    """End the card, from wherever in the application; there is no way back."""
    ctx.tree.set_chip_life(Life.TERMINATED)
    ctx.enter(ctx.tree.mf, fresh=True)


def _move(ctx: Context, life: Life) -> None:
    """Bring the current DF to this state, in which the terminal is at once, proofs of its own keys
    forgotten; what was proven of the application stays."""
    directory = ctx.session.directory
    ctx.tree.set_life(directory, life)
    ctx.session.status = without_local(ctx.session.status)
    ctx.enter(directory, fresh=False)
