# SPDX-License-Identifier: Apache-2.0
"""Profiles of debit cards: TOML files from which a card's data groups are made.

A profile has either `[groups]`, each with its number and bytes, or card data (`card_data_file`),
which preparation makes groups of for each card.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any, Final

from apdu.errors import FormatError
from apdu.tlv import find, parse
from apdu.wire.pboc import tags
from apdu.wire.pboc.groups import DataGroup, record_place
from host.issuer.card_data import CardData
from host.issuer.card_data_file import read_card_data
from host.issuer.certification import Random
from host.issuer.preparation import prepare
from host.settings import Settings, shipped_text, table_of, text_in

PUBLISHED: Final = "published"
"""A whole card that was published, group by group."""
DEFAULT: Final = "rsa-1152"
"""What a card is issued with unless something else is asked for."""
SHIPPED: Final = (DEFAULT, "rsa-1408", "rsa-1984", "sm2", PUBLISHED)


@dataclass(frozen=True, slots=True)
class BankProfile:
    """A profile: groups that are there already, or card data to make them of."""

    source: tuple[DataGroup, ...] | CardData

    def groups(self, random: Random, pan: str | None = None) -> tuple[DataGroup, ...]:
        """The groups of one card. `pan`: another than the profile's, for card data only.

        `random` makes signatures: the same bytes, the same groups. Raises FormatError for such a
        PAN, and as `prepare` does.
        """
        source = self.source
        if isinstance(source, CardData):
            if pan is not None:
                source = replace(source, face=replace(source.face, pan=pan))
            return prepare(source, random)
        if pan is not None:
            raise FormatError("pan: the profile has groups that were made for another PAN")
        return source


def bank_profile(name: str) -> BankProfile:
    """A profile by the name of a shipped one, or by the path of a file.

    Raises FormatError naming what is wrong with it, OSError when there is no such file.
    """
    if name in SHIPPED:
        return parse_profile(shipped_text("host.issuer", "profiles", f"{name}.toml"))
    return parse_profile(text_in(Path(name), "profile"))


def shipped_profile(name: str = PUBLISHED) -> tuple[DataGroup, ...]:
    """The data groups of a profile that comes with this library, always the same ones."""
    if name not in SHIPPED:
        raise FormatError(f"profile: there are {', '.join(SHIPPED)}")
    return bank_profile(name).groups(known_chance())


def known_chance() -> Random:
    """Bytes for signatures under test keys, the same ones each time: there is nothing to hide."""
    numbers = count()

    def drawn(size: int) -> bytes:
        found = b""
        while len(found) < size:
            found += sha256(b"signatures under test keys" + next(numbers).to_bytes(4)).digest()
        return found[:size]

    return drawn


def parse_profile(text: str) -> BankProfile:
    """A profile from its text. Raises FormatError naming the group or the setting."""
    table = table_of(text, "profile")
    if "groups" not in table:
        return BankProfile(read_card_data(Settings(table)))
    unknown = sorted(set(table) - {"groups"})
    if unknown:
        raise FormatError(f"{unknown[0]}: a profile with groups has no other settings")
    if not isinstance(table["groups"], dict) or not table["groups"]:
        raise FormatError("groups: must be a table of numbers and bytes")
    return BankProfile(_groups(table["groups"]))


def pan_in(groups: Iterable[DataGroup]) -> str:
    """The PAN that the records among these groups give; empty when none does."""
    for group in groups:
        if record_place(group.number) is not None:
            try:
                template = find(parse(group.value), tags.RECORD_TEMPLATE)
            except FormatError:
                continue
            found = template and template.find(tags.PAN)
            if found:
                return found.value.hex().rstrip("f")
    return ""


def _groups(table: Mapping[str, Any]) -> tuple[DataGroup, ...]:
    found = tuple(_group(number, value) for number, value in table.items())
    numbers = [group.number for group in found]
    for number in numbers:
        if numbers.count(number) > 1:
            raise FormatError(f"group {number:04X}: is there twice")
    return found


def _group(number: str, value: Any) -> DataGroup:
    try:
        dgi, content = bytes.fromhex(number), bytes.fromhex(value)
    except (ValueError, TypeError):
        raise FormatError(f"group {number}: must be hexadecimal digits") from None
    if len(dgi) != 2:
        raise FormatError(f"group {number}: its number must have 4 digits")
    return DataGroup(int.from_bytes(dgi), content)
