# SPDX-License-Identifier: Apache-2.0
"""What an answer to reset tells of a card."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from apdu.atr import Atr
from apdu.errors import FormatError
from host.cli.names import Shown
from host.cli.text import spaced

_HISTORICAL: Final = 13
_BEGINS: Final = bytes.fromhex("008154")
"""T1-T3 of the cards seen so far; T4-T5 are the vendor's, T6-TD the chip's own number."""


def reset_words(atr: bytes) -> Iterator[Shown]:
    """Its items; one that is none is shown raw."""
    try:
        found = Atr.parse(atr)
    except FormatError as error:
        yield Shown("", "answer to reset", "复位应答", spaced(atr), f"raw: {error}")
        return
    own = found.historical
    yield Shown("", "convention", "约定", "inverse" if found.inverse else "direct")
    protocols = ", ".join(f"T={each}" for each in found.protocols)
    yield Shown("", "protocols", "传输协议", protocols)
    yield Shown("", "historical bytes", "历史字节", spaced(own))
    if _of_the_family(own):
        yield Shown("", "vendor", "芯片商代码", spaced(own[3:5]))
        yield Shown("", "chip's own number", "芯片唯一号", spaced(own[5:]))


def of_the_family(atr: bytes) -> bool:
    """Whether this is, by its historical bytes, a social security card or a PSAM for them."""
    try:
        return _of_the_family(Atr.parse(atr).historical)
    except FormatError:
        return False


def _of_the_family(historical: bytes) -> bool:
    return len(historical) == _HISTORICAL and historical.startswith(_BEGINS)
