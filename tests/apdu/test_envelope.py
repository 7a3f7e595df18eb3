# SPDX-License-Identifier: Apache-2.0
"""The hand loops of APDU, TLV and ATR against the same formats declared in construct.

construct's GreedyRange ends at the first error instead of raising it, so a declaration may refuse
a thing for another reason than the loop does; what is taken, and the value, must be the same.
"""

from __future__ import annotations

from typing import Any

from construct import ConstructError
from hypothesis import given
from hypothesis import strategies as st
from strategies import altered, atrs, commands, near, object_lists, octet, towers

from apdu.atr import Atr, InterfaceBytes
from apdu.command import ResponseAPDU, decode
from apdu.errors import FormatError
from apdu.tlv import (
    MAX_OBJECTS,
    DolEntry,
    SimpleTlv,
    build,
    build_dol,
    build_simple,
    parse,
    parse_dol,
    parse_simple,
)
from apdu.wire.dataobjects import DOL, OBJECTS, SIMPLE
from apdu.wire.envelope import COMMAND, RESPONSE
from apdu.wire.reset import ATR

REFUSED = "refused"


def outcome(way: Any, raw: bytes) -> Any:
    try:
        return way(raw)
    except (FormatError, ConstructError):
        return REFUSED


# APDUs: any header, then the bodies that stand near a boundary between two forms

lengths = st.sampled_from([0, 1, 2, 3, 4, 5, 254, 255, 256, 257, 259])
bodies = st.one_of(
    st.binary(max_size=12),
    st.builds(lambda lc, n: bytes((lc,)) + bytes(n), octet, lengths),
    st.builds(
        lambda lc, n: b"\0" + lc.to_bytes(2) + bytes(n), lengths | st.integers(0, 600), lengths
    ),
)
raw_commands = commands.map(bytes)


def declared_command(raw: bytes) -> Any:
    found = COMMAND.parse(raw)
    return found.cla, found.ins, found.p1p2, found.body.data, found.body.ne


@given(st.builds(bytes.__add__, st.binary(min_size=4, max_size=4), bodies))
def test_a_body_near_a_boundary_is_decoded_as_it_is_declared(raw: bytes) -> None:
    assert outcome(declared_command, raw) == outcome(decode, raw)


@given(raw_commands | altered(raw_commands) | st.binary(max_size=8))
def test_a_command_is_decoded_as_it_is_declared(raw: bytes) -> None:
    assert outcome(declared_command, raw) == outcome(decode, raw)


def test_every_lc_with_every_number_of_bytes_behind_it_is_decoded_as_it_is_declared() -> None:
    for p3 in range(256):
        for behind in {0, 1, 2, 3, max(p3 - 1, 0), p3, p3 + 1, p3 + 2}:
            raw = bytes((0, 0xD6, 0, 0, p3)) + bytes(behind)
            assert outcome(declared_command, raw) == outcome(decode, raw)


def test_every_small_extended_lc_with_any_bytes_behind_it_is_decoded_as_it_is_declared() -> None:
    for lc in (0, 1, 2, 3, 255, 256, 257):
        for behind in {*range(8), *range(max(lc - 2, 0), lc + 5)}:
            raw = bytes((0, 0xD6, 0, 0, 0)) + lc.to_bytes(2) + bytes(behind)
            assert outcome(declared_command, raw) == outcome(decode, raw)


@given(st.binary(max_size=300))
def test_an_answer_is_decoded_as_it_is_declared(raw: bytes) -> None:
    found = outcome(RESPONSE.parse, raw)
    declared = found if found == REFUSED else ResponseAPDU(found.data, found.sw)
    assert declared == outcome(ResponseAPDU.parse, raw)


# Data objects: trees of tags and lengths, each of which may be wrong

tags = st.sampled_from(
    [
        b"\x5a",
        b"\x6f",
        b"\xa5",
        b"\x9f\x37",
        b"\xbf\x0c",
        b"\x5f\x81\x01",
        b"\x9f\x80\x01",
        b"\xdf\x81\x82\x01",
        b"\x9f\x81\x82\x83\x01",
        b"\x9f",
        b"\xff\x01",
        b"\x00",
        b"\xff",
    ]
)


def _length(n: int, form: int) -> bytes:
    """A length in a form that may be the shortest, a longer one, indefinite, or too long."""
    if form == 0:
        return bytes((n,)) if n < 0x80 else b"\x81" + bytes((n,)) if n < 256 else _length(n, 2)
    if form <= 4:
        return bytes((0x80 | form,)) + (n & (1 << 8 * form) - 1).to_bytes(form)
    return {5: b"\x80", 6: b"\x85" + n.to_bytes(5), 7: bytes(((n + 1) & 0x7F,))}[form]


forms = st.sampled_from([0] * 9 + list(range(1, 8)))


