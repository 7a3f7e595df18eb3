# SPDX-License-Identifier: Apache-2.0
"""What does not fit one APDU: command chaining, GET RESPONSE (61xx) and the right Le (6Cxx).

Both halves stand here side by side. `Incoming` and `deliver` are the card's, `split` and
`exchange` the terminal's. This file does not know which side we are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from apdu.cla import CHAINING, channel_only
from apdu.command import EXTENDED_NE, SHORT_NE, CommandAPDU, ResponseAPDU
from apdu.errors import FormatError, StatusError
from apdu.sw import SW, remaining, right_length

MAX_CHAIN = 8192
"""Bytes that a chain may bring together."""
MAX_ROUNDS = 64
"""GET RESPONSE commands after one command."""
MAX_REPLY = 65_536
"""Bytes that one command's reply may come to."""

OK = b"\x90\x00"


# The card's half


class Incoming:
    """The parts of a chain as they come in (ISO 7816-4 5.3.3)."""

    __slots__ = ("_parts", "header")

    def __init__(self) -> None:
        self.header: tuple[int, int] | None = None
        """INS and P1-P2 of the chain that is open, None when there is none."""
        self._parts = bytearray()

    def add(self, ins: int, p1p2: int, data: bytes, more: bool) -> bytes | None:
        """The whole data once the last part is here, None before.

        A part that does not belong to the chain ends it and is refused with 6883.
        """
        header = (ins, p1p2)
        if self.header not in (None, header):
            self.drop()
            text = "another chain is open; it is dropped"
            raise StatusError(SW.LAST_COMMAND_EXPECTED, text)
        if len(self._parts) + len(data) > MAX_CHAIN:
            length = len(self._parts) + len(data)
            self.drop()
            text = "the chain has {length} bytes, at most {most}"
            raise StatusError(SW.WRONG_LENGTH, text, length=length, most=MAX_CHAIN)
        self._parts += data
        if more:
            self.header = header
            return None
        whole = bytes(self._parts)
        self.drop()
        return whole

    def drop(self) -> None:
        self.header = None
        self._parts.clear()


def deliver(reply: bytes, ne: int, exact: bool) -> tuple[bytes, bytes]:
    """The R-APDU for a good reply, and what is left for GET RESPONSE.

    As on a T=0 card: a reply that the command did not ask for in full waits behind 61xx. An
    `exact` command with the wrong Le is told the right one (6Cxx) instead and gets no data.
    """
    n = len(reply)
    if n == ne or (n < ne and (ne >= SHORT_NE or not exact)):
        return reply + OK, b""
    if exact and 0 < ne < SHORT_NE and n <= SHORT_NE:
        return bytes((SW.WRONG_LE >> 8, n & 0xFF)), b""
    left = n - ne
    return reply[:ne] + bytes((SW.BYTES_REMAINING >> 8, left if left < SHORT_NE else 0)), reply[ne:]


# The terminal's half


def split(command: CommandAPDU, size: int = 255) -> Iterator[CommandAPDU]:
    """The parts of a command whose data is longer than `size`, chained; else the command."""
    data = command.data
    if len(data) <= size:
        yield command
        return
    for at in range(0, len(data), size):
        last = at + size >= len(data)
        yield CommandAPDU(
            command.cla if last else command.cla | CHAINING,
            command.ins,
            command.p1,
            command.p2,
            data[at : at + size],
            command.ne if last else 0,
        )


def exchange(transmit: Callable[[bytes], bytes], command: CommandAPDU) -> ResponseAPDU:
    """Send a command, follow 6Cxx once and 61xx to its end, and return the whole answer.

    Raises FormatError when the answers contradict themselves: more data than asked for, a 6Cxx
    to a Le that was right, a 61xx that leads nowhere.
    """
    answer = ResponseAPDU.parse(transmit(bytes(command)))
    length = right_length(answer.sw)
    if length is not None and command.ne and command.ne != length:
        parts = (command.cla, command.ins, command.p1, command.p2, command.data)
        command = CommandAPDU(*parts, ne=length)
        answer = ResponseAPDU.parse(transmit(bytes(command)))
    if right_length(answer.sw) is not None:
        raise FormatError("the card asks for another Le than the one it named")
    if len(answer.data) > (command.ne or EXTENDED_NE):
        raise FormatError(f"{len(answer.data)} bytes of reply, {command.ne} were asked for")
    reply, rounds = bytearray(answer.data), 0
    while (waiting := remaining(answer.sw)) is not None:
        rounds += 1
        if rounds > MAX_ROUNDS:
            raise FormatError(f"more than {MAX_ROUNDS} GET RESPONSE commands for one reply")
        fetch = CommandAPDU(channel_only(command.cla), 0xC0, ne=waiting)
        answer = ResponseAPDU.parse(transmit(bytes(fetch)))
        if len(answer.data) > waiting:
            raise FormatError(f"{len(answer.data)} bytes of reply, {waiting} were announced")
        if not answer.data and (answer.sw == SW.OK or remaining(answer.sw) is not None):
            raise FormatError("GET RESPONSE brought nothing of what was announced")
        if right_length(answer.sw) is not None:
            raise FormatError("GET RESPONSE refuses the length that was announced")
        reply += answer.data
        if len(reply) > MAX_REPLY:
            raise FormatError(f"a reply of more than {MAX_REPLY} bytes")
    return ResponseAPDU(bytes(reply), answer.sw)
