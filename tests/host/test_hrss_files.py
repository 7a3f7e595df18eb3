# SPDX-License-Identifier: Apache-2.0
"""Every file of every generation, from the host: opened, read typed and raw, written, read back."""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import layout_values

from apdu.crypto.suites import SUITES
from apdu.errors import FormatError
from apdu.tlv import parse_simple
from apdu.wire.access import NEVER
from apdu.wire.codelists import EthnicGroup, Sex
from apdu.wire.fields import Coding
from apdu.wire.hrss.df02 import EmploymentSpell
from apdu.wire.hrss.df04 import STATE, TRANSACTIONS
from apdu.wire.hrss.erased import canonical
from apdu.wire.hrss.generations import GENERATIONS, SECOND, THIRD, Generation
from apdu.wire.hrss.spec import DfSpec, EfSpec, blank, items
from apdu.wire.hrss.ssse import HOLDER, HolderData
from apdu.wire.perso import FileKind
from apdu.wire.record import Record
from card_os.chip import ROM, Chip
from card_os.nvm import Flash
from card_os.world import seeded
from host.card import Card
from host.channel.memory import MemoryChannel
from host.cli.testcard import TEST_DAY, TEST_HOLDER, issue_test_card
from host.clients.hrss import HrssClient
from host.faults import CardMisspoke, NotAllowed, NotFound
from host.keys import MemoryKeys
from host.terminal.authentication import identity
from host.terminal.files import open_file

PIN = "123456"
EVERY_FILE = [
    pytest.param(each, directory, file, id=f"{each.name}-{directory.label}-{file.sfi:02X}")
    for each in GENERATIONS.values()
    for directory in each.directories
    for file in directory.files
]
every_file = pytest.mark.parametrize(("generation", "directory", "file"), EVERY_FILE)
LAYOUTS: list[type[Record]] = list(
    {
        file.content: None
        for generation in GENERATIONS.values()
        for directory in generation.directories
        for file in directory.files
        if file.content is not None
    }
)


@cache
def cells(name: str) -> bytes:
    return bytes(issue_test_card(name)._flash.cells)


class Desk:
    """A fresh card of a generation, and everything a desk needs to open its files."""

    def __init__(self, generation: Generation) -> None:
        chip = Chip(ROM, Flash(bytearray(cells(generation.name))), seeded(5, TEST_DAY))
        self.client = HrssClient(Card(MemoryChannel(chip)))
        self.source = MemoryKeys(suite=SUITES[generation.algorithm])
        self.card = identity(self.client)

    def open(self, directory: DfSpec, file: EfSpec, *, writing: bool = False) -> None:
        open_file(
            self.client,
            directory,
            file,
            writing=writing,
            pin=lambda: PIN,
            source=self.source,
            card=self.card,
        )


# Reading and writing


@every_file
def test_a_file_opens_and_holds_what_a_new_card_has(
    generation: Generation, directory: DfSpec, file: EfSpec
) -> None:
    desk = Desk(generation)
    if file.read is NEVER:
        with pytest.raises(FormatError, match="never open"):
            desk.open(directory, file)
        with pytest.raises(NotAllowed):
            desk.client.read(directory, file)
        return
    desk.open(directory, file)
    if file.kind is FileKind.TRANSPARENT:
        assert bytes(file.size) == desk.client.read(directory, file)
    elif file.kind is FileKind.CYCLIC:
        assert () == desk.client.records(directory, file)
    elif file.content is None:
        with pytest.raises(NotFound):
            desk.client.read(directory, file)
    else:
        found = desk.client.content(directory, file)
        assert isinstance(found, file.content)
        assert bytes(found) == desk.client.read(directory, file)


@every_file
@settings(max_examples=2)
@given(data=st.data())
def test_what_is_written_is_read_back(
    generation: Generation, directory: DfSpec, file: EfSpec, data: st.DataObject
) -> None:
    desk, client = Desk(generation), None
    client = desk.client
    if file.update is NEVER or file is STATE:
        return
    desk.open(directory, file, writing=True)
    if file.kind is FileKind.TRANSPARENT:
        pattern = data.draw(st.binary(min_size=7, max_size=40))
        written: Any = (pattern * file.size)[: file.size]
        client.write_binary(file, written)
        read: Any = lambda: client.read(directory, file)  # noqa: E731
    elif file.content is None:
        written = data.draw(st.binary(min_size=1, max_size=60))
        client.append(file, written)
        read = lambda: client.read(directory, file)  # noqa: E731
    elif file.kind is FileKind.CYCLIC:
        drawn = data.draw(st.lists(layout_values(file.content), min_size=1, max_size=3))
        for each in drawn:
            client.push(file, bytes(each))
        written = tuple(reversed(_read_as(drawn)))
        read = lambda: client.records(directory, file)  # noqa: E731
    else:
        value = data.draw(layout_values(file.content))
        repeats: dict[int, int] = {}
        for item in parse_simple(bytes(value)):
            client.write_item(file, item.tag, item.value, repeats.get(item.tag, 0))
            repeats[item.tag] = repeats.get(item.tag, 0) + 1
        (written,) = _read_as([value])
        read = lambda: client.content(directory, file)  # noqa: E731
    desk.open(directory, file)
    assert written == read()


