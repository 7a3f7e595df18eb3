# SPDX-License-Identifier: Apache-2.0
"""A fast parser and builder from a declaration of fixed fields.

One field may take all that the others leave. The construct's parts are walked once; what they say
is put into one `struct.Struct` and a short list of conversions. A plan answers None wherever it
has doubts: then the declaration is asked.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import fields
from typing import Any, NamedTuple

from construct import Adapter, Bytes, BytesInteger, Const, GreedyBytes

from apdu.wire.codecs import Before

Convert = Callable[[Any], Any]
_DOUBTS = (ValueError, TypeError, AttributeError, OverflowError, LookupError, struct.error)


class _Step(NamedTuple):
    """One field: its bytes (None: all but the last `behind`) and the ways in and out."""

    size: int | None
    decode: Convert
    encode: Convert
    behind: int = 0


class Plan:
    """The derived parser and builder of one layout."""

    def __init__(self, cls: type, steps: list[_Step]) -> None:
        self._cls = cls
        self._names = [item.name for item in fields(cls)]
        self._fixed = [at for at, item in enumerate(fields(cls)) if not item.init]
        sizes = [step.size for step in steps]
        self._tail = None in sizes
        open_at = sizes.index(None) if self._tail else len(sizes)
        self._struct = _bytes_of(sizes[:open_at])
        self._behind = _bytes_of(sizes[open_at + 1 :])
        self._decode = [step.decode for step in steps]
        self._encode = [step.encode for step in steps]

    def parse(self, raw: bytes) -> Any:
        """The value, or None where the declaration must be asked."""
        size, end = self._struct.size, len(raw) - self._behind.size
        try:
            if self._tail:
                if end < size:
                    return None
                behind = self._behind.unpack_from(raw, end)
                parts = (*self._struct.unpack_from(raw), raw[size:end], *behind)
            else:
                parts = self._struct.unpack(raw)
            values = [convert(part) for convert, part in zip(self._decode, parts, strict=True)]
            for at in reversed(self._fixed):
                del values[at]
            value = self._cls(*values)
        except _DOUBTS:
            return None
        return value if self.build(value) == raw else None

    def build(self, value: Any) -> bytes | None:
        """The bytes, or None where the declaration must be asked."""
        try:
            return b"".join(
                [
                    convert(getattr(value, name))
                    for convert, name in zip(self._encode, self._names, strict=True)
                ]
            )
        except _DOUBTS:
            return None


def plan(cls: type, declaration: Any) -> Plan | None:
    """The plan of a declared Struct, or None when it has a part of varying length inside."""
    steps: list[_Step] = []
    for part in declaration.subcons:
        step = _step(part.subcon)
        if step is None:
            return None
        steps.append(step)
    behind, is_open = 0, False
    for step in reversed(steps):
        if step.size is not None:
            behind += step.size
        elif is_open or step.behind != behind:
            return None
        else:
            is_open = True
    return Plan(cls, steps)


def _bytes_of(sizes: list[int | None]) -> struct.Struct:
    return struct.Struct("".join(f"{size}s" for size in sizes))


def _exactly(size: int) -> Convert:
    def check(value: bytes) -> bytes:
        if not isinstance(value, bytes) or len(value) != size:
            raise ValueError
        return value

    return check


def _step(con: Any) -> _Step | None:
    """What one construct does to its bytes."""
    if isinstance(con, Const):
        inner = _step(con.subcon)
        return inner and inner._replace(
            decode=_only(con.value, inner.decode), encode=_only_out(con, inner)
        )
    if isinstance(con, BytesInteger) and isinstance(con.length, int):
        return _Step(con.length, int.from_bytes, _number(con.length))
    if isinstance(con, Bytes) and isinstance(con.length, int):
        return _Step(con.length, bytes, _exactly(con.length))
    if con is GreedyBytes:
        return _Step(None, bytes, bytes)
    if isinstance(con, Before):
        return _Step(None, bytes, bytes, con.behind)
    if isinstance(con, Adapter):
        inner = _step(con.subcon)
        return inner and inner._replace(
            decode=_into(con, inner.decode), encode=_out_of(con, inner.encode)
        )
    return None


def _number(size: int) -> Convert:
    return lambda value: value.to_bytes(size)


def _only(expected: Any, decode: Convert) -> Convert:
    def check(part: bytes) -> Any:
        value = decode(part)
        if value != expected:
            raise ValueError
        return value

    return check


def _only_out(con: Any, inner: _Step) -> Convert:
    def check(value: Any) -> Any:
        if value != con.value:
            raise ValueError
        return inner.encode(value)

    return check


def _into(adapter: Any, decode: Convert) -> Convert:
    return lambda part: adapter._decode(decode(part), None, "")


def _out_of(adapter: Any, encode: Convert) -> Convert:
    return lambda value: encode(adapter._encode(value, None, ""))
