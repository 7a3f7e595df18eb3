# SPDX-License-Identifier: Apache-2.0
"""The books of layouts and commands: written by others or by hand, held to the declarations."""

from __future__ import annotations

from typing import Any

import pytest
from books import book, cases, layout_value, paths
from strategies import BIT_RECORDS, FORM_NAMES, FORMS, RECORDS

from apdu.command import CommandAPDU
from apdu.errors import FormatError
from apdu.wire.form import NOTHING, CommandForm, OneOf
from apdu.wire.record import BitRecord, Layout

BY_NAME: dict[str, type[Layout]] = {found.__name__: found for found in RECORDS + BIT_RECORDS}
LAYOUT_BOOKS = [path for path in paths() if book(path)["format"] == "layout"]


def layout_cases(**where: Any) -> list[Any]:
    return [case for path in LAYOUT_BOOKS for case in cases(path, **where)]


def command_cases(**where: Any) -> list[Any]:
    """The cases of all books of commands."""
    return [
        case
        for path in paths()
        if book(path)["format"] == "command"
        for case in cases(path, **where)
    ]


def parse(layout: Any, raw: bytes) -> Any:
    if issubclass(layout, BitRecord):
        if len(raw) != layout.declaration().sizeof():
            raise FormatError("not the bytes of these bits")
        return layout.of(int.from_bytes(raw))
    return layout.parse(raw)


@pytest.mark.parametrize("case", layout_cases(result="valid"))
def test_a_layout_reads_and_builds_a_valid_case(case: dict[str, Any]) -> None:
    layout, raw = BY_NAME[case["name"]], bytes.fromhex(case["hex"])
    value = layout_value(layout, case["fields"])
    assert value == parse(layout, raw)
    assert value == layout.parse_declared(raw)
    assert raw == value.build_declared()


@pytest.mark.parametrize("case", layout_cases(result="invalid"))
def test_a_layout_refuses_an_invalid_case(case: dict[str, Any]) -> None:
    layout, raw = BY_NAME[case["name"]], bytes.fromhex(case["hex"])
    with pytest.raises(FormatError):
        parse(layout, raw)
    with pytest.raises(FormatError):
        layout.parse_declared(raw)


@pytest.mark.parametrize("case", command_cases(result="valid"))
def test_a_form_reads_and_builds_a_valid_command(case: dict[str, Any]) -> None:
    form: CommandForm[Any, Any, Any] = FORM_NAMES[case["name"]]
    params = _params(case["params"])
    data = _data(form, case.get("data"))
    raw = bytes.fromhex(case["hex"])

    p1p2 = form.params.number(params)
    body = form.data.build(data)
    built = CommandAPDU(form.cla, form.ins, p1p2 >> 8, p1p2 & 0xFF, body, case.get("ne", 0))
    assert case["hex"] == bytes(built).hex().upper()
    assert (params, data) == taken(form, raw)


@pytest.mark.parametrize("case", command_cases(result="invalid"))
def test_a_form_refuses_an_invalid_command(case: dict[str, Any]) -> None:
    with pytest.raises(FormatError):
        taken(FORM_NAMES[case["name"]], bytes.fromhex(case["hex"]))


def taken(form: CommandForm[Any, Any, Any], raw: bytes) -> tuple[Any, Any]:
    """What a form makes of a command, as far as a form can judge: case, Lc, P1-P2 and data."""
    command = CommandAPDU.parse(raw)
    assert (form.cla, form.ins) == (command.cla, command.ins)
    if command.case not in form.cases or (command.data and len(command.data) not in form.lc):
        raise FormatError("wrong length")
    return form.params.of(command.p1 << 8 | command.p2), form.data.parse(command.data)


def _params(written: Any) -> Any:
    if written is None:
        return None
    ((name, fields),) = written.items()
    return layout_value(BY_NAME[name], fields)


def _data(form: CommandForm[Any, Any, Any], written: Any) -> Any:
    if form.data is NOTHING:
        return None
    if not isinstance(form.data, type):  # bytes as they are, or in a template
        return bytes.fromhex(written or "")
    return layout_value(form.data, written)


def test_the_shapes_of_a_form_with_several_all_have_a_command() -> None:
    written = [case["params"] for case in book("wire/commands.json")["cases"] if case.get("params")]
    shown = {name for params in written for name in params}
    for form in FORMS:
        if isinstance(form.params, OneOf):
            assert {shape.__name__ for shape in form.params.shapes} <= shown
