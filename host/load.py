# SPDX-License-Identifier: Apache-2.0
"""The centre's side of a load of the medical account (账户划入), with test keys in memory.

What goes to the centre and back is profile choice `load`; no PSAM has a load key (DLK), so only a
centre can allow a load, and only it can check the TAC that the card answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from hmac import compare_digest
from typing import Final

from apdu.crypto import purchase as cryptograms
from apdu.crypto.suite import BlockKey
from apdu.wire.hrss.keys import KeySpec, key_named
from apdu.wire.purchase import LoadMac1Input, LoadMac2Input, LoadTacInput
from host.faults import CardNotGenuine
from host.keys import CardIdentity, MemoryKeys

_DTK: Final = key_named("DTK")


@dataclass(frozen=True, slots=True)
class Load:
    """What the centre is asked: whether this card may be credited with this amount, in fen.

    `key`: DLK of the version that the card named; `random` (4 bytes), `card_sequence` (2),
    `balance` (before) and `mac1` (4): what the card answered; `terminal` (6 bytes) and `time` (7):
    cn, where and when.
    """

    key: KeySpec
    card: CardIdentity
    random: bytes
    card_sequence: bytes
    balance: int
    amount: int
    terminal: bytes
    time: bytes
    mac1: bytes


class LoadKeys:
    """A centre that allows every load which a genuine card asks for."""

    def __init__(self, keys: MemoryKeys) -> None:
        self._keys = keys

    def allow(self, request: Load) -> bytes:
        """MAC2, 4 bytes. Raises CardNotGenuine when the card's MAC1 is wrong, KeyUnavailable for a
        card of another algorithm."""
        dlk = self._key(request.key, request.card)
        session = cryptograms.load_key(dlk, request.random, request.card_sequence)
        asked = LoadMac1Input(request.balance, request.amount, request.terminal)
        if not compare_digest(cryptograms.load_mac1(session, asked), request.mac1):
            raise CardNotGenuine("the card's MAC1 is wrong: it has not proven what it has")
        allowed = LoadMac2Input(request.amount, request.terminal, request.time)
        return cryptograms.load_mac2(session, allowed)

    def settle(self, request: Load, tac: bytes) -> None:
        """Check the TAC, 4 bytes: CardNotGenuine when it does not prove that the card booked."""
        booked = LoadTacInput(
            request.balance + request.amount,
            request.card_sequence,
            request.amount,
            request.terminal,
            request.time,
        )
        expected = cryptograms.load_tac(self._key(_DTK, request.card), booked)
        if not compare_digest(expected, tac):
            raise CardNotGenuine("the card's TAC is wrong: it has not proven that it booked")

    def _key(self, key: KeySpec, card: CardIdentity) -> BlockKey:
        self._keys.check(key, card)
        return self._keys.suite.key(self._keys.card_key(key, card.region, card.unique).reveal())

    def __repr__(self) -> str:
        return "LoadKeys()"
