# SPDX-License-Identifier: Apache-2.0
"""Personalisation and life cycle (ISO 7816-9). None of it exists on a sealed card."""

from __future__ import annotations

from typing import Final

from apdu.crypto.suites import KEY_SUITES, SUITES
from apdu.errors import StatusError
from apdu.sw import SW
from apdu.wire.codes import is_pin
from apdu.wire.perso import (
    ACTIVATE_FILE,
    CREATE_FILE,
    DEACTIVATE_FILE,
    TERMINATE_DF,
    WRITE_KEY,
    Algorithm,
    FileHeader,
    KeyBlock,
    KeyRef,
    KeyUsage,
    Life,
)
from card_os.dispatch import CommandTable, Context
from card_os.files.tree import Directory
from card_os.session import Stage

files = CommandTable()
keys = CommandTable()

KEY_LENGTH: Final = 16
"""Bytes of a key, in every suite."""
_CHANNEL: Final = (KeyUsage.CHANNEL_ENC, KeyUsage.CHANNEL_MAC, KeyUsage.CHANNEL_DEK)


@files.on(CREATE_FILE, life=Stage.INITIALISATION)
def create_file(ctx: Context, _: None, header: FileHeader) -> None:
    """Create a file in the current DF and make it current (ISO 7816-9 7.1)."""
    made = ctx.tree.add_file(ctx.session.directory, header)
    if isinstance(made, Directory):
        ctx.enter(made, fresh=False)
    else:
        ctx.session.file = made


@keys.on(WRITE_KEY, life=Stage.INITIALISATION)
def write_key(ctx: Context, ref: KeyRef, block: KeyBlock) -> None:
    """Store a key or a PIN in the current DF."""
    if block.usage is KeyUsage.PIN:
        fits = block.algorithm is Algorithm.NONE and not block.version and is_pin(block.value)
    else:
        suites = KEY_SUITES if block.usage in _CHANNEL else SUITES
        fits = block.algorithm in suites and len(block.value) == KEY_LENGTH
    if not fits:
        text = (
            "a value of {length} bytes with algorithm {algorithm} and version {version} is no {use}"
        )
        use = "PIN" if block.usage is KeyUsage.PIN else "key"
        facts = {"length": len(block.value), "version": block.version, "usage": block.usage}
        raise StatusError(SW.WRONG_DATA, text, algorithm=block.algorithm.name, use=use, **facts)
    ctx.tree.add_secret(ctx.session.directory, ref.kid, block)


@files.on(ACTIVATE_FILE, life=Stage.INITIALISATION)
def activate_file(ctx: Context, _: None, __: None) -> None:
    """Activate the current EF or DF. For the MF: seal the chip; there is no way back."""
    session = ctx.session
    target = session.file or session.directory
    if target is not ctx.tree.mf:
        ctx.tree.set_life(target, Life.ACTIVATED)
        return
    ctx.tree.set_chip_life(Life.ACTIVATED)
    ctx.enter(ctx.tree.mf, fresh=True)


@files.on(DEACTIVATE_FILE, life=Stage.INITIALISATION)
def deactivate_file(ctx: Context, _: None, __: None) -> None:
    """Block the current EF or DF."""
    target = ctx.session.file or ctx.session.directory
    if target is ctx.tree.mf:
        raise StatusError(SW.CONDITIONS_NOT_SATISFIED, "the MF cannot be deactivated")
    ctx.tree.set_life(target, Life.DEACTIVATED)


@files.on(TERMINATE_DF, life=Stage.INITIALISATION)
def terminate_df(ctx: Context, _: None, __: None) -> None:
    """End the current DF for good; for the MF, the chip."""
    directory = ctx.session.directory
    if directory is ctx.tree.mf:
        ctx.tree.set_chip_life(Life.TERMINATED)
    else:
        ctx.tree.set_life(directory, Life.TERMINATED)
    ctx.enter(ctx.tree.mf, fresh=True)


commands = CommandTable(files, keys)
