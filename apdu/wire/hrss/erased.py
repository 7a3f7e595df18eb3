# SPDX-License-Identifier: Apache-2.0
"""Items that were erased: all FF or all 00, whichever was written, mean that nothing is there.

A layout knows one way to say so (00 for an, FF for cn), so what is read from strange cards is
brought into it first.
"""

from __future__ import annotations

from typing import Final

from apdu.errors import FormatError
from apdu.wire.fields import Coding
from apdu.wire.hrss.spec import Item, items
from apdu.wire.record import Record

_FILLS: Final = {Coding.AN: b"\x00", Coding.CN: b"\xff"}


def canonical(content: type[Record], raw: bytes) -> bytes:
    """The bytes of a file's content with every erased item as the layout writes an empty one.

    Raises FormatError when tags and lengths are not those of the layout.
    """
    expected = content.byte_length()
    if len(raw) != expected:
        raise FormatError(f"{content.__name__}: {len(raw)} bytes, must be {expected}")
    return _inside(content, items(content), raw)


def value_of(item: Item, raw: bytes) -> bytes:
    """One item's value, an erased one as the layout writes an empty one."""
    fill = _FILLS.get(item.coding) if item.coding else None
    if fill is not None and (not any(raw) or raw == b"\xff" * len(raw)):
        return fill * len(raw)
    return raw


def _inside(content: type[Record], expected: tuple[Item, ...], raw: bytes) -> bytes:
    made, at = [], 0
    for item in expected:
        for _ in range(item.repeats):
            if item.tag is not None:
                head = bytes((item.tag, item.size))
                if raw[at : at + 2] != head:
                    raise FormatError(
                        f"{content.__name__}.{item.name}: not the item with tag {item.tag:02X} "
                        f"and {item.size} bytes"
                    )
                made.append(head)
                at += 2
            value = raw[at : at + item.size]
            at += item.size
            made.append(
                _inside(content, item.parts, value) if item.parts else value_of(item, value)
            )
    return b"".join(made)
