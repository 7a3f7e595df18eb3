# SPDX-License-Identifier: Apache-2.0
"""Cryptograms from a PSAM (终端安全存取模块) behind any channel. No key is ever on this side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, NoReturn, TypeVar

from apdu import tlv
from apdu.crypto.padding import Padding, method_2
from apdu.crypto.suite import BlockKey, Suite
from apdu.crypto.suites import SUITES
from apdu.errors import FormatError
from apdu.sw import SW
from apdu.wire.form import CommandForm
from apdu.wire.hrss.application import MF_FID
from apdu.wire.hrss.keys import KeySpec, PsamName
from apdu.wire.hrss.spec import EfSpec
from apdu.wire.iso7816 import READ_BINARY, SELECT, By, Selection, SfiOffset
from apdu.wire.perso import Algorithm
from apdu.wire.psam import (
    CODE_OF,
    INFO,
    KEY_INDEX,
    PSAM_AID,
    SEQUENCE,
    TERMINAL,
    AlgorithmMark,
    CryptMode,
    PsamInfo,
    TerminalNumber,
    with_levels,
)
from apdu.wire.psam_commands import (
    CRYPT,
    DERIVE_SESSION_KEY,
    FACTOR,
    INITIALISE_PURCHASE,
    VERIFY_MAC2,
    CryptRef,
    DeriveData,
    MacData,
    MasterRef,
    PurchaseData,
    PurchaseReply,
)
from apdu.wire.purchase import PURCHASE_ALGORITHM_OF
from host.card import Card
from host.faults import CardMisspoke, CardNotGenuine, CardRefused, KeyUnavailable, Lack
from host.keys import CardIdentity, Purchase, PurchaseBegun, SessionKeys
from host.psam_region import reaches, region_said

P = TypeVar("P")
D = TypeVar("D")
R = TypeVar("R")
T = TypeVar("T")

_FCI, _PROPRIETARY, _MARK = 0x6F, 0xA5, 0x9F0C
_SUITE_OF: Final = {code: SUITES[algorithm] for algorithm, code in CODE_OF.items()}
_LACKS: Final[dict[int, Lack]] = {
    SW.REFERENCE_NOT_FOUND: Lack.KEY,
    SW.KEY_INDEX_NOT_SUPPORTED: Lack.KEY,
}
"""What a PSAM says of a key that it does not have."""


class PsamKeys(SessionKeys):
    """The masters in a PSAM.

    The application is selected anew for every request, so that a PSAM which was reset, or used
    by somebody else in between, does no harm. The PSAM of a province or a city has masters that
    are some levels down already, under usage bytes with as many levels fewer: it is asked for
    all levels first, then for fewer, and what fits a key is remembered.
    """

    name = "PSAM"

    def __init__(self, psam: Card) -> None:
        """Raises NotFound when the card is no PSAM, KeyUnavailable for an unknown algorithm."""
        self._psam = psam
        self._stored: dict[PsamName, PsamName] = {}
        """What the table calls a master, and what this PSAM calls it."""
        with psam.transaction():
            info = self._info()
            self.serial = info.serial
            self.region = region_said(info.issuer)
            self.terminal = self._terminal()
            self.suite: Suite = self._select()

    # What it says of itself

    def sequence(self) -> int:
        """The number that the next purchase will have."""
        with self._psam.transaction():
            self._select()
            return int.from_bytes(self._read(SEQUENCE))

    def key_index(self) -> int:
        """Which version of the purchase key (DPK) the terminal is to ask the card for."""
        with self._psam.transaction():
            self._select()
            return int.from_bytes(self._read(KEY_INDEX))

    def reaches(self, card: CardIdentity) -> bool:
        """False when the PSAM says that it is another province's or city's than the card.

        Then its IRK and RK are not the card's, nor another city's UK: an authentication would
        cost the card a try, and a key centre is to be asked. Nothing is sent to the PSAM.
        """
        return reaches(self.region, card.region)

    def levels(self, key: KeySpec) -> int:
        """Levels that are still to be gone from its master of a key. Costs nothing.

        3 for IRK in a national PSAM, 2 in a province's, 1 in a city's. KeyUnavailable when it
        has no such master, or one that makes no sessions (DPK).
        """
        with self._psam.transaction():
            self._select()
            return self._derive(key, lambda count: bytes(count * FACTOR), bytes(FACTOR))

    def _info(self) -> PsamInfo:
        self._psam.send(SELECT, Selection(By.FILE_ID), MF_FID.to_bytes(2))
        try:
            return PsamInfo.parse(self._read(INFO))
        except FormatError as error:
            raise CardMisspoke(f"PSAM: {error}") from None

    def _terminal(self) -> str:
        try:
            return TerminalNumber.parse(self._read(TERMINAL)).number
        except FormatError as error:
            raise CardMisspoke(f"PSAM: {error}") from None

    def _read(self, file: EfSpec) -> bytes:
        found = self._psam.send(READ_BINARY, SfiOffset(file.sfi), None, ne=file.size)
        if len(found) != file.size:
            raise CardMisspoke(f"PSAM: {len(found)} bytes of {file.english}, not {file.size}")
        return found

    def _select(self) -> Suite:
        """Select the application. What its FCI says of the algorithm; 3DES when it says nothing."""
        fci = self._psam.select(PSAM_AID)
        template = tlv.find(tlv.parse(fci), _FCI)
        inside = template.find(_PROPRIETARY) if template else None
        mark = inside.find(_MARK) if inside else None
        if mark is None:
            return SUITES[Algorithm.TDES]
        try:
            code = AlgorithmMark.parse(mark.value).code
        except FormatError as error:
            raise CardMisspoke(f"PSAM: {error}") from None
        if code not in _SUITE_OF:
            raise KeyUnavailable(PsamKeys.name, "of any name", Lack.ALGORITHM)
        return _SUITE_OF[code]

    # Requests

    @contextmanager
    def session(self, key: KeySpec, card: CardIdentity, factor: bytes) -> Iterator[BlockKey]:
        self.check(key, card)
        with self._psam.transaction():
            self._select()
            self._derive(key, card.factors, factor)
            yield _KeyInPsam(self._psam, self.suite, key)

    def begin_purchase(self, request: Purchase) -> PurchaseBegun:
        """As `KeySource` has it. FormatError when the terms name another terminal than the PSAM."""
        if request.terms.terminal != bytes(TerminalNumber(self.terminal)):
            raise FormatError("terminal: must be the number that the PSAM has")
        terms, key = request.terms, request.key
        self.check(key, request.card)

        def ask(name: PsamName) -> PurchaseReply:
            given = PurchaseData(
                request.random,
                request.card_sequence,
                terms.account,
                terms.own,
                terms.pool,
                terms.time,
                name.id,
                PURCHASE_ALGORITHM_OF[Algorithm(self.suite.number)],
                request.card.factors(name.levels),
            )
            return _ask(self._psam, INITIALISE_PURCHASE, None, given, key, 8)

        with self._psam.transaction():
            self._select()
            reply = self._fitting(key, ask)
        return PurchaseBegun(reply.terminal_sequence, reply.mac1)

    def end_purchase(self, request: Purchase, begun: PurchaseBegun, mac2: bytes) -> bool:
        """As `KeySource` has it. Only the purchase that was begun last can be ended, and once."""
        try:
            self._psam.send(VERIFY_MAC2, None, mac2)
        except CardRefused as refusal:
            if refusal.sw != SW.MAC_INVALID:
                raise
            raise CardNotGenuine("MAC2 is wrong: the card has not proven that it booked") from None
        return True

    def _derive(self, key: KeySpec, factors: Callable[[int], bytes], factor: bytes) -> int:
        """Have the session key made, of `factors` for so many levels. Returns how many fitted."""

        def ask(name: PsamName) -> int:
            given = DeriveData(factors(name.levels), factor)
            ref = MasterRef(name.usage, name.id)
            _ask(self._psam, DERIVE_SESSION_KEY, ref, given, key, 0)
            return name.levels

        return self._fitting(key, ask)

    def _fitting(self, key: KeySpec, ask: Callable[[PsamName], T]) -> T:
        """Ask under the name that the PSAM has the key's master by; KeyUnavailable without one."""
        wanted = _master(key)
        names = (with_levels(wanted, count) for count in range(wanted.levels, 0, -1))
        for name in dict.fromkeys((self._stored.get(wanted, wanted), *names)):
            try:
                answer = ask(name)
            except KeyUnavailable as fault:
                if fault.lack is not Lack.KEY:
                    raise
                continue
            self._stored[wanted] = name
            return answer
        raise KeyUnavailable(self.name, key.name, Lack.KEY)

    def __repr__(self) -> str:
        return f"PsamKeys({self.serial}, {self.suite})"


