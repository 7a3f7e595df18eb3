# SPDX-License-Identifier: Apache-2.0
"""Every declared layout: read and built alike, and its fast half says what its declaration says."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from construct import BitsInteger, Const
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import (
    BIT_RECORDS,
    FORMS,
    RECORDS,
    layout_values,
    misfit_values,
    near,
    p1p2,
    params,
)

from apdu.errors import FormatError
from apdu.wire import globalplatform, pki_commands
from apdu.wire import record as record_module
from apdu.wire.derive import Plan, plan
from apdu.wire.form import NOTHING, RAW, CommandForm, Fixed, OneOf
from apdu.wire.hrss.commands import PinChange
from apdu.wire.pboc import commands as pboc_commands
from apdu.wire.perso import Algorithm, KeyBlock, KeyUsage
from apdu.wire.psam_commands import WRITE_MASTER_KEY
from apdu.wire.record import BitRecord, Record

PLANS: dict[type[Record], Plan | None] = {
    layout: plan(layout, layout.declaration()) for layout in RECORDS
}
REFUSED = "refused"
every_record = pytest.mark.parametrize("layout", RECORDS, ids=lambda layout: layout.__name__)
every_planned = pytest.mark.parametrize(
    "layout", [layout for layout in RECORDS if PLANS[layout]], ids=lambda layout: layout.__name__
)
every_bit_record = pytest.mark.parametrize(
    "layout", BIT_RECORDS, ids=lambda layout: layout.__name__
)
a_few_of_each = settings(max_examples=30)
"""There are more than a hundred layouts, and they share the code that is tried here."""
every_form = pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)


def outcome(way: Any, *given: Any) -> Any:
    """What a parser or builder makes of its input; None from a plan means: refused."""
    try:
        found = way(*given)
    except FormatError:
        return REFUSED
    return REFUSED if found is None else found


def said(way: Any, *given: Any) -> Any:
    """The same, with the words of the refusal."""
    try:
        return way(*given)
    except FormatError as error:
        return str(error)


# Records


@every_record
@a_few_of_each
@given(data=st.data())
def test_a_value_read_back_is_the_value(layout: type[Record], data: st.DataObject) -> None:
    value = data.draw(layout_values(layout))
    assert value == layout.parse(bytes(value))


@every_record
@a_few_of_each
@given(data=st.data())
def test_any_bytes_are_one_value_or_refused(layout: type[Record], data: st.DataObject) -> None:
    raw = data.draw(near(layout_values(layout).map(bytes), longest=100))
    found = outcome(layout.parse, raw)
    if found != REFUSED:
        assert raw == layout.build(found)


@every_record
@a_few_of_each
@given(data=st.data())
def test_parse_and_build_say_what_the_declaration_says_in_its_words(
    layout: type[Record], data: st.DataObject
) -> None:
    raw = data.draw(near(layout_values(layout).map(bytes), longest=100))
    assert said(layout.parse_declared, raw) == said(layout.parse, raw)
    value = data.draw(misfit_values(layout))
    assert said(value.build_declared) == said(layout.build, value)


@every_record
@a_few_of_each
@given(data=st.data())
def test_what_is_built_from_any_value_reads_back_as_it(
    layout: type[Record], data: st.DataObject
) -> None:
    value = data.draw(misfit_values(layout))
    raw = outcome(layout.build, value)
    if raw != REFUSED:
        assert value == layout.parse(raw)


@every_planned
@a_few_of_each
@given(data=st.data())
def test_the_derived_parser_takes_and_refuses_as_the_declaration_does(
    layout: type[Record], data: st.DataObject
) -> None:
    raw = data.draw(near(layout_values(layout).map(bytes), longest=100))
    assert outcome(layout.parse_declared, raw) == outcome(PLANS[layout].parse, raw)


@every_planned
@a_few_of_each
@given(data=st.data())
def test_the_derived_builder_takes_and_refuses_as_the_declaration_does(
    layout: type[Record], data: st.DataObject
) -> None:
    value = data.draw(layout_values(layout) | misfit_values(layout))
    assert outcome(value.build_declared) == outcome(PLANS[layout].build, value)


def test_only_a_layout_with_a_varying_part_inside_has_no_derived_parser() -> None:
    varying = {"FileHeader", "PinChange", "SecretHeader"}
    varying |= {"SignedDynamicData", "DynamicData", "CombinedData"}
    varying |= {"Sm2DynamicSignature", "Sm2CombinedData"}
    varying |= {"HashData", "DecipherData", "ImportData", "Frame"}
    assert varying == {layout.__name__ for layout, made in PLANS.items() if made is None}


@every_planned
def test_a_layout_without_a_tail_has_the_length_it_declares(layout: type[Record]) -> None:
    made = PLANS[layout]
    if made is not None and not made._tail:
        assert made._struct.size == layout.byte_length()


def test_a_secret_is_not_in_the_text_form_of_its_record() -> None:
    key = KeyBlock(KeyUsage.MESSAGING, 1, Algorithm.NONE, 15, b"secret")
    assert (
        "KeyBlock(usage=<KeyUsage.MESSAGING: 3>, version=1, algorithm=<Algorithm.NONE: 0>, "
        "limit=15)" == repr(key)
    )
    assert "PinChange()" == repr(PinChange(b"old", b"new"))


@pytest.mark.parametrize("layout", [KeyBlock, PinChange], ids=lambda layout: layout.__name__)
@given(data=st.data())
def test_a_refusal_repeats_no_byte_of_a_secret(layout: type[Record], data: st.DataObject) -> None:
    raw = b"SECRET" + data.draw(st.binary(max_size=8)).replace(b"\xff", b"")
    for wrong in (raw, repr(raw), 7):
        value = layout(**{item.name: wrong for item in fields(layout)})
        for text in (said(layout.parse, raw), said(layout.build, value)):
            assert isinstance(text, bytes | layout) or "SECRET" not in text


# Bit records


@every_bit_record
@given(data=st.data())
def test_a_number_read_back_is_the_value(layout: type[BitRecord], data: st.DataObject) -> None:
    value = data.draw(layout_values(layout))
    assert value == layout.of(int(value))


@every_bit_record
def test_every_number_means_what_its_bits_say(
    layout: type[BitRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    # `of` fills its table through `parse_declared`, so a judge of its own is put beside both:
    # plain shifts over the widths. One number in 97 is also given to the declaration itself.
    monkeypatch.setattr(record_module, "_TABLES", {})
    shape = [(part.name, *_bits(part.subcon)) for part in layout.declaration().subcon.subcons]
    size = sum(width for _, width, _ in shape)
    assert size in (8, 16)
    for number in range(1 << size):
        found = outcome(layout.of, number)
        assert _by_shifts(shape, size, number) == (
            found if found == REFUSED else [getattr(found, name) for name, _, _ in shape]
        )
        if found != REFUSED or number % 97 == 0:
            assert found == outcome(layout.of, number)
        if number % 97 == 0:
            raw = number.to_bytes(size // 8)
            assert found == outcome(layout.parse_declared, raw)
            assert found == REFUSED or number == int(found)


def _bits(con: Any) -> tuple[int, frozenset[int]]:
    """Width of a bit field, and the numbers it takes."""
    if isinstance(con, Const):
        return con.subcon.length, frozenset({con.value})
    if isinstance(con, BitsInteger):
        return con.length, frozenset(range(1 << con.length))
    return con.subcon.length, frozenset(int(member) for member in con.members)


def _by_shifts(shape: list[tuple[str, int, frozenset[int]]], size: int, number: int) -> Any:
    found, left = [], size
    for _, width, allowed in shape:
        left -= width
        value = number >> left & (1 << width) - 1
        if value not in allowed:
            return REFUSED
        found.append(value)
    return found


@every_bit_record
@pytest.mark.parametrize("number", [-1, 1 << 16, 1 << 40])
def test_a_number_that_does_not_fit_is_refused(layout: type[BitRecord], number: int) -> None:
    with pytest.raises(FormatError):
        layout.of(number)


@every_bit_record
@given(data=st.data())
def test_a_misfit_becomes_a_number_that_reads_back_or_is_refused(
    layout: type[BitRecord], data: st.DataObject
) -> None:
    value = data.draw(misfit_values(layout))
    number = outcome(int, value)
    if number != REFUSED:
        assert number == int(layout.of(number))


# Forms


@every_form
@given(data=st.data())
def test_the_parameters_of_a_form_read_back(form: Any, data: st.DataObject) -> None:
    value = data.draw(params(form))
    assert value == form.params.of(form.params.number(value))


@every_form
@given(number=p1p2)
def test_any_parameters_are_one_value_or_refused(form: Any, number: int) -> None:
    value = said(form.params.of, number)
    if not isinstance(value, str):
        assert number == form.params.number(value)


@every_form
def test_a_form_has_the_cases_that_its_data_and_reply_make(form: Any) -> None:
    assert form.cases <= {1, 2, 3, 4} and form.cases
    assert (form.data is not NOTHING) == bool(form.cases & {3, 4})
    assert (form.reply is not NOTHING) == bool(form.cases & {2, 4})
    assert form.lc and 0 < form.lc.start and form.lc.stop <= 0x10000
    assert form.spec


def test_no_two_forms_have_the_same_class_and_instruction() -> None:
    """Within what one application may speak: others give the same codes another meaning."""
    elsewhere = [
        [form for form in vars(module).values() if isinstance(form, CommandForm)]
        for module in (pki_commands, pboc_commands, globalplatform)
    ]
    others = [form for forms in elsewhere for form in forms]
    usual = [form for form in FORMS if form not in others and form is not WRITE_MASTER_KEY]
    for forms in (usual, *elsewhere):
        assert len(forms) == len({(form.cla, form.ins) for form in forms})
    assert not {form.ins >> 4 for form in FORMS} & {0x6, 0x9}  # ISO 7816-3: status bytes


def test_parameters_of_several_shapes_belong_to_one_of_them() -> None:
    for form in FORMS:
        if isinstance(form.params, OneOf):
            for number in range(0, 0x10000, 37):
                fitting = [outcome(shape.of, number) for shape in form.params.shapes]
                assert sum(found != REFUSED for found in fitting) <= 1


def test_plain_codecs_take_what_they_say() -> None:
    assert b"\x01" == RAW.parse(b"\x01") == RAW.build(b"\x01")
    assert (None, b"") == (NOTHING.parse(b""), NOTHING.build(None))
    with pytest.raises(FormatError):
        NOTHING.parse(b"\x00")
    with pytest.raises(FormatError):
        Fixed(0x0100).of(0x0001)