def _read_as(values: list[Record]) -> list[Record]:
    """What a reader makes of values among which some count as erased."""
    return [type(value).parse(canonical(type(value), bytes(value))) for value in values]


def test_a_guarded_holder_file_wants_the_read_key_of_the_third_generation() -> None:
    desk = Desk(THIRD)
    with pytest.raises(NotAllowed):
        desk.client.holder()
    desk.open(THIRD.directory("SSSE"), THIRD.file("SSSE", 6))
    assert TEST_HOLDER.name == desk.client.holder().full_name


@pytest.mark.parametrize("name", GENERATIONS)
def test_the_card_says_its_generation_and_who_holds_it(name: str) -> None:
    desk = Desk(GENERATIONS[name])
    assert GENERATIONS[name] is desk.client.generation()
    desk.open(GENERATIONS[name].directory("SSSE"), GENERATIONS[name].file("SSSE", 6))
    holder = desk.client.holder()
    assert (Sex.MALE, EthnicGroup.HAN) == (holder.sex, holder.ethnic_group)
    assert date(1990, 3, 7) == holder.born
    assert TEST_HOLDER.number == holder.number


def test_one_item_is_read_by_its_tag_and_a_wrong_answer_is_noticed() -> None:
    desk = Desk(SECOND)
    assert TEST_HOLDER.number.encode() == desk.client.item(HOLDER, 0x08)
    with pytest.raises(NotFound):
        desk.client.item(HOLDER, 0x77)
    desk.client.record_bytes = lambda *_: b"\x09\x01\x30"  # type: ignore[method-assign]
    with pytest.raises(CardMisspoke, match="tag 08"):
        desk.client.item(HOLDER, 0x08)


def test_an_item_that_a_file_does_not_have_or_that_is_too_long_is_not_sent() -> None:
    desk = Desk(SECOND)
    file = SECOND.file("DF02", 0x05)
    for tag, size, repeat, rule in (
        (0x77, 3, 0, "no item 77"),
        (0x42, 4, 0, "item 42: 4 bytes, must be 3"),
        (0x43, 108, 2, "no item 43 number 3"),
    ):
        with pytest.raises(FormatError, match=rule):
            desk.client.write_item(file, tag, bytes(size), repeat)
    for wrong in (TRANSACTIONS, SECOND.file("DF01", 0x16)):
        with pytest.raises(FormatError):
            desk.client.content(SECOND.directory("DF04"), wrong)
    with pytest.raises(FormatError):
        desk.client.records(SECOND.directory("SSSE"), HOLDER)


def test_a_file_is_not_opened_by_what_was_not_given() -> None:
    desk = Desk(SECOND)
    medical = SECOND.directory("DF04")
    with pytest.raises(FormatError, match="DF04 EF06: needs the PIN"):
        open_file(desk.client, medical, medical.file(0x06), source=desk.source, card=desk.card)
    with pytest.raises(FormatError, match="DF04 EF05: needs key UK1DF04"):
        open_file(desk.client, medical, medical.file(0x05), writing=True)


# Erased items


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.__name__)
@pytest.mark.parametrize("fill", [0x00, 0xFF])
def test_an_erased_item_is_absent_whatever_it_was_filled_with(
    layout: type[Record], fill: int
) -> None:
    raw = _filled(items(layout), fill)
    found = layout.parse(canonical(layout, raw))
    empty = blank(layout)
    for item in items(layout):
        if item.coding in (Coding.AN, Coding.CN):
            assert getattr(empty, item.name) == getattr(found, item.name)
        if item.coding is Coding.DEC:
            assert (None if fill else 0) == getattr(found, item.name)


def _filled(expected: Any, fill: int) -> bytes:
    made = b""
    for item in expected:
        for _ in range(item.repeats):
            made += b"" if item.tag is None else bytes((item.tag, item.size))
            made += _filled(item.parts, fill) if item.parts else bytes((fill,)) * item.size
    return made


@given(layout_values(HolderData))
def test_what_is_not_erased_is_left_alone(value: HolderData) -> None:
    raw = bytes(value)
    for at, (tag, found, _) in enumerate(parse_simple(canonical(HolderData, raw))):
        given_tag, given_value, _ = parse_simple(raw)[at]
        assert given_tag == tag
        assert (
            given_value == found or not given_value.strip(b"\0") or not given_value.strip(b"\xff")
        )


@pytest.mark.parametrize("cut", [1, 30, 84])
def test_bytes_that_are_not_of_the_layout_are_refused(cut: int) -> None:
    raw = bytes(blank(EmploymentSpell))
    with pytest.raises(FormatError, match="must be 85"):
        canonical(EmploymentSpell, raw[:cut])
    with pytest.raises(FormatError, match=r"HolderData\.number: not the item with tag 08"):
        canonical(HolderData, bytes(HolderData.byte_length()))