class _KeyInPsam(BlockKey):
    """The session key that the PSAM has just derived: it works there, and never comes here."""

    __slots__ = ("_key", "_psam")

    def __init__(self, psam: Card, suite: Suite, key: KeySpec) -> None:
        super().__init__(suite, b"")
        self._psam = psam
        self._key = key

    def encrypt(self, data: bytes) -> bytes:
        if len(data) % self.suite.block:
            raise self._not_blocks(data)
        return self._crypt(CryptMode.ENCIPHER, data, len(data))

    def decrypt(self, data: bytes) -> NoReturn:
        raise TypeError("a PSAM deciphers nothing")

    def mac(self, data: bytes, padding: Padding = method_2) -> bytes:
        """8 bytes of the suite's MAC."""
        given = MacData(bytes(FACTOR), padding(data, self.suite.block))
        return self._crypt(CryptMode.MAC, bytes(given), FACTOR)

    def cbc_mac(self, data: bytes, padding: Padding = method_2) -> bytes:
        """A session key has one block, so its MAC is CBC."""
        return self.mac(data, padding)

    def _crypt(self, mode: CryptMode, data: bytes, size: int) -> bytes:
        reply = _ask(self._psam, CRYPT, CryptRef(mode), data, self._key, size)
        if len(reply) != size:
            raise CardMisspoke(f"PSAM: {CRYPT.name} answers {len(reply)} bytes, not {size}")
        return reply


def _master(key: KeySpec) -> PsamName:
    if key.psam is None:
        raise KeyUnavailable(PsamKeys.name, key.name, Lack.KEY)
    return key.psam


def _ask(psam: Card, form: CommandForm[P, D, R], params: P, data: D, key: KeySpec, ne: int) -> R:
    """Send a command that is about a key; what the PSAM says against it names the key."""
    try:
        return psam.send(form, params, data, ne=ne)
    except CardRefused as refusal:
        if refusal.sw in _LACKS:
            raise KeyUnavailable(PsamKeys.name, key.name, _LACKS[refusal.sw]) from None
        if refusal.sw == SW.CONDITIONS_NOT_SATISFIED and form is not INITIALISE_PURCHASE:
            raise KeyUnavailable(PsamKeys.name, key.name, Lack.USE) from None
        raise
