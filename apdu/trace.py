# SPDX-License-Identifier: Apache-2.0
"""A conversation as text, secrets masked.

    # any remark
    > 00 A4 04 00 0F 73 78 ...
    < 6F 16 ... 90 00
    > 00 20 00 00 03 •• •• ••
    < 90 00

A line with `>` is a command, with `<` its answer. Masked bytes cannot be read back, so a trace
with secrets is for reading, one without them also for replaying.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from apdu.command import decode
from apdu.errors import FormatError
from apdu.secret import SECRET_ANSWERS, brings_secret
from apdu.wire.iso7816 import GET_RESPONSE

HIDDEN = "••"
_GET_RESPONSE: Final = bytes((GET_RESPONSE.ins,))


@dataclass(frozen=True, slots=True)
class Exchange:
    """One command and its answer. Bytes of the command in `hidden`, and of the answer in
    `hidden_answer`, have been replaced by 00."""

    command: bytes
    answer: bytes
    hidden: range = range(0)
    hidden_answer: range = range(0)

    @classmethod
    def of(cls, command: bytes, answer: bytes, *, secret_answer: bool = False) -> Exchange:
        """Take down an exchange; what is secret in it is lost here.

        `secret_answer`: of a GET RESPONSE, that it fetches the answer of a command whose answer
        is secret.
        """
        hidden = secret_part(command)
        if not secret_answer and not has_secret_answer(command):
            return cls(_masked(command, hidden), answer, hidden)
        data = range(len(answer) - 2)
        return cls(_masked(command, hidden), _masked(answer, data), hidden, data)

    @property
    def command_text(self) -> str:
        """The command in spaced hex, a dot pair for each hidden byte."""
        return _text(self.command, self.hidden)

    @property
    def answer_text(self) -> str:
        return _text(self.answer, self.hidden_answer)


class Masking:
    """Takes down the exchanges with one card in their order, so that it is known of a GET RESPONSE
    what it fetches."""

    __slots__ = ("_fetching",)

    def __init__(self) -> None:
        self._fetching = False

    def of(self, command: bytes, answer: bytes) -> Exchange:
        """Take down an exchange; what is secret in it is lost here."""
        if command[1:2] != _GET_RESPONSE:
            self._fetching = has_secret_answer(command)
        return Exchange.of(command, answer, secret_answer=self._fetching)

    def again(self, exchange: Exchange) -> Exchange:
        """Mask an exchange that somebody else took down, who may have masked more, or less."""
        taken = self.of(exchange.command, exchange.answer)
        if not exchange.hidden and not exchange.hidden_answer:
            return taken
        hidden = _both(taken.hidden, exchange.hidden)
        data = _both(taken.hidden_answer, exchange.hidden_answer)
        return Exchange(_masked(taken.command, hidden), _masked(taken.answer, data), hidden, data)


def _both(one: range, other: range) -> range:
    """From where the first begins to where the last ends."""
    if not one or not other:
        return one or other
    return range(min(one.start, other.start), max(one.stop, other.stop))


def _masked(raw: bytes, hidden: range) -> bytes:
    return raw[: hidden.start] + bytes(len(hidden)) + raw[hidden.stop :] if hidden else raw


def _text(raw: bytes, hidden: range) -> str:
    return " ".join(HIDDEN if at in hidden else f"{byte:02X}" for at, byte in enumerate(raw))


def has_secret_answer(command: bytes) -> bool:
    """Whether what a card answers to this is a key, or may be one."""
    return len(command) > 1 and command[1] in SECRET_ANSWERS


def secret_part(command: bytes) -> range:
    """Where a command carries a PIN or a key: all behind the header when it is malformed.

    Of any other command that is malformed, all behind its fifth byte: two commands in one may be
    the cause, and the second may carry a PIN (profile choice `malformed-commands-masked`).
    """
    if len(command) < 5:
        return range(0)
    secret = brings_secret(command[0], command[1])
    try:
        _, _, _, data, _ = decode(command)
    except FormatError:
        return range(4 if secret else 5, len(command))
    if not secret:
        return range(0)
    start = 7 if command[4] == 0 and data else 5
    return range(start, start + len(data))


def write(exchanges: Iterable[Exchange], remarks: Iterable[str] = ()) -> str:
    """The text of a conversation."""
    lines = [f"# {line}" for remark in remarks for line in remark.splitlines()]
    for exchange in exchanges:
        lines += [f"> {exchange.command_text}", f"< {exchange.answer_text}"]
    return "\n".join(lines) + "\n"


def read(text: str) -> Iterator[Exchange]:
    """The exchanges of a trace, or FormatError naming the line."""
    command: bytes | None = None
    masking = Masking()
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        mark, _, rest = line.partition(" ")
        try:
            raw = bytes.fromhex(rest)
        except ValueError:
            raise FormatError(f"trace line {number}: not hex, or masked") from None
        if mark == ">" and command is None:
            command = raw
        elif mark == "<" and command is not None:
            yield masking.of(command, raw)
            command = None
        else:
            raise FormatError(f"trace line {number}: {mark} out of turn")
    if command is not None:
        raise FormatError("trace: the last command has no answer")
