# SPDX-License-Identifier: Apache-2.0
"""Cryptograms from a key centre's HSM (加密机), in lines that a program carries there and back.

    algorithm|key address|R, the key factor|R, the data|        -> C·D, 32 hex digits
    algorithm|key address|challenge|APDU header|new PIN|        -> the finished APDU
    algorithm|key address|card random|card sequence|amounts|32|terminal|time|
                                                                -> sequence|time|MAC1|

The algorithm is 01 (3DES) or 03 (SM4); a key address is the HSM's two bytes and the PSAM's key
id. Which card it is about, a centre knows from a line that goes before (`host.introduction`).
`HsmKeys` is the terminal's half, `MemoryHsm` the other one, for tests and for terminals in the
making.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from hmac import compare_digest
from typing import Final

from apdu.command import CommandAPDU
from apdu.crypto.padding import when_needed
from apdu.crypto.suite import Suite
from apdu.crypto.suites import SUITES
from apdu.errors import FormatError
from apdu.messaging import MAC as COMMAND_MAC
from apdu.messaging import MESSAGING
from apdu.wire.codes import is_pin, pin_bytes
from apdu.wire.hrss.commands import CRYPTOGRAM
from apdu.wire.hrss.keys import TABLES, KeySpec, key_named
from apdu.wire.perso import Algorithm
from apdu.wire.purchase import (
    CARD_SEQUENCE,
    MAC,
    PURCHASE,
    RANDOM,
    TERMINAL,
    TIME,
    Mac1Input,
)
from host.faults import CentreMisspoke, KeyUnavailable, Lack
from host.introduction import FIELDS, Introduction, algorithm_code
from host.keys import (
    Authentication,
    CardIdentity,
    KeySource,
    MemoryKeys,
    Protection,
    Purchase,
    PurchaseBegun,
)

Request = Authentication | Protection | Purchase
_AMOUNTS: Final = 12
_WITHOUT_ADDRESS: Final = key_named("STK")
_STANDS_IN: Final = key_named("PUK")
"""For the messages of the PIN service, drivers give the address of PUK, and the centre takes STK:
profile choice `hsm-messaging-address`."""


class HsmAddresses:
    """The addresses of masters in a centre's HSM: those that were seen, and those of this centre.

    `own`: two-byte addresses by the key's name. They count before the ones that were seen.
    """

    def __init__(self, own: Mapping[str, int] | None = None) -> None:
        self._own = dict(own or {})
        self._slots = {
            found: spec
            for table in TABLES
            for spec in table
            if (found := self._found(spec)) is not None
        }

    def _found(self, spec: KeySpec) -> str | None:
        address = self._own.get(spec.name, spec.hsm)
        if address is None or spec.psam is None:
            return None
        return f"{address:04X}{spec.psam.id:02X}"

    def of(self, spec: KeySpec) -> str:
        """The address in hex. KeyUnavailable when it is not known."""
        found = self._found(spec)
        if found is None and spec == _WITHOUT_ADDRESS:
            found = self._found(_STANDS_IN)
        if found is None:
            raise KeyUnavailable(HsmKeys.name, spec.name, Lack.ADDRESS)
        return found

    def slot(self, address: str, *, messaging: bool = False) -> KeySpec:
        """The key with this address. FormatError when there is none."""
        if messaging and self.of(_WITHOUT_ADDRESS) == address:
            return _WITHOUT_ADDRESS
        try:
            return self._slots[address]
        except KeyError:
            raise FormatError("key address: no key has it") from None


class HsmKeys(KeySource):
    """The masters in a centre's HSM, at the other end of `ask`: a line out, an answer in.

    A program that carries the lines itself gives no `ask`: it sends what `line` makes, and gives
    the answer to `cryptogram`, `finished` or `begun`. These raise CentreMisspoke for an answer
    that is not what the request asked for.
    """

    name = "HSM"

    def __init__(
        self,
        ask: Callable[[str], str] | None = None,
        suite: Suite = SUITES[Algorithm.TDES],
        addresses: HsmAddresses | None = None,
    ) -> None:
        self.suite = suite
        self._ask = ask
        self._addresses = addresses or HsmAddresses()

    def authenticate(self, request: Authentication) -> bytes:
        return self.cryptogram(request, self._answer(request))

    def protect(self, request: Protection) -> CommandAPDU:
        return self.finished(request, self._answer(request))

    def begin_purchase(self, request: Purchase) -> PurchaseBegun:
        return self.begun(request, self._answer(request))

    def end_purchase(self, request: Purchase, begun: PurchaseBegun, mac2: bytes) -> bool:
        """False: the exchange has no line for MAC2."""
        return False

    def _answer(self, request: Request) -> str:
        if self._ask is None:
            raise TypeError("this HSM is asked by hand: use `line`")
        return self._ask(self.line(request))

    # The two steps

    def line(self, request: Request) -> str:
        """What goes to the centre. KeyUnavailable when the key's address is not known, or the
        command is not one that the centre protects.

        The line of a PIN reload has the new PIN in it, in the clear: it is not to be logged, and
        goes to the centre over a line that nobody else reads.
        """
        self.check(request.key, request.card)
        address = self._addresses.of(request.key)
        match request:
            case Authentication():
                parts = [request.factor, request.data]
            case Protection():
                header = self._header(request)
                pin = request.command.data.hex().removesuffix("f")
                return _line(self.suite, address, [request.factor, header], pin)
            case Purchase(terms=terms):
                amounts = bytes(terms)[:_AMOUNTS]
                parts = [request.random, request.card_sequence, amounts, PURCHASE]
                parts += [terms.terminal, terms.time]
        return _line(self.suite, address, parts)

    def cryptogram(self, request: Authentication, answer: str) -> bytes:
        """C out of C·D, 8 bytes, where D is the data of the request."""
        found = _hex(answer, 2 * CRYPTOGRAM)
        if not compare_digest(found[CRYPTOGRAM:], request.data):
            raise CentreMisspoke("HSM: the answer is for other data")
        return found[:CRYPTOGRAM]

    def finished(self, request: Protection, answer: str) -> CommandAPDU:
        """The protected command; its header and length must be those of the request."""
        header = self._header(request)
        found = _hex(answer, len(header) + header[-1])
        if found[: len(header)] != header:
            raise CentreMisspoke("HSM: the answer is another command")
        return CommandAPDU.parse(found)

    def begun(self, request: Purchase, answer: str) -> PurchaseBegun:
        """Sequence number and MAC1: the terminal's number is 0000 and the card's own."""
        sequence = bytes(2) + request.card_sequence
        parts = answer.split("|") if isinstance(answer, str) else []
        if len(parts) != 4 or parts[3]:
            raise CentreMisspoke("HSM: the answer must be sequence|time|MAC1|")
        if _hex(parts[0], len(sequence)) != sequence or _hex(parts[1], TIME) != request.terms.time:
            raise CentreMisspoke("HSM: the answer is for another purchase")
        return PurchaseBegun(sequence, _hex(parts[2], MAC))

    def _header(self, request: Protection) -> bytes:
        """CLA INS P1 P2 Lc as they will be."""
        command, size = request.command, len(request.command.data)
        if size and not (request.enciphered and is_pin(command.data)):
            raise KeyUnavailable(HsmKeys.name, request.key.name, Lack.USE)
        # Enciphered, a PIN has its length in front, and fills whole blocks.
        blocks = when_needed(bytes(1 + size), self.suite.block) if size else b""
        length = len(blocks) + COMMAND_MAC
        return bytes((command.cla | MESSAGING, command.ins, command.p1, command.p2, length))

    def __repr__(self) -> str:
        return f"HsmKeys({self.suite})"


class MemoryHsm:
    """The centre's half, with masters in memory: test keys only.

    It serves one card at a time: `card`, until another one is introduced.
    """

    def __init__(
        self,
        keys: MemoryKeys,
        card: CardIdentity | None = None,
        addresses: HsmAddresses | None = None,
    ) -> None:
        self._keys = keys
        self._card = card
        self._addresses = addresses or HsmAddresses()

    def answer(self, line: str) -> str:
        """The answer to a line, or FormatError naming the field; never what is in it."""
        if not line.endswith("|"):
            raise FormatError("line: must end with |")
        code, *parts = line[:-1].split("|")
        if len(parts) == FIELDS - 1:
            return self._introduced(Introduction.parse(line))
        if code != algorithm_code(self._keys.suite):
            raise _strange_algorithm()
        match parts:
            case [address, factor, data]:
                return self._authenticate(address, factor, data)
            case [address, challenge, header, pin]:
                return self._protect(address, challenge, header, pin)
            case [address, random, sequence, amounts, kind, terminal, time]:
                terms = amounts + kind + terminal + time
                return self._purchase(address, random, sequence, terms)
        raise FormatError(f"line: {len(parts) + 1} fields, must be 4, 5, 8 or {FIELDS}")

    def _introduced(self, given: Introduction) -> str:
        if given.card.suite is not self._keys.suite:
            raise _strange_algorithm()
        self._card = given.card
        expected, reading = self._keys.authenticate(given.proving), given.reading
        proof = () if reading is None else (self._keys.authenticate(reading), reading.data)
        return Introduction.answer(expected, given.proving, *proof)

    def _served(self) -> CardIdentity:
        if self._card is None:
            raise FormatError("line: no card was introduced")
        return self._card

    def _authenticate(self, address: str, factor: str, data: str) -> str:
        key, shown = self._addresses.slot(address), _field("data", data, CRYPTOGRAM)
        request = Authentication(key, self._served(), _field("factor", factor, CRYPTOGRAM), shown)
        return (self._keys.authenticate(request) + shown).hex().upper()

    def _protect(self, address: str, challenge: str, header: str, pin: str) -> str:
        key = self._addresses.slot(address, messaging=True)
        whole = _field("header", header, 5)
        cla, ins, p1, p2, length = whole
        if not cla & MESSAGING:
            raise FormatError("header: must be that of a protected command")
        bare = CommandAPDU(cla & ~MESSAGING, ins, p1, p2, pin_bytes(pin) if pin else b"")
        factor = _field("challenge", challenge, CRYPTOGRAM)
        request = Protection(key, self._served(), factor, bare, enciphered=True)
        command = replace(self._keys.protect(request), ne=0)
        if len(command.data) != length:
            raise FormatError("header: Lc does not fit the command")
        return bytes(command).hex().upper()

    def _purchase(self, address: str, random: str, sequence: str, terms: str) -> str:
        number = _field("card sequence", sequence, CARD_SEQUENCE)
        whole = _field("terms", terms, _AMOUNTS + len(PURCHASE) + TERMINAL + TIME)
        request = Purchase(
            self._addresses.slot(address),
            self._served(),
            _field("card random", random, RANDOM),
            number,
            Mac1Input.parse(whole),
        )
        begun = self._keys.purchase_with(request, bytes(2) + number)
        parts = begun.terminal_sequence, request.terms.time, begun.mac1
        return "".join(f"{part.hex().upper()}|" for part in parts)

    def __repr__(self) -> str:
        return "MemoryHsm()"


def _strange_algorithm() -> FormatError:
    return FormatError("algorithm: must be that of the HSM's keys")


def _line(suite: Suite, address: str, parts: list[bytes], *more: str) -> str:
    fields = [algorithm_code(suite), address, *(part.hex().upper() for part in parts), *more]
    return "".join(f"{field}|" for field in fields)


def _is_hex(text: str, size: int) -> bool:
    return isinstance(text, str) and re.fullmatch(f"[0-9A-Fa-f]{{{2 * size}}}", text) is not None


def _hex(text: str, size: int) -> bytes:
    """A part of an answer."""
    if not _is_hex(text, size):
        raise CentreMisspoke(f"HSM: a part of the answer must be {2 * size} hex digits")
    return bytes.fromhex(text)


def _field(name: str, text: str, size: int) -> bytes:
    """A part of a line."""
    if not _is_hex(text, size):
        raise FormatError(f"{name}: must be {2 * size} hex digits")
    return bytes.fromhex(text)
