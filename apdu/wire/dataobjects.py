# SPDX-License-Identifier: Apache-2.0
"""BER-TLV, data object lists and simple TLV declared in construct (ISO 7816-4 5.2).

`apdu.tlv` is what runs; these declarations are what it must agree with, and what a layout with
data objects in it is composed of.
"""

from __future__ import annotations

from typing import Any

from construct import (
    Adapter,
    Byte,
    Bytes,
    Check,
    Computed,
    FocusedSeq,
    GreedyRange,
    IfThenElse,
    Int8ub,
    Int16ub,
    Int24ub,
    Int32ub,
    LazyBound,
    Rebuild,
    RepeatUntil,
    Struct,
    Switch,
    Terminated,
    this,
)

from apdu.tlv import MAX_DEPTH, MAX_LENGTH, MAX_OBJECTS, MAX_TAG_BYTES, DolEntry, SimpleTlv, Tlv


class _Tag(Adapter):  # type: ignore[misc]
    """One to four tag bytes as one number."""

    def __init__(self) -> None:
        more = RepeatUntil(lambda byte, found, _: not byte & 0x80, Byte)
        number = IfThenElse(lambda this: this.first & 0x1F == 0x1F, more, Computed(lambda _: []))
        super().__init__(
            Struct(
                "first" / Byte,
                Check(lambda this: this.first not in (0x00, 0xFF)),
                "more" / number,
                Check(lambda this: len(this.more) < MAX_TAG_BYTES),
                Check(lambda this: not this.more or this.more[0] != 0x80),
            )
        )

    def _decode(self, obj: Any, context: Any, path: str) -> int:
        return int.from_bytes(bytes((obj.first, *obj.more)))

    def _encode(self, obj: int, context: Any, path: str) -> Any:
        raw = obj.to_bytes((obj.bit_length() + 7) // 8 or 1)
        return {"first": raw[0], "more": list(raw[1:])}


def _long(con: Any, lowest: int) -> Any:
    return FocusedSeq("n", "n" / con, Check(lambda this: this.n >= lowest))


TAG = _Tag()

LENGTH = FocusedSeq(
    "value",
    "form" / Rebuild(Int8ub, lambda this: _form(this.value)),
    "value"
    / Switch(
        this.form,
        {
            0x81: _long(Int8ub, 0x80),
            0x82: _long(Int16ub, 0x100),
            0x83: _long(Int24ub, 0x10000),
            0x84: _long(Int32ub, 0x1000000),
        },
        default=FocusedSeq(
            "n", Check(lambda this: this._.form < 0x80), "n" / Computed(lambda this: this._.form)
        ),
    ),
    Check(lambda this: this.value <= MAX_LENGTH),
)
"""A length in its shortest form."""


def _form(length: int) -> int:
    return length if length < 0x80 else 0x81 if length < 0x100 else 0x82


class _Object(Adapter):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__(Struct("tag" / TAG, "length" / LENGTH, "value" / Bytes(this.length)))

    def _decode(self, obj: Any, context: Any, path: str) -> Tlv:
        first = obj.tag.to_bytes((obj.tag.bit_length() + 7) // 8)[0]
        deeper = context.get("depth", 1) + 1
        children = tuple(OBJECTS.parse(obj.value, depth=deeper).objects) if first & 0x20 else ()
        return Tlv(obj.tag, obj.value, children)

    def _encode(self, obj: Tlv, context: Any, path: str) -> Any:
        return {"tag": obj.tag, "length": len(obj.value), "value": obj.value}


OBJECTS = Struct(
    "depth" / Computed(lambda this: this._params.get("depth", 1)),
    Check(lambda this: this.depth <= MAX_DEPTH),
    "objects" / GreedyRange(LazyBound(lambda: _Object())),
    Check(lambda this: len(this.objects) <= MAX_OBJECTS),
    Terminated,
)
"""Data objects one after the other, to the end; at most 1024 and at most 32 deep."""


class _DolEntry(Adapter):  # type: ignore[misc]
    def __init__(self) -> None:
        length = FocusedSeq("n", "n" / Int8ub, Check(lambda this: this.n < 0x80))
        super().__init__(Struct("tag" / TAG, "length" / length))

    def _decode(self, obj: Any, context: Any, path: str) -> DolEntry:
        return DolEntry(obj.tag, obj.length)

    def _encode(self, obj: DolEntry, context: Any, path: str) -> Any:
        return {"tag": obj.tag, "length": obj.length}


DOL = Struct(
    "objects" / GreedyRange(_DolEntry()),
    Check(lambda this: len(this.objects) <= MAX_OBJECTS),
    Terminated,
)
"""A data object list."""


class _SimpleItem(Adapter):  # type: ignore[misc]
    def __init__(self) -> None:
        tag = FocusedSeq("n", "n" / Int8ub, Check(lambda this: this.n not in (0x00, 0xFF)))
        length = IfThenElse(this.first == 0xFF, Int16ub, Computed(this.first))
        super().__init__(
            Struct("tag" / tag, "first" / Int8ub, "length" / length, "value" / Bytes(this.length))
        )

    def _decode(self, obj: Any, context: Any, path: str) -> SimpleTlv:
        return SimpleTlv(obj.tag, obj.value, obj.length < obj.first == 0xFF)

    def _encode(self, obj: SimpleTlv, context: Any, path: str) -> Any:
        length = len(obj.value)
        first = length if length < 0xFF and not obj.long else 0xFF
        return {"tag": obj.tag, "first": first, "length": length, "value": obj.value}


SIMPLE = Struct(
    "objects" / GreedyRange(_SimpleItem()),
    Check(lambda this: len(this.objects) <= MAX_OBJECTS),
    Terminated,
)
"""Simple TLVs one after the other, to the end."""
