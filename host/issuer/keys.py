# SPDX-License-Identifier: Apache-2.0
"""The issuer's keys: master keys (发卡行主密钥, IMK) by algorithm, and the keys of cards from them.

A card's three keys follow from its PAN and sequence number (option A, JR/T 0025.5 annex D). A card
that was not made from these masters, as a published one, has keys of its own beside them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from apdu.crypto.derive import udk
from apdu.crypto.pinblock import pin_change_key
from apdu.crypto.suite import BlockKey
from apdu.crypto.suites import SUITES
from apdu.errors import FormatError
from apdu.secret import MASK, Secret
from apdu.wire.pboc.groups import KEYS, DataGroup
from apdu.wire.perso import Algorithm

KEY: Final = 16
"""Bytes of a key."""
KEPT: Final = 4096
"""Cards whose keys are kept ready, those asked for last."""


@dataclass(frozen=True, slots=True)
class KeySet:
    """The three keys of one algorithm, 16 bytes each: the issuer's (IMK-AC, IMK-MAC, IMK-ENC), or
    one card's (UDK-AC, UDK-MAC, UDK-ENC)."""

    ac: Secret = field(repr=False)
    mac: Secret = field(repr=False)
    enc: Secret = field(repr=False)

    def __post_init__(self) -> None:
        for name in ("ac", "mac", "enc"):
            size = len(getattr(self, name))
            if size != KEY:
                raise FormatError(f"key {name.upper()}: {size} bytes, must be {KEY}")


@dataclass(frozen=True, slots=True)
class CardKeys:
    """The keys of one card, ready for work."""

    ac: BlockKey
    mac: BlockKey
    enc: BlockKey
    pin_mask: Secret = field(repr=False)
    """What a PIN change is masked with, 16 bytes (profile choice `pin-change-key`)."""
    at_rest: BlockKey
    """What a PIN that waits for the card is enciphered under, whatever algorithm the card will
    use then."""


class UnknownKey(FormatError):
    """No keys of the algorithm that the card says it used."""


class IssuerKeys:
    """Answers with the keys of a card. Every text form of it is `•••`."""

    def __init__(
        self,
        masters: Mapping[Algorithm, KeySet],
        own: Mapping[tuple[str, str, Algorithm], KeySet] | None = None,
    ) -> None:
        """`own`: by PAN, sequence number (2 digits) and algorithm, the keys of cards that were
        not made from these masters. Raises FormatError without masters."""
        if not masters:
            raise FormatError("master keys: the issuer must have some")
        self._masters = {
            algorithm: tuple(
                SUITES[algorithm].key(each.reveal()) for each in (found.ac, found.mac, found.enc)
            )
            for algorithm, found in masters.items()
        }
        self._own = dict(own or {})
        self.card = lru_cache(KEPT)(self._card)
        """`card(pan, psn, algorithm)`: the keys of a card. Raises FormatError for a PAN or PSN in
        the wrong shape, UnknownKey when the algorithm has no masters here."""

    def _card(self, pan: str, psn: str, algorithm: Algorithm) -> CardKeys:
        own = self._own.get((pan, psn, algorithm))
        if own is not None:
            ac, mac, enc = own.ac.reveal(), own.mac.reveal(), own.enc.reveal()
        else:
            masters = self._masters.get(algorithm)
            if masters is None:
                raise UnknownKey(f"{SUITES[algorithm].name}: the issuer has no master keys for it")
            ac, mac, enc = (udk(master, pan, psn) for master in masters)
        ready = SUITES[algorithm].key
        mask = Secret(pin_change_key(ac, enc))
        return CardKeys(ready(ac), ready(mac), ready(enc), mask, self.at_rest(pan, psn))

    def at_rest(self, pan: str, psn: str) -> BlockKey:
        """The key of a PIN that waits for a card: UDK-ENC of the first algorithm here."""
        algorithm, masters = next(iter(self._masters.items()))
        return SUITES[algorithm].key(udk(masters[2], pan, psn))

    def __repr__(self) -> str:
        return f"IssuerKeys({MASK})"


def keys_in(groups: Iterable[DataGroup]) -> dict[Algorithm, KeySet]:
    """The keys that a profile gives its card (groups 8000 and 8100), by algorithm.

    Raises FormatError when such a group has not three keys.
    """
    found = {group.number: group.value for group in groups}
    return {
        algorithm: _three(number, found[number])
        for algorithm, number in KEYS.items()
        if number in found
    }


def _three(number: int, value: bytes) -> KeySet:
    if len(value) != 3 * KEY:
        raise FormatError(f"group {number:04X}: {len(value)} bytes, must be {3 * KEY}")
    return KeySet(*(Secret(value[at : at + KEY]) for at in range(0, 3 * KEY, KEY)))