def _wrapped(inner: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return st.builds(
        lambda tag, value, form: tag + _length(len(value), form) + value,
        tags,
        st.lists(inner, max_size=3).map(b"".join),
        forms,
    )


_leaves = _wrapped(st.binary(max_size=5)) | st.binary(max_size=5)
wild_objects = st.recursive(_leaves, _wrapped, max_leaves=8)
wild = st.lists(wild_objects, max_size=3).map(b"".join)


def declared_objects(raw: bytes) -> Any:
    return list(OBJECTS.parse(raw).objects)


@given(wild | near(object_lists.map(build)))
def test_objects_are_parsed_as_they_are_declared(raw: bytes) -> None:
    assert outcome(declared_objects, raw) == outcome(parse, raw)


@given(towers().map(bytes) | altered(towers().map(bytes)))
def test_nesting_is_judged_as_it_is_declared(raw: bytes) -> None:
    assert outcome(declared_objects, raw) == outcome(parse, raw)


def test_the_longest_value_is_judged_as_it_is_declared() -> None:
    for head, size in (("82FFFF", 65_535), ("83010000", 65_536), ("8400010000", 65_536)):
        raw = b"\x5a" + bytes.fromhex(head) + bytes(size)
        assert outcome(declared_objects, raw) == outcome(parse, raw)


def test_the_number_of_objects_is_judged_as_it_is_declared() -> None:
    for count in (MAX_OBJECTS - 1, MAX_OBJECTS, MAX_OBJECTS + 1):
        for raw in (b"\x5a\x00" * count, build(parse(b"\xa5\x00")) + b"\x5a\x00" * (count - 1)):
            assert outcome(declared_objects, raw) == outcome(parse, raw)
        raw = b"\x5a\x00" * count
        assert outcome(_declared(DOL), raw) == outcome(parse_dol, raw)
        assert outcome(_declared(SIMPLE), raw) == outcome(parse_simple, raw)


@given(object_lists)
def test_objects_are_built_as_they_are_declared(objects: list[Any]) -> None:
    assert OBJECTS.build({"objects": objects}) == build(objects)


def _declared(con: Any) -> Any:
    return lambda raw: list(con.parse(raw).objects)


wild_entries = st.builds(lambda tag, length: tag + bytes((length,)), tags, octet)


@given(st.lists(wild_entries, max_size=6).map(b"".join) | st.binary(max_size=12))
def test_a_list_is_parsed_as_it_is_declared(raw: bytes) -> None:
    assert outcome(_declared(DOL), raw) == outcome(parse_dol, raw)


@given(st.lists(st.builds(DolEntry, st.sampled_from([0x9F02, 0x95]), st.integers(0, 127))))
def test_a_list_is_built_as_it_is_declared(entries: list[DolEntry]) -> None:
    assert DOL.build({"objects": entries}) == build_dol(entries)


wild_items = st.builds(
    lambda tag, n, form: bytes((tag,)) + form(n) + bytes(n & 0x1FF),
    st.integers(1, 254) | octet,
    st.sampled_from([0, 1, 5, 253, 254, 255, 256, 300]),
    st.sampled_from(
        [
            lambda n: bytes((n,)) if n < 0xFF else b"\xff" + n.to_bytes(2),
            lambda n: b"\xff" + n.to_bytes(2),
            lambda n: bytes((min(n + 1, 0xFF),)),
            lambda n: b"\xff" + bytes((n & 0xFF,)),
        ]
    ),
)


@given(st.lists(wild_items, max_size=4).map(b"".join) | st.binary(max_size=12))
def test_items_are_parsed_as_they_are_declared(raw: bytes) -> None:
    assert outcome(_declared(SIMPLE), raw) == outcome(parse_simple, raw)


@given(st.lists(st.builds(SimpleTlv, st.integers(1, 254), st.binary(max_size=300)), max_size=3))
def test_items_are_built_as_they_are_declared(items: list[SimpleTlv]) -> None:
    assert SIMPLE.build({"objects": items}) == build_simple(items)


# Answers to reset


def declared_atr(raw: bytes) -> Atr:
    found = ATR.parse(raw)
    body = found.body.value
    groups = tuple(
        InterfaceBytes(
            group.ta,
            group.tb,
            group.tc,
            None if group.announces is None else group.announces & 0x0F,
        )
        for group in body.groups
    )
    return Atr(bytes(body.historical), groups, found.ts == 0x3F)


@st.composite
def wild_atrs(draw: st.DrawFn) -> bytes:
    """A chain of TD that announces what may not be there, and a TCK that may be right."""
    body = bytearray([draw(octet)])
    indicator, count = body[0] >> 4, body[0] & 0x0F
    for _ in range(draw(st.integers(0, 8))):
        body += draw(st.binary(min_size=(n := (indicator & 7).bit_count()), max_size=n))
        if not indicator & 8:
            break
        body.append(draw(octet))
        indicator = body[-1] >> 4
    body += bytes(max(count + draw(st.integers(-1, 1)), 0))
    if draw(st.booleans()):
        tck = 0
        for byte in body:
            tck ^= byte
        body.append(tck)
    return bytes((draw(st.sampled_from([0x3B, 0x3F, 0x3B, 0x3C])),)) + bytes(body)


@given(wild_atrs() | near(atrs().map(bytes)))
def test_an_atr_is_read_as_it_is_declared(raw: bytes) -> None:
    assert outcome(declared_atr, raw) == outcome(Atr.parse, raw)
