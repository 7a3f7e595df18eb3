# SPDX-License-Identifier: Apache-2.0
"""Hypothesis strategies, and the lists of everything declared that the tests walk through."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import date
from types import ModuleType
from typing import Any

from construct import Adapter, BitsInteger, Bytes, BytesInteger, Const, GreedyBytes, Prefixed
from hypothesis import strategies as st

import apdu
import apdu.wire.pboc.commands
import card_os
from apdu.atr import Atr, InterfaceBytes
from apdu.command import CommandAPDU
from apdu.tlv import MAX_DEPTH, Tlv, tlv
from apdu.wire import access, codecs, itemcodecs, pincodecs
from apdu.wire.codes import CHARSET
from apdu.wire.form import CommandForm, OneOf
from apdu.wire.hrss.ssse import HolderData
from apdu.wire.record import BitRecord, Layout, Record

# What there is


def modules(package: ModuleType) -> Iterator[ModuleType]:
    """A package and all that is in it, imported."""
    yield package
    for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        yield importlib.import_module(found.name)


def _layouts(kind: type[Layout], *packages: ModuleType) -> list[Any]:
    return [
        found
        for package in packages
        for module in modules(package)
        for found in vars(module).values()
        if isinstance(found, type)
        and issubclass(found, kind)
        and found.__module__ == module.__name__
        and fields_of(found)
    ]


def fields_of(layout: type) -> tuple[Any, ...]:
    return fields(layout) if hasattr(layout, "__dataclass_fields__") else ()


RECORDS: list[type[Record]] = _layouts(Record, apdu, card_os)
BIT_RECORDS: list[type[BitRecord]] = _layouts(BitRecord, apdu, card_os)


def _form_names() -> dict[str, CommandForm[Any, Any, Any]]:
    """The forms by name. Where two applications have a command of one name, that of the bank is
    called `pboc NAME`, as its cases in the books are."""
    found: dict[str, CommandForm[Any, Any, Any]] = {}
    bank = apdu.wire.pboc.commands
    for module in sorted(modules(apdu), key=lambda module: module is bank):
        for form in vars(module).values():
            if isinstance(form, CommandForm) and form not in found.values():
                assert form.name not in found or module is bank, form.name
                found[f"pboc {form.name}" if form.name in found else form.name] = form
    return found


FORM_NAMES = _form_names()
FORMS = list(FORM_NAMES.values())

# Bytes and numbers

octet = st.integers(0, 0xFF)
p1p2 = st.integers(0, 0xFFFF)
interindustry_class = st.integers(0, 0x7F).filter(lambda cla: cla >> 5 != 0b001)
status_word = st.integers(0, 0xFFFF) | st.sampled_from([0x9000, 0x6100, 0x6101, 0x6C00, 0x6C05])
ne = st.sampled_from([0, 1, 255, 256, 257, 65_535, 65_536]) | st.integers(0, 65_536)


@st.composite
def altered(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """Bytes that are almost right: one changed, lost or put in, or a piece cut off or put on."""
    raw = bytearray(draw(whole))
    at = draw(st.integers(0, max(len(raw) - 1, 0)))
    match draw(st.sampled_from(["change", "lose", "insert", "cut", "append"])):
        case "change" if raw:
            raw[at] = draw(octet)
        case "lose" if raw:
            del raw[at]
        case "insert":
            raw.insert(at, draw(octet))
        case "cut":
            del raw[at:]
        case _:
            raw += draw(st.binary(min_size=1, max_size=3))
    return bytes(raw)


def near(whole: st.SearchStrategy[bytes], longest: int = 40) -> st.SearchStrategy[bytes]:
    """Right bytes, almost right ones, and any at all."""
    return whole | altered(whole) | st.binary(max_size=longest)


# Commands

data_field = st.binary(max_size=300) | st.integers(0, 65_535).map(lambda n: b"\x5a" * n)
commands = st.builds(
    CommandAPDU, octet, octet, octet, octet, st.binary(max_size=300), ne, st.booleans()
)
long_commands = st.builds(CommandAPDU, octet, octet, octet, octet, data_field, ne, st.booleans())

# Data objects

primitive_tags = st.sampled_from([0x5A, 0x84, 0x9F37, 0x5F2D, 0x9F8101, 0xDF818201, 0x01, 0xDE])
constructed_tags = st.sampled_from([0x6F, 0xA5, 0xBF0C, 0x70, 0x3F8101, 0x61, 0x20])
_values = st.binary(max_size=12) | st.sampled_from([127, 128, 255, 256, 300]).map(bytes)
_leaves = st.builds(tlv, primitive_tags, _values)
objects: st.SearchStrategy[Tlv] = st.recursive(
    _leaves,
    lambda inner: st.builds(tlv, constructed_tags, st.lists(inner, max_size=4)),
    max_leaves=12,
)
object_lists = st.lists(objects, max_size=4)


@st.composite
def towers(draw: st.DrawFn) -> Tlv:
    """Objects nested to about as deep as they may be."""
    made = tlv(0xA5, [])
    for _ in range(draw(st.integers(MAX_DEPTH - 3, MAX_DEPTH))):
        made = Tlv(0xA5, bytes(made), (made,))
    return made


# Answers to reset

_maybe_octet = st.none() | octet


@st.composite
def atrs(draw: st.DrawFn) -> Atr:
    count = draw(st.integers(1, 5))
    groups = tuple(
        InterfaceBytes(
            draw(_maybe_octet),
            draw(_maybe_octet),
            draw(_maybe_octet),
            draw(st.integers(0, 15)) if at < count - 1 else None,
        )
        for at in range(count)
    )
    return Atr(draw(st.binary(max_size=11)), groups, draw(st.booleans()))


# Access conditions

_plain_conditions = st.one_of(
    st.just(access.ALWAYS),
    st.just(access.NEVER),
    st.builds(access.Pin, octet),
    st.builds(access.Key, octet),
)


def _conditions(depth: int) -> st.SearchStrategy[access.Access]:
    if depth == 1:
        return _plain_conditions
    parts = st.lists(_conditions(depth - 1), min_size=2, max_size=access.MAX_PARTS).map(tuple)
    return _plain_conditions | st.builds(access.AllOf, parts) | st.builds(access.AnyOf, parts)


conditions = _conditions(access.MAX_DEPTH)

# Layouts: a strategy from the declaration of a field

characters = st.characters(codec=CHARSET, exclude_characters="\0")
dates = st.dates(min_value=date(1, 1, 1))


@st.composite
def texts(draw: st.DrawFn, size: int) -> str:
    """Text that fills `size` bytes of the card's charset at most."""
    found = draw(st.text(characters | st.sampled_from("张三阿㐀𠮷·A"), max_size=size))
    while len(found.encode(CHARSET)) > size:
        found = found[:-1]
    return found


