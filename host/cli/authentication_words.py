# SPDX-License-Identifier: Apache-2.0
"""INTERNAL and EXTERNAL AUTHENTICATE in words: whose cryptogram it is, and what it is over."""

from __future__ import annotations

from typing import Any, Final

from apdu.wire.form import CommandForm
from apdu.wire.hrss.commands import (
    CRYPTOGRAM,
    EXTERNAL_AUTHENTICATE,
    INTERNAL_AUTHENTICATE,
    ExternalData,
    InternalData,
)
from apdu.wire.perso import KeyUsage
from host.cli.layouts import Word, Words, shown_fields
from host.cli.names import Shown
from host.cli.text import packed

USAGES: Final[dict[CommandForm[Any, Any, Any], KeyUsage]] = {
    INTERNAL_AUTHENTICATE: KeyUsage.INTERNAL_AUTHENTICATE,
    EXTERNAL_AUTHENTICATE: KeyUsage.EXTERNAL_AUTHENTICATE,
}
"""The two commands, and what the key that they name is for."""
FACTOR: Final = Word("key factor", "密钥因子")
_CRYPTOGRAM: Final = Word("cryptogram", "鉴别数据")
_WORDS: Final[Words] = {
    "cryptogram": _CRYPTOGRAM,
    "factor": FACTOR,
    "data": Word("data", "原始数据"),
}


def authentication_shown(
    form: CommandForm[Any, Any, Any], data: bytes, reply: bytes
) -> tuple[tuple[Shown, ...], tuple[Shown, ...]]:
    """What is in the data and in the answer of one of `USAGES`."""
    if form is EXTERNAL_AUTHENTICATE:
        return shown_fields(ExternalData, data, _WORDS), ()
    word = _CRYPTOGRAM
    got = (Shown("", word.english, word.chinese, packed(reply)),)
    return shown_fields(InternalData, data, _WORDS), got if len(reply) == CRYPTOGRAM else ()
