# SPDX-License-Identifier: Apache-2.0
"""What a PSAM tells about itself: whose it is, for which cards, and its next number. No key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from apdu.wire.hrss.keys import key_named
from apdu.wire.iso7816 import SELECT, Selection
from apdu.wire.psam import MAX_LEVELS, PSAM_AID
from host.card import Card
from host.cli.names import Shown
from host.cli.text import packed
from host.faults import CardMisspoke, CardRefused, KeyUnavailable
from host.psam import PsamKeys
from host.psam_region import Level

_MEASURE: Final = key_named("IRK")
"""A key of all levels, which every terminal needs: how many are left tells whose the PSAM is."""
_LEVELS: Final = {
    Level.NATIONAL: "全国: for all cards",
    Level.PROVINCE: "省级: for cards of one province",
    Level.CITY: "市级: for cards of one city",
}


@dataclass(frozen=True, slots=True)
class PsamFacts:
    """What could be learned."""

    terminal: str
    serial: str
    algorithm: str
    level: Level | None
    """None: it has no IRK, so it does not show."""
    region: str
    """Four digits, as it says itself; empty when it says none."""
    next_sequence: int
    key_index: int

    def as_json(self) -> dict[str, object]:
        return {
            "terminal": self.terminal,
            "serial": self.serial,
            "algorithm": self.algorithm,
            "level": None if self.level is None else self.level.name.lower(),
            "region": self.region or None,
            "next_sequence": self.next_sequence,
            "key_index": self.key_index,
        }

    def words(self) -> Iterator[Shown]:
        level, meaning = ("", "not to be seen: it has no IRK")
        if self.level is not None:
            level, meaning = self.level.name.lower(), _LEVELS[self.level]
        yield Shown("", "terminal number", "终端机编号", self.terminal)
        yield Shown("", "serial number", "PSAM 序列号", self.serial)
        yield Shown("", "algorithm", "算法", self.algorithm)
        yield Shown("", "level of masters", "密钥级别", level, meaning)
        region = self.region and "its first four digits"
        yield Shown("", "region", "行政区划", self.region, region or "it says none")
        yield Shown("", "next purchase", "终端交易序号", str(self.next_sequence))
        yield Shown("", "purchase key index", "消费密钥索引", str(self.key_index))


@dataclass(frozen=True, slots=True)
class PsamReport:
    """All of it. `trouble` says why there are no facts."""

    atr: bytes
    reset: tuple[Shown, ...]
    facts: PsamFacts | None = None
    trouble: str = ""
    blank: bool = False
    """It is a chip for a PSAM, and not finished."""

    @property
    def sound(self) -> bool:
        """What it told is what it should be."""
        return self.facts is not None

    def as_json(self) -> dict[str, object]:
        return {
            "atr": packed(self.atr),
            "reset": [each.as_json() for each in self.reset],
            "social_security_card": False,
            "blank": self.blank,
            "psam": self.facts and self.facts.as_json(),
            "trouble": self.trouble,
        }


def is_psam(card: Card) -> bool:
    """Whether it has the PSAM's application."""
    try:
        card.ask(SELECT, Selection(), PSAM_AID)
    except (CardRefused, CardMisspoke):
        return False
    return True


def psam_report(card: Card, atr: bytes, reset: tuple[Shown, ...]) -> PsamReport:
    """Ask the PSAM. Raises CardGone only; takes no number and costs nothing."""
    try:
        keys = PsamKeys(card)
        facts = PsamFacts(
            keys.terminal,
            keys.serial,
            keys.suite.name,
            _level(keys),
            keys.region,
            keys.sequence(),
            keys.key_index(),
        )
    except (CardRefused, CardMisspoke, KeyUnavailable) as fault:
        return PsamReport(atr, reset, trouble=str(fault))
    return PsamReport(atr, reset, facts)


def _level(keys: PsamKeys) -> Level | None:
    try:
        return Level(MAX_LEVELS - keys.levels(_MEASURE))
    except KeyUnavailable:
        return None
