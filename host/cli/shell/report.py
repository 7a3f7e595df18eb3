# SPDX-License-Identifier: Apache-2.0
"""What a line of the shell has to say, for people and for programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from host.cli.explanation import Explanation
from host.cli.names import Shown


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a line."""

    said: tuple[str, ...] = ()
    """Sentences, one a line."""
    items: tuple[Shown, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    """A table whose first row is its heading."""
    raw: bytes | None = None
    """Bytes that stand above all else, in hex: the data of the answer, for expectations too."""
    told: Mapping[str, Any] = field(default_factory=dict)
    """What programs are told besides: fields of the JSON object."""
    exchange: Explanation | None = None
    """Shown in hex and in words."""
    remark: str = ""
    """Said last, and dimly."""


NOTHING = Report()
