# SPDX-License-Identifier: Apache-2.0
"""The answer to reset declared in construct (ISO 7816-3 8.2). `apdu.atr` is what runs."""

from __future__ import annotations

from functools import reduce
from operator import xor
from typing import Any

from construct import (
    Byte,
    Bytes,
    Check,
    Computed,
    FocusedSeq,
    If,
    LazyBound,
    RawCopy,
    Struct,
    Terminated,
)


def _announced(bit: int) -> Any:
    """A byte that the indicator before it (T0, or TD of the group before) announces."""
    return If(lambda this: this._.announces & bit, Byte)


GROUP: Any = Struct(
    "ta" / _announced(0x10),
    "tb" / _announced(0x20),
    "tc" / _announced(0x40),
    "announces" / _announced(0x80),
    "next" / If(lambda this: this.announces is not None, LazyBound(lambda: GROUP)),
)
"""TAi, TBi, TCi and TDi, which announces the next group in its high half."""


def _groups(first: Any) -> list[Any]:
    return [first, *_groups(first.next)] if first.next is not None else [first]


def _checked(found: Any) -> bool:
    """TCK is there as soon as a protocol other than T=0 is named."""
    return any(group.announces and group.announces & 0x0F for group in _groups(found.first))


_BODY = Struct(
    "announces" / Byte,
    "first" / GROUP,
    "groups" / Computed(lambda this: _groups(this.first)),
    "historical" / Bytes(lambda this: this.announces & 0x0F),
    "tck" / If(_checked, Byte),
    Terminated,
)

ATR = Struct(
    "ts" / FocusedSeq("n", "n" / Byte, Check(lambda this: this.n in (0x3B, 0x3F))),
    "body" / RawCopy(_BODY),
    Check(lambda this: len(this.body.data) <= 32),
    Check(lambda this: this.body.value.tck is None or not reduce(xor, this.body.data)),
)
"""A whole ATR: TS, T0, interface bytes, historical bytes, TCK where it belongs."""
