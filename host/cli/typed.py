# SPDX-License-Identifier: Apache-2.0
"""Hex as a person types it, and C-APDUs in it: all are understood, or none is sent."""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from apdu.command import CommandAPDU
from apdu.errors import FormatError
from apdu.flow import exchange
from apdu.sw import sentence
from apdu.trace import Exchange
from host.channel import LONGEST, SHORTEST, Channel
from host.cli.text import packed
from host.faults import CardMisspoke

_BETWEEN = str.maketrans("", "", " \t:")


def typed_apdus(words: Iterable[str], stdin: BinaryIO, *, whole: bool) -> list[bytes]:
    """The commands in the arguments; `-`, or no argument, stands for the lines of `stdin`.

    `whole`: lengths must make sense too. Raises FormatError, which never repeats what was typed:
    it may be a PIN.
    """
    found: list[bytes] = []
    for number, word in enumerate(list(words) or ["-"], start=1):
        if word != "-":
            found.append(_apdu(word, f"argument {number}", whole))
            continue
        text = stdin.read().decode("utf-8", "replace")
        for at, line in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
            line = line.partition("#")[0].strip()
            if line:
                found.append(_apdu(line, f"line {at}", whole))
    return found


def typed_bytes(text: str, where: str) -> bytes:
    """Hex digits, blanks and colons between them for people.

    Raises FormatError, which names `where` and never repeats what was typed.
    """
    digits = text.translate(_BETWEEN)
    for at, character in enumerate(digits, start=1):
        if character not in string.hexdigits:
            raise FormatError(f"{where}: character {at} is not a hex digit")
    if len(digits) % 2:
        raise FormatError(f"{where}: an odd number of hex digits ({len(digits)})")
    return bytes.fromhex(digits)


def _apdu(text: str, where: str, whole: bool) -> bytes:
    command = typed_bytes(text, where)
    if not SHORTEST <= len(command) <= LONGEST:
        hint = "; put an APDU with blanks into quotes" if 0 < len(command) < SHORTEST else ""
        raise FormatError(
            f"{where}: an APDU of {len(command)} bytes, where {SHORTEST} to {LONGEST}"
            f" can be sent{hint}"
        )
    if whole:
        try:
            CommandAPDU.parse(command)
        except FormatError as error:
            raise FormatError(f"{where}: {error}; --auto cannot follow that") from None
    return command


def converse(channel: Channel, commands: Iterable[bytes], *, follow: bool) -> Iterator[Exchange]:
    """Send one command after the other as they are; `follow`: also what 61xx and 6Cxx ask for."""
    for command in commands:
        if not follow:
            answer = channel.transmit(command)
        else:
            try:
                answer = bytes(exchange(channel.transmit, CommandAPDU.parse(command)))
            except FormatError as error:
                raise CardMisspoke(str(error)) from None
        yield Exchange.of(command, answer)


def exchange_as_json(exchanged: Exchange) -> dict[str, str]:
    """Hex without blanks, secret bytes as ••."""
    sw = exchanged.answer[-2:]
    return {
        "command": exchanged.command_text.replace(" ", ""),
        "answer": packed(exchanged.answer),
        "sw": packed(sw),
        "sentence": sentence(int.from_bytes(sw)),
    }
