# SPDX-License-Identifier: Apache-2.0
"""Which commands can be sent again, held to what is known of all commands."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apdu.wire.effects import Effect, effect_of
from apdu.wire.form import CommandForm
from apdu.wire.iso7816 import (
    GET_RESPONSE,
    READ_BINARY,
    READ_RECORD,
    SELECT,
    VERIFY,
    Offset,
    PinRef,
    RecordRef,
    Selection,
    SfiOffset,
)
from apdu.wire.pboc.commands import GET_DATA, DataTag
from apdu.wire.repeating import Again, again

FORMS = (SELECT, READ_BINARY, READ_RECORD, GET_RESPONSE, GET_DATA)


def test_of_all_classes_and_instructions_only_reads_and_selections_are() -> None:
    found = {
        (cla, ins)
        for cla, ins in product(range(256), range(256))
        if again(bytes((cla, ins, 0, 4))) is not Again.NEVER
    }
    assert {(form.cla, form.ins) for form in FORMS} | {(0x00, 0xCA)} == found


@given(st.binary(min_size=2, max_size=2))
def test_what_is_sent_again_changes_at_most_what_a_reset_forgets(p1p2: bytes) -> None:
    for form in FORMS:
        tried = bytes((form.cla, form.ins)) + p1p2
        assert again(tried) is Again.NEVER or effect_of(tried) <= Effect.SESSION


def test_what_goes_on_from_where_it_was_is_not() -> None:
    select = [p2 for p2 in range(256) if again(bytes((0, 0xA4, 4, p2))) is Again.NEVER]
    assert [p2 for p2 in range(256) if p2 & 3 in (2, 3)] == select
    read = [p2 for p2 in range(256) if again(bytes((0, 0xB2, 1, p2))) is Again.NEVER]
    assert [p2 for p2 in range(256) if p2 & 7 in (2, 3)] == read


@pytest.mark.parametrize(
    ("form", "params", "takes"),
    [
        (READ_RECORD, RecordRef(1), Again.CURRENT_FILE),
        (READ_RECORD, RecordRef(1, 1), Again.OWN_FILE),
        (READ_RECORD, RecordRef(1, 31), Again.OWN_FILE),
        (READ_BINARY, Offset(offset=0x7FFF), Again.CURRENT_FILE),
        (READ_BINARY, SfiOffset(sfi=1), Again.OWN_FILE),
        (SELECT, Selection(), Again.SELECTION),
        (GET_RESPONSE, None, Again.CONTINUED),
        (GET_DATA, DataTag(0x9F36), Again.ANYWHERE),
        (VERIFY, PinRef(), Again.NEVER),
    ],
    ids=lambda found: getattr(found, "name", ""),
)
def test_what_it_takes_depends_on_which_file_is_read(
    form: CommandForm[Any, Any, Any], params: object, takes: Again
) -> None:
    assert takes is again(
        bytes((form.cla, form.ins)) + form.params.number(params).to_bytes(2, "big")
    )
