# SPDX-License-Identifier: Apache-2.0
"""`Card`: commands as forms, answers as values, status words as faults.

The only place on the host's side that looks at status words.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Final, NamedTuple, TypeVar

from apdu import flow, tlv
from apdu.command import SHORT_NE, CommandAPDU, ResponseAPDU
from apdu.errors import FormatError
from apdu.sw import SW, tries_left
from apdu.wire.form import CommandForm
from apdu.wire.iso7816 import SELECT, Selection
from host.channel import Channel
from host.faults import (
    CardGone,
    CardMisspoke,
    CardRefused,
    CardReset,
    NotAllowed,
    NotFound,
    PinBlocked,
    PinWrong,
)

P = TypeVar("P")
D = TypeVar("D")
R = TypeVar("R")

_NOT_ALLOWED = frozenset(
    {
        SW.INVALID_STATE,
        SW.SECURITY_NOT_SATISFIED,
        SW.CONDITIONS_NOT_SATISFIED,
        SW.PERMANENTLY_BLOCKED,
    }
)
_NOT_FOUND = frozenset({SW.FILE_NOT_FOUND, SW.RECORD_NOT_FOUND, SW.REFERENCE_NOT_FOUND})
_FCI, _DF_NAME = 0x6F, 0x84
_WARNINGS = frozenset({SW.FILE_DEACTIVATED, SW.END_OF_FILE})

_FIRST_DIGITS: Final = (0x6, 0x9)
"""Of status words (ISO 7816-4 5.6). What else an answer ends with is data: its end is missing."""


class Reply(NamedTuple):
    """Raw data and status word; `sw` is 9000 or a warning."""

    data: bytes
    sw: int


class Card:
    """A card behind a channel.

    A read or SELECT that finds the card reset by another program is sent once more, behind the
    SELECTs that went before it, if since the last reset nothing else was sent through the channel
    and no transaction is open. Anything else raises CardReset and sends nothing: the caller has to
    know before the next command that what was proven is lost.
    """

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self._kept = 0

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep other programs away for the commands inside."""
        with self.channel.transaction():
            self._kept += 1
            try:
                yield
            finally:
                self._kept -= 1

    def select(self, name: bytes) -> bytes:
        """Select an application by its DF name, 5 to 16 bytes, and return its FCI.

        Raises NotFound when it is not there, CardMisspoke when the FCI is not one or is that of
        another application. A card may answer without an FCI.
        """
        fci = self.send(SELECT, Selection(), name)
        try:
            template = tlv.find(tlv.parse(fci), _FCI)
        except FormatError as error:
            raise CardMisspoke(f"SELECT: {error}") from None
        found = template and template.find(_DF_NAME)
        if fci and (found is None or not found.value.startswith(name)):
            raise CardMisspoke("SELECT: the FCI is not that of the application asked for")
        return fci

    def send(self, form: CommandForm[P, D, R], params: P, data: D, *, ne: int = SHORT_NE) -> R:
        """Send a command and return its reply as the form's type.

        `ne` is the length expected, where the form has one. Raises a CardFault in the words of
        `host.faults` for every status word but 9000, FormatError when the arguments cannot be
        written as the form says; nothing is sent then.
        """
        reply = self.ask(form, params, data, ne=ne)
        if reply.sw != SW.OK:
            raise CardRefused(reply.sw, form.name)
        try:
            return form.reply.parse(reply.data)
        except FormatError as error:
            raise CardMisspoke(f"{form.name}: {error}") from None

    def ask(self, form: CommandForm[P, D, R], params: P, data: D, *, ne: int = SHORT_NE) -> Reply:
        """As `send`, but with raw data, and a warning (62xx) beside it instead of a fault."""
        command = command_of(form, params, data, ne)
        if command.case == 4 and not self.channel.le_with_data:
            command = replace(command, ne=0)  # the reply then comes by way of 61xx
        try:
            answer = self._answer(form, command)
        except CardReset as lost:
            if lost.kept or self._kept or not self.channel.told.can_repeat(bytes(command)):
                raise
            with self._begun_again(lost):
                answer = self._answer(form, command)
        return _judge(form.name, answer)

    def _answer(self, form: CommandForm[P, D, R], command: CommandAPDU) -> ResponseAPDU:
        # A command with data selects, proves or changes something, so nobody may come between
        # it and its reply. Plain reads are left alone, so that readers can be shared.
        alone = self.channel.transaction() if command.data else nullcontext()
        try:
            with alone:
                *parts, last = flow.split(command) if form.chained else [command]
                for part in parts:
                    _judge(form.name, ResponseAPDU.parse(self.channel.transmit(bytes(part))))
                return flow.exchange(self.channel.transmit, last)
        except FormatError as error:
            raise CardMisspoke(f"{form.name}: {error}") from None

    @contextmanager
    def _begun_again(self, lost: CardReset) -> Iterator[None]:
        """The card reset, where it was before, and ours alone. The fault that was met goes up when
        that fails for want of the same card."""
        channel = self.channel
        atr, told = channel.atr, channel.told
        selections, absolute = told.selections, told.from_anywhere
        if channel.reset() != atr or (not absolute and channel.reset() != atr):
            raise CardGone("another card is there now") from lost
        with channel.transaction():
            for command, sw in selections:
                if channel.transmit(command)[-2:] != sw:
                    raise lost
            yield

    def relay(self, command: CommandAPDU, name: str) -> Reply:
        """Send a command that was finished elsewhere, such as one that a key source protected.

        `name` is what a fault calls it. Faults as from `send`, and a warning as from `ask`.
        """
        try:
            with self.transaction():
                answer = flow.exchange(self.channel.transmit, command)
        except FormatError as error:
            raise CardMisspoke(f"{name}: {error}") from None
        return _judge(name, answer)


def command_of(form: CommandForm[P, D, R], params: P, data: D, ne: int) -> CommandAPDU:
    """The C-APDU of a form, or FormatError naming what does not fit it."""
    p1p2 = form.params.number(params)
    body = form.data.build(data)
    if body and len(body) not in form.lc:
        raise FormatError(
            f"{form.name}: {len(body)} data bytes, {form.lc.start} to {form.lc.stop - 1} allowed"
        )
    expects = bool(form.cases & ({4} if body else {2}))
    return CommandAPDU(form.cla, form.ins, p1p2 >> 8, p1p2 & 0xFF, body, ne if expects else 0)


def _judge(name: str, answer: ResponseAPDU) -> Reply:
    sw = answer.sw
    if sw == SW.OK or sw in _WARNINGS:
        return Reply(answer.data, sw)
    if tries_left(sw) is not None:
        raise PinWrong(sw, name)
    if sw == SW.AUTH_BLOCKED:
        raise PinBlocked(sw, name)
    if sw in _NOT_ALLOWED:
        raise NotAllowed(sw, name)
    if sw in _NOT_FOUND:
        raise NotFound(sw, name)
    if sw >> 12 not in _FIRST_DIGITS:
        raise CardMisspoke(f"{name}: {sw:04X} is no status word, so it is not known what it did")
    raise CardRefused(sw, name)
