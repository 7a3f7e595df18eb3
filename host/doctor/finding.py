# SPDX-License-Identifier: Apache-2.0
"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How it stands with one thing; only PROBLEM keeps PC/SC from working."""

    OK = "ok"
    WARNING = "warning"
    """It works, and there is something to know."""
    PROBLEM = "problem"
    UNKNOWN = "unknown"
    """It could not be looked at; the sentence says why."""
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at, how it stands, and what to type."""

    name: str
    """Of the check, a word: what programs tell findings apart by."""
    looked_at: str
    verdict: Verdict
    sentence: str
    """Without a full stop. Names of readers and processes are as the machine gives them."""
    fix: tuple[str, ...] = ()
    """Lines to type, the first first; one that begins with `#` is a remark between them."""
