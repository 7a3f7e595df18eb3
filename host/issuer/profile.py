# SPDX-License-Identifier: Apache-2.0
"""Profiles of debit cards: TOML files from which a card's data groups are made."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Any

from apdu.errors import FormatError
from apdu.wire.pboc.groups import DataGroup

PUBLISHED = "published"
"""A whole card that was published, group by group."""


def shipped_profile(name: str = PUBLISHED) -> tuple[DataGroup, ...]:
    """The data groups of a profile that comes with this library."""
    text = files("host.issuer").joinpath("profiles", f"{name}.toml").read_text(encoding="utf-8")
    return parse_profile(text)


def parse_profile(text: str) -> tuple[DataGroup, ...]:
    """The data groups in a profile, in its order. Raises FormatError naming the group."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FormatError(f"profile: {error}") from None
    return tuple(_group(number, value) for number, value in table.get("groups", {}).items())


def _group(number: str, value: Any) -> DataGroup:
    try:
        return DataGroup(int.from_bytes(bytes.fromhex(number)), bytes.fromhex(value))
    except (ValueError, TypeError):
        raise FormatError(f"group {number}: must be hexadecimal digits") from None
