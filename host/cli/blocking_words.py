# SPDX-License-Identifier: Apache-2.0
"""The commands that block in words: what, for how long, and under whose key."""

from __future__ import annotations

from typing import Any, Final

from apdu.errors import FormatError
from apdu.wire.form import CommandForm
from apdu.wire.hrss.blocking import block_key
from apdu.wire.hrss.commands import (
    APPLICATION_BLOCK,
    APPLICATION_UNBLOCK,
    CARD_BLOCK,
    BlockKind,
)
from apdu.wire.hrss.keys import key_named
from apdu.wire.hrss.spec import DfSpec
from host.cli.explanation import Told
from host.cli.names import Shown, directory_words
from host.cli.text import packed

BLOCK_FORMS: Final = (APPLICATION_BLOCK, APPLICATION_UNBLOCK, CARD_BLOCK)


def block_told(
    form: CommandForm[Any, Any, Any], params: Any, data: bytes, directory: DfSpec
) -> Told:
    """What one of `BLOCK_FORMS` does, where this directory is current."""
    if form is CARD_BLOCK:
        return Told("ends the card, for good", _mac(data, key_named("BK").name))
    try:
        key = block_key(directory).name
    except FormatError:
        key = ""
    if form is APPLICATION_UNBLOCK:
        how = "to be used again"
    else:
        how = "for good" if params.kind is BlockKind.PERMANENT else "until it is unblocked"
    return Told(f"{directory_words(directory)}, {how}", _mac(data, key))


def _mac(data: bytes, key: str) -> tuple[Shown, ...]:
    under = f"under {key}" if key else ""
    return (Shown("", "MAC", "报文鉴别码", packed(data), under),) if data else ()
