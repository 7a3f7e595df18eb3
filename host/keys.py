# SPDX-License-Identifier: Apache-2.0
"""Where a terminal's cryptograms come from: `KeySource`, and keys in memory as the first of three.

The others are a PSAM (`host.psam`) and a key centre's HSM (`host.hsm`); with these no key is ever
on this side. All of them answer the same requests, which are frozen values. What stands here in
memory derives from one published test root, so every card it makes is a test card.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from hmac import compare_digest
from itertools import count
from typing import Final

from apdu.atr import Atr
from apdu.command import CommandAPDU
from apdu.crypto import purchase as cryptograms
from apdu.crypto.derive import FACTOR, authentication, challenge_key, diversify
from apdu.crypto.suite import BlockKey, Suite
from apdu.crypto.suites import SUITES
from apdu.errors import FormatError
from apdu.messaging import Messaging
from apdu.secret import MASK, Secret
from apdu.wire.hrss.keys import LEVELS_SHIFT, KeySpec, PsamName
from apdu.wire.perso import Algorithm
from apdu.wire.purchase import TERMINAL_SEQUENCE, Mac1Input, Mac2Input
from host.faults import CardMisspoke, CardNotGenuine, KeyUnavailable, Lack

TEST_ROOT: Final = bytes.fromhex("00112233445566778899AABBCCDDEEFF")
"""The test root: published, worthless, and the start of every key of a test card."""
UNIQUE: Final = 8
"""Bytes of a chip's own number, the last ones of the ATR."""
REGION: Final = 6
_CARD_ONLY: Final = 1 << LEVELS_SHIFT


def chip_number(atr: bytes) -> bytes:
    """T6 to TD of the ATR: the chip's own 8 bytes. CardMisspoke when it has none."""
    try:
        historical = Atr.parse(atr).historical
    except FormatError as error:
        raise CardMisspoke(str(error)) from None
    if len(historical) < UNIQUE:
        raise CardMisspoke(f"ATR: {len(historical)} historical bytes hold no chip number")
    return historical[-UNIQUE:]


def factors(region: str, unique: bytes) -> tuple[bytes, bytes, bytes]:
    """The diversification factors province, city and card, 8 bytes each.

    `region` is six digits of GB/T 2260; `unique` the last 8 historical bytes of the ATR.
    """
    return (region[:2] + "0000sh").encode(), (region + "sx").encode(), unique


# What is asked


@dataclass(frozen=True, slots=True)
class CardIdentity:
    """What a card's keys are diversified by: region, 6 digits, and chip number, 8 bytes.

    And what they work with: the card's `suite`.
    """

    region: str
    unique: bytes
    suite: Suite = SUITES[Algorithm.TDES]

    def __post_init__(self) -> None:
        digits = self.region.isascii() and self.region.isdecimal()
        if not digits or len(self.region) != REGION:
            raise FormatError(f"region: must be {REGION} digits")
        if len(self.unique) != UNIQUE:
            raise FormatError(f"chip number: {len(self.unique)} bytes, must be {UNIQUE}")

    def factors(self, levels: int) -> bytes:
        """As a PSAM is given them: card, city, province, as many as there are levels."""
        return b"".join(reversed(factors(self.region, self.unique)[-levels:]))


@dataclass(frozen=True, slots=True)
class Authentication:
    """Prove a card's key: the cryptogram over `data` under the session key of `factor`.

    Both have 8 bytes. For EXTERNAL AUTHENTICATE the factor is the card's last challenge; for
    INTERNAL AUTHENTICATE the terminal chose both, and this is what the card has to answer.
    """

    key: KeySpec
    card: CardIdentity
    factor: bytes
    data: bytes

    def __post_init__(self) -> None:
        for name, value in (("key factor", self.factor), ("data", self.data)):
            if len(value) != FACTOR:
                raise FormatError(f"{name}: {len(value)} bytes, must be {FACTOR}")


@dataclass(frozen=True, slots=True)
class Protection:
    """Put a command under secure messaging, for the card's last challenge (`factor`, 8 bytes)."""

    key: KeySpec
    card: CardIdentity
    factor: bytes
    command: CommandAPDU = field(repr=False)  # a PIN may be in it
    enciphered: bool = False

    def __post_init__(self) -> None:
        if len(self.factor) != FACTOR:
            raise FormatError(f"key factor: {len(self.factor)} bytes, must be {FACTOR}")


@dataclass(frozen=True, slots=True)
class Purchase:
    """Begin a purchase from the medical account.

    `key`: DPK of the version that the card named; `random` (4 bytes) and `card_sequence` (2): what
    the card answered; `terms`: amounts, terminal, time.
    """

    key: KeySpec
    card: CardIdentity
    random: bytes
    card_sequence: bytes
    terms: Mac1Input


@dataclass(frozen=True, slots=True)
class PurchaseBegun:
    """What the card is then given: the terminal's sequence number (4 bytes) and MAC1 (4)."""

    terminal_sequence: bytes
    mac1: bytes