def digits(shortest: int, longest: int) -> st.SearchStrategy[str]:
    """Digits, so many of them."""
    return st.text("0123456789", min_size=shortest, max_size=longest)


def filled_pins(filling: str) -> st.SearchStrategy[str]:
    """A PIN, a colon and what fills it up."""
    parts = st.tuples(digits(4, 12), st.text(filling, min_size=10, max_size=10))
    return parts.map(lambda both: f"{both[0]}:{both[1][: 14 - len(both[0])]}")


def field_values(con: Any) -> st.SearchStrategy[Any]:
    """Values that fit one declared field."""
    match con:
        case codecs.Text():
            return texts(con.size)
        case codecs.Digits():
            return st.text("0123456789", max_size=2 * con.size)
        case codecs.BcdDate():
            return st.none() | dates
        case codecs.Month():
            return st.dates().map("{:%m%y}".format)
        case codecs.Choice():
            return st.sampled_from(con.members)
        case itemcodecs.Item():
            return field_values(con.inner)
        case itemcodecs.Group():
            return st.tuples(*[layout_values(con.layout)] * con.count)
        case itemcodecs.Coded():
            known = st.sampled_from(list(con.members.values()))
            return known | field_values(con.inner).filter(lambda code: code not in con.members)
        case itemcodecs.Amount():
            return st.none() | st.integers(0, itemcodecs.NO_AMOUNT - 1)
        case itemcodecs.BcdMoment():
            return st.none() | st.datetimes().map(lambda at: at.replace(microsecond=0))
        case codecs.Terminated():
            return st.binary(max_size=12).map(lambda raw: raw.replace(bytes((con.end,)), b""))
        case codecs.Whole():
            return field_values(con.subcon)
        case pincodecs.PinField() if len(con.filling) == 1:
            return digits(4, 12)
        case pincodecs.PinField():
            return filled_pins(con.filling)
        case pincodecs.Account():
            return digits(12, 12)
        case pincodecs.Pan():
            return digits(12, 19)
        case codecs.Before():
            return st.binary(max_size=40)
        case codecs.Filler():
            return st.integers(0, 40)
        case Prefixed() if isinstance(con.subcon, codecs.Whole):
            return st.binary(max_size=16) | st.just(bytes(255))
        case Prefixed():
            return conditions.filter(lambda value: len(access.build(value)) <= 255)
        case BytesInteger():
            return st.integers(0, 256**con.length - 1)
        case BitsInteger():
            return st.integers(0, 2**con.length - 1)
        case Bytes():
            return st.binary(min_size=con.length, max_size=con.length)
        case _ if con is GreedyBytes:
            return st.binary(max_size=40)
        case Adapter() | Const():
            raise TypeError(f"no strategy for {con!r}")
    raise TypeError(f"no strategy for {con!r}")


