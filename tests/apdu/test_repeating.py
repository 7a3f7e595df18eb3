# SPDX-License-Identifier: Apache-2.0
"""Which commands can be sent again, held to what is known of all commands."""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from apdu.wire.effects import Effect, effect_of
from apdu.wire.iso7816 import (
    GET_RESPONSE,
    READ_BINARY,
    READ_RECORD,
    SELECT,
    Offset,
    RecordRef,
    Selection,
    SfiOffset,
)
from apdu.wire.pboc.commands import GET_DATA
from apdu.wire.repeating import makes_current, of_current_file, repeatable

FORMS = (SELECT, READ_BINARY, READ_RECORD, GET_RESPONSE, GET_DATA)


def test_of_all_classes_and_instructions_only_reads_and_selections_are() -> None:
    found = {
        (cla, ins)
        for cla, ins in product(range(256), range(256))
        if repeatable(bytes((cla, ins, 0, 4)))
    }
    assert {(form.cla, form.ins) for form in FORMS} | {(0x00, 0xCA)} == found


@given(st.binary(min_size=4, max_size=40))
def test_what_is_sent_again_changes_at_most_what_a_reset_forgets(command: bytes) -> None:
    for code in {(form.cla, form.ins) for form in FORMS}:
        tried = bytes(code) + command[2:]
        assert not repeatable(tried) or effect_of(tried) <= Effect.SESSION


def test_what_goes_on_from_where_it_was_is_not() -> None:
    select = [p2 for p2 in range(256) if not repeatable(bytes((0, 0xA4, 4, p2)))]
    assert [p2 for p2 in range(256) if p2 & 3 in (2, 3)] == select
    read = [p2 for p2 in range(256) if not repeatable(bytes((0, 0xB2, 1, p2)))]
    assert [p2 for p2 in range(256) if p2 & 7 in (2, 3)] == read


def test_a_read_is_of_the_current_file_or_makes_its_own_current() -> None:
    for ins, ref, own in (
        (0xB2, RecordRef(1), False),
        (0xB2, RecordRef(1, 1), True),
        (0xB2, RecordRef(1, 31), True),
        (0xB0, Offset(offset=0x7FFF), False),
        (0xB0, SfiOffset(sfi=1), True),
    ):
        command = bytes((0, ins)) + type(ref).number(ref).to_bytes(2, "big")
        assert (own, not own) == (makes_current(command), of_current_file(command))
    for ins, p1p2 in (0xA4, Selection.number(Selection())), (0xCA, 0x9F36), (0xC0, 0):
        command = bytes((0, ins)) + p1p2.to_bytes(2, "big")
        assert (False, False) == (makes_current(command), of_current_file(command))