class KeySource(ABC):
    """Answers requests. All of them raise KeyUnavailable for a key that is not to be had here."""

    name: str
    """As faults call it."""
    suite: Suite
    """The algorithm of its masters: it serves cards of the same one."""

    def check(self, key: KeySpec, card: CardIdentity) -> None:
        """Raise KeyUnavailable for a card of another algorithm: it would cost the card a try."""
        if card.suite is not self.suite:
            raise KeyUnavailable(self.name, key.name, Lack.ALGORITHM)

    @abstractmethod
    def authenticate(self, request: Authentication) -> bytes:
        """The cryptogram, 8 bytes."""

    @abstractmethod
    def protect(self, request: Protection) -> CommandAPDU:
        """The command as it is to be sent."""

    @abstractmethod
    def begin_purchase(self, request: Purchase) -> PurchaseBegun:
        """A sequence number that no purchase had before, and MAC1."""

    @abstractmethod
    def end_purchase(self, request: Purchase, begun: PurchaseBegun, mac2: bytes) -> bool:
        """Judge MAC2, 4 bytes. True: it is right; False: this source has no way to judge it.

        Raises CardNotGenuine when it is wrong.
        """


class SessionKeys(KeySource):
    """A source that makes session keys which work, whether they are here or in a PSAM."""

    @abstractmethod
    def session(
        self, key: KeySpec, card: CardIdentity, factor: bytes
    ) -> AbstractContextManager[BlockKey]:
        """The session key of a card's key and a factor, for as long as the context lasts."""

    def authenticate(self, request: Authentication) -> bytes:
        with self.session(request.key, request.card, request.factor) as session:
            return authentication(session, request.data)

    def protect(self, request: Protection) -> CommandAPDU:
        with self.session(request.key, request.card, request.factor) as session:
            messaging = Messaging(session, session)
            return messaging.protect(request.command, enciphered=request.enciphered)


class MemoryKeys(SessionKeys):
    """Master keys in memory: test keys only. One root makes the masters of every slot."""

    name = "memory"

    def __init__(
        self,
        root: Secret | None = None,
        suite: Suite = SUITES[Algorithm.TDES],
        first_sequence: int = 1,
    ) -> None:
        """`first_sequence`: the terminal's number of the next purchase."""
        self.suite = suite
        self._root = root or Secret(TEST_ROOT)
        self._sequences = count(first_sequence)

    def master(self, name: PsamName) -> Secret:
        """The 16-byte master key that a PSAM knows by this name.

        The root diversified by usage and id, four times over (a choice of this project).
        """
        factor = bytes((name.usage, name.id)) * (FACTOR // 2)
        return Secret(diversify(self.suite.once(self._root.reveal()), factor))

    def card_key(self, spec: KeySpec, region: str, unique: bytes) -> Secret:
        """The 16-byte key of one card for one slot of the key table.

        Diversified over as many levels as its PSAM name says. Keys that no PSAM has are
        diversified over the card alone, from a master named by usage and KID.
        """
        name = spec.psam or PsamName(_CARD_ONLY | spec.usage, spec.kid)
        key = self.master(name).reveal()
        for factor in factors(region, unique)[-name.levels :]:
            key = diversify(self.suite.once(key), factor)
        return Secret(key)

    def session(
        self, key: KeySpec, card: CardIdentity, factor: bytes
    ) -> AbstractContextManager[BlockKey]:
        return nullcontext(challenge_key(self._card_key(key, card), factor))

    def begin_purchase(self, request: Purchase) -> PurchaseBegun:
        return self.purchase_with(request, next(self._sequences).to_bytes(TERMINAL_SEQUENCE))

    def purchase_with(self, request: Purchase, terminal_sequence: bytes) -> PurchaseBegun:
        """MAC1 for a sequence number that somebody else has chosen."""
        session = self._purchase_key(request, terminal_sequence)
        return PurchaseBegun(terminal_sequence, cryptograms.mac1(session, request.terms))

    def end_purchase(self, request: Purchase, begun: PurchaseBegun, mac2: bytes) -> bool:
        session = self._purchase_key(request, begun.terminal_sequence)
        booked = Mac2Input(request.card_sequence, begun.terminal_sequence, begun.mac1)
        if not compare_digest(cryptograms.mac2(session, booked), mac2):
            raise CardNotGenuine("the card's MAC2 is wrong: it has not proven that it booked")
        return True

    def _card_key(self, key: KeySpec, card: CardIdentity) -> BlockKey:
        self.check(key, card)
        return self.suite.key(self.card_key(key, card.region, card.unique).reveal())

    def _purchase_key(self, request: Purchase, terminal_sequence: bytes) -> BlockKey:
        dpk = self._card_key(request.key, request.card)
        sequence = request.card_sequence
        return cryptograms.purchase_key(dpk, request.random, sequence, terminal_sequence)

    def __repr__(self) -> str:
        return f"MemoryKeys({MASK})"
