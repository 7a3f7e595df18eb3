# SPDX-License-Identifier: Apache-2.0
"""Command and response APDU declared in construct (ISO 7816-4 5.2 and 7816-3 12.1).

The seven ways to write a command, one beside the other. `apdu.command` is what runs; this
declaration is what it must agree with.
"""

from __future__ import annotations

from typing import Any

from construct import (
    Bytes,
    Computed,
    Const,
    ExprValidator,
    FixedSized,
    GreedyBytes,
    Int8ub,
    Int16ub,
    Select,
    Struct,
    Terminated,
    stream_size,
    this,
)

from apdu.command import EXTENDED_NE, SHORT_NE


def _not_zero(con: Any) -> Any:
    return ExprValidator(con, lambda value, _: value != 0)


def _ne(highest: int) -> Any:
    """Le as it stands in `le`, 0 meaning the highest."""
    return Computed(lambda found: found.le or highest)


_NO_DATA, _NO_NE = Computed(b""), Computed(0)

CASE_1 = Struct("data" / _NO_DATA, "ne" / _NO_NE, Terminated)
CASE_2S = Struct("data" / _NO_DATA, "le" / Int8ub, "ne" / _ne(SHORT_NE), Terminated)
CASE_3S = Struct("lc" / _not_zero(Int8ub), "data" / Bytes(this.lc), "ne" / _NO_NE, Terminated)
CASE_4S = Struct(
    "lc" / _not_zero(Int8ub),
    "data" / Bytes(this.lc),
    "le" / Int8ub,
    "ne" / _ne(SHORT_NE),
    Terminated,
)
CASE_2E = Struct(
    Const(b"\0"), "data" / _NO_DATA, "le" / Int16ub, "ne" / _ne(EXTENDED_NE), Terminated
)
CASE_3E = Struct(
    Const(b"\0"), "lc" / _not_zero(Int16ub), "data" / Bytes(this.lc), "ne" / _NO_NE, Terminated
)
CASE_4E = Struct(
    Const(b"\0"),
    "lc" / _not_zero(Int16ub),
    "data" / Bytes(this.lc),
    "le" / Int16ub,
    "ne" / _ne(EXTENDED_NE),
    Terminated,
)

COMMAND = Struct(
    "cla" / Int8ub,
    "ins" / Int8ub,
    "p1p2" / Int16ub,
    "body" / Select(CASE_1, CASE_2S, CASE_3S, CASE_4S, CASE_2E, CASE_3E, CASE_4E),
)

RESPONSE = Struct(
    "data" / FixedSized(lambda this: stream_size(this._io) - 2, GreedyBytes), "sw" / Int16ub
)