def declared_fields(layout: type[Layout]) -> dict[str, Any]:
    """The construct of each field of a layout that is not fixed."""
    declaration = layout.declaration()
    struct = declaration.subcon if issubclass(layout, BitRecord) else declaration
    free = {item.name for item in fields(layout) if item.init}
    return {part.name: part.subcon for part in struct.subcons if part.name in free}


def layout_values(layout: type[Layout]) -> st.SearchStrategy[Any]:
    """Values of a layout, each of its fields in range."""
    parts = {name: field_values(con) for name, con in declared_fields(layout).items()}
    return st.builds(layout, **parts)


_misfits = st.sampled_from(
    [None, -1, 1 << 40, 1.5, "", "x" * 99, "\0", "\ud800", "12a", "١٢", b"", bytes(300), (), [], {}]
)


def _almost(value: Any) -> st.SearchStrategy[Any]:
    """Values of the right type next to a right one, and often too long, too short or too large."""
    match value:
        case bytes():
            return st.sampled_from([value + b"\0", value + b"\xff", value[:-1]])
        case bool() | int():
            return st.sampled_from([~value, value + (1 << 4), value + (1 << 8), value + (1 << 16)])
        case str():
            return st.sampled_from([value + "0", value + "0" * 60, value + "\0", value + "张"])
    return _misfits


@st.composite
def misfit_values(draw: st.DrawFn, layout: type[Layout]) -> Any:
    """Values of a layout of which one or two fields hold what they may not, or only just may."""
    good = draw(layout_values(layout))
    names = st.sampled_from(sorted(declared_fields(layout)))
    wrong = {
        name: draw(_almost(getattr(good, name)) | _misfits)
        for name in draw(st.lists(names, min_size=1, max_size=2))
    }
    return replace(good, **wrong)


def params(form: CommandForm[Any, Any, Any]) -> st.SearchStrategy[Any]:
    """Values of P1-P2 of a command."""
    if isinstance(form.params, OneOf):
        return st.one_of([layout_values(shape) for shape in form.params.shapes])
    if isinstance(form.params, type):
        return layout_values(form.params)
    return st.none()


holders = layout_values(HolderData)
"""What EF06 of a card may hold about its holder."""
