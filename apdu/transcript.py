# SPDX-License-Identifier: Apache-2.0
"""A conversation as text (`apdu.trace`, and journeys with resets and several slots) as a recording.

    # any remark
    ^ 3B 6D 00 00 ...           the card is powered on or reset, and this is its ATR
    > 00 A4 04 00 ...           a command to it
    < 6F 16 ... 90 00           its answer
    > 00 20 00 00 03 •• •• ••   masked bytes
    >! B0 2C 01 00 ...          a command that came too late: the card had been pulled
    <! 5A 3C ... 90 00          an answer that nobody heard: the card was pulled meanwhile
    psam> 00 A4 ...             the same for another slot, which any word may name
    field^ 3B 6D 00 00 ...      the card, held to a contactless reader

Such text has no times: everything is at 0.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from apdu.atr import Interface
from apdu.errors import FormatError
from apdu.jsonline import LONGEST_LINE, unhex
from apdu.recording import (
    FIRST_SLOT,
    Event,
    Exchanged,
    Fault,
    Header,
    Recording,
    Remark,
    Reset,
)
from apdu.trace import Exchange, Masking

FIELD: Final = "field"
"""The name of the first slot's card in a reader's field."""
_LINE: Final = re.compile(r"([\w.-]*)(>!?|<!?|\^)\s+(\S.*)", re.ASCII)
_SHORTEST: Final = 4
"""Bytes of a C-APDU."""
_TOO_LATE: Final = "the command came too late: the card had been pulled"
_UNHEARD: Final = "the card was pulled before its answer was heard"
_GONE: Final = "CardGone"


def read_transcript(lines: Iterable[bytes], *, keep: bool = False) -> Recording:
    """The recording that a text is, masked unless `keep` is asked for.

    Raises FormatError naming line and rule while events are taken; never what stands there.
    """
    return Recording(Header(kept=keep), _Text(keep).events(lines))


class _Text:
    """Follows the lines; a command waits for its answer."""

    def __init__(self, keep: bool) -> None:
        self._keep = keep
        self._masks: dict[str, Masking] = {}
        self._asked: tuple[str, bytes, range] | None = None
        """Slot, command, and what of it was masked."""

    def events(self, lines: Iterable[bytes]) -> Iterator[Event]:
        number = 0
        for number, line in enumerate(lines, start=1):
            try:
                text = line.decode().strip()
                if len(line) > LONGEST_LINE:
                    raise FormatError(f"longer than {LONGEST_LINE} bytes")
                event = self._event(text)
            except UnicodeDecodeError:
                raise FormatError(f"text of a conversation, line {number}: not UTF-8") from None
            except FormatError as error:
                raise FormatError(f"text of a conversation, line {number}: {error}") from None
            if event is not None:
                yield event
        if self._asked is not None:
            raise FormatError(f"text of a conversation, line {number}: the last has no answer")

    def _event(self, text: str) -> Event | None:
        if not text:
            return None
        if text.startswith("#"):
            return Remark(0.0, text.removeprefix("#").strip())
        found = _LINE.fullmatch(text)
        if found is None:
            raise FormatError("neither a remark nor what passed at a slot")
        slot, mark, digits = found.groups()
        read = unhex("".join(digits.split()))
        if read is None:
            raise FormatError("not pairs of hex digits")
        raw, hidden = read
        interface = Interface.CONTACTLESS if slot == FIELD else Interface.CONTACT
        slot = FIRST_SLOT if slot in ("", FIELD) else slot
        if mark[0] == "<":
            return self._answered(slot, raw, hidden, heard=mark == "<")
        if self._asked is not None:
            raise FormatError("out of turn: the command before it has no answer")
        if mark == "^":
            return Reset(0.0, raw, interface, slot)
        if len(raw) < _SHORTEST or (hidden and hidden.start < _SHORTEST):
            raise FormatError("a command has a header of 4 bytes")
        if mark == ">!":
            late = self._taken(slot, Exchange(raw, b"", hidden))
            return Fault(0.0, _GONE, _TOO_LATE, late, slot=slot)
        self._asked = slot, raw, hidden
        return None

    def _answered(self, slot: str, raw: bytes, hidden: range, *, heard: bool) -> Event:
        if self._asked is None or self._asked[0] != slot:
            raise FormatError("out of turn: an answer without its command")
        if len(raw) < 2 or hidden.stop > len(raw) - 2:
            raise FormatError("an answer has a status word")
        _, command, hidden_command = self._asked
        self._asked = None
        if not heard:
            unheard = self._taken(slot, Exchange(command, b"", hidden_command))
            return Fault(0.0, _GONE, _UNHEARD, unheard, slot=slot)
        taken = self._taken(slot, Exchange(command, raw, hidden_command, hidden))
        return Exchanged(0.0, taken, slot=slot)

    def _taken(self, slot: str, exchange: Exchange) -> Exchange:
        if self._keep:
            return exchange
        return self._masks.setdefault(slot, Masking()).again(exchange)
