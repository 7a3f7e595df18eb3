# SPDX-License-Identifier: Apache-2.0
"""A conversation as text: what is written reads back, and what is secret is never written."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from books import VECTORS
from hypothesis import given
from hypothesis import strategies as st
from strategies import FORMS, altered, commands

from apdu.command import CommandAPDU, ResponseAPDU
from apdu.errors import FormatError
from apdu.secret import MASK, MEDICAL_CLASS, SECRET_INS, brings_secret
from apdu.tlv import parse
from apdu.trace import HIDDEN, Exchange, read, secret_part, write


def is_not_medical(command: CommandAPDU) -> bool:
    return command.cla != MEDICAL_CLASS


secret_commands = st.builds(
    replace, commands.filter(is_not_medical), ins=st.sampled_from(sorted(SECRET_INS))
)
open_commands = commands.filter(lambda command: not brings_secret(command.cla, command.ins))
answers = st.binary(max_size=40)
exchanges = st.builds(Exchange.of, open_commands.map(bytes), answers)
# Those of our own hold test PINs in the clear, which are masked here: tests/together replays them.
JOURNEYS = sorted(
    path
    for path in (VECTORS / "journeys").glob("*.apdu")
    if "# source: ours" not in path.read_text(encoding="utf-8")
)


# Secrets


@given(secret_commands, answers)
def test_the_data_of_a_secret_command_is_lost_and_all_else_stays(
    command: CommandAPDU, answer: bytes
) -> None:
    taken = Exchange.of(bytes(command), answer)
    assert bytes(replace(command, data=bytes(len(command.data)))) == taken.command
    assert [HIDDEN] * len(command.data) == [
        word for word in taken.command_text.split() if word == HIDDEN
    ]


@given(altered(secret_commands.map(bytes)) | st.binary(min_size=5, max_size=40), answers)
def test_a_malformed_secret_command_is_hidden_behind_its_header(raw: bytes, answer: bytes) -> None:
    if len(raw) < 5 or not brings_secret(raw[0], raw[1]):
        return
    try:
        data = CommandAPDU.parse(raw).data
    except FormatError:
        data = raw[4:]
        assert [HIDDEN] * (len(raw) - 4) == Exchange.of(raw, answer).command_text.split()[4:]
    assert len(data) == len(secret_part(raw))
    assert not any(Exchange.of(raw, answer).command[at] for at in secret_part(raw))


@pytest.mark.parametrize(
    ("rest", "hidden"),
    [
        pytest.param("03 123456", "03 •• •• ••", id="3 short"),
        pytest.param("03 123456 00", "03 •• •• •• 00", id="4 short"),
        pytest.param("00 0003 123456", "00 00 03 •• •• ••", id="3 extended"),
        pytest.param("00 0003 123456 0000", "00 00 03 •• •• •• 00 00", id="4 extended"),
        pytest.param("08 123456", "•• •• •• ••", id="Lc too long"),
        pytest.param("02 123456 78", "•• •• •• •• ••", id="Lc too short"),
        pytest.param("00 0005 123456", "•• •• •• •• •• ••", id="extended Lc too long"),
        pytest.param("00 12", "•• ••", id="half a length"),
        pytest.param("08", "08", id="case 2"),
        pytest.param("", "", id="case 1"),
    ],
)
def test_secret_data_is_hidden_in_every_form_and_class(rest: str, hidden: str) -> None:
    classes = [each for each in range(0x100) if each != MEDICAL_CLASS]
    for class_byte, ins in product(classes, sorted(SECRET_INS)):
        raw = bytes((class_byte, ins, 0, 0)) + bytes.fromhex(rest)
        text = write([Exchange.of(raw, b"\x90\x00")])
        head = f"> {class_byte:02X} {ins:02X} 00 00 {hidden}".rstrip()
        assert f"{head}\n< 90 00\n" == text


@given(open_commands, secret_commands, answers)
def test_a_pin_behind_another_command_is_hidden_unless_both_are_one(
    command: CommandAPDU, verify: CommandAPDU, answer: bytes
) -> None:
    raw = bytes(command) + bytes(verify)
    taken = Exchange.of(raw, answer)
    try:
        CommandAPDU.parse(raw)
    except FormatError:
        assert raw[:5] + bytes(len(raw) - 5) == taken.command
    else:
        assert raw == taken.command or brings_secret(raw[0], raw[1])


@pytest.mark.parametrize(
    "first", ["00B2012C00", "00A404000F7378312E73682EC9E7BBE1B1A3D5CF", "00B095000E"]
)
def test_a_pin_behind_a_common_command_is_hidden(first: str) -> None:
    raw = bytes.fromhex(first + "0020000003123456")
    text = write([Exchange.of(raw, b"\x67\x00")])
    assert "12 34 56" not in text
    assert f"> {raw[:5].hex(' ').upper()} {HIDDEN}" in text


@pytest.mark.parametrize("ins", [0x28, 0x2C])
def test_the_terms_of_a_medical_purchase_can_be_seen(ins: int) -> None:
    raw = bytes((MEDICAL_CLASS, ins, 1, 0, 2, 0x12, 0x34))
    assert raw == Exchange.of(raw, b"\x90\x00").command
    assert "1234" in repr(CommandAPDU.parse(raw))


def test_the_forms_marked_secret_are_those_that_the_recorder_masks() -> None:
    assert [] == [form for form in FORMS if form.secret != brings_secret(form.cla, form.ins)]
    names = {form.name for form in FORMS if form.secret}
    bring_pins = {"VERIFY", "CHANGE PIN", "PIN CHANGE/UNBLOCK", "CRYPT"}
    bring_pins |= {"VERIFY BY CHALLENGE", "CHANGE PKI PIN", "HASH"}
    bring_keys = {"WRITE KEY", "WRITE MASTER KEY", "STORE DATA"}
    bring_keys |= {"WRITE PKI KEY", "UPDATE MASTER KEY", "LOAD SESSION KEY"}
    assert bring_pins | bring_keys == names


@given(secret_commands)
def test_the_text_form_of_a_secret_command_shows_no_data(command: CommandAPDU) -> None:
    assert not command.data or f"data={MASK}," in repr(command)


@given(open_commands)
def test_the_text_form_of_any_other_command_shows_its_data(command: CommandAPDU) -> None:
    assert command.data.hex().upper() in repr(command)


def test_a_masked_trace_cannot_be_replayed() -> None:
    text = write([Exchange.of(bytes.fromhex("0020000003123456"), b"\x90\x00")])
    with pytest.raises(FormatError, match="line 1"):
        list(read(text))


# Text


@given(st.lists(exchanges, max_size=4), st.lists(st.text(max_size=40), max_size=3))
def test_a_conversation_read_back_is_the_conversation(
    conversation: list[Exchange], remarks: list[str]
) -> None:
    assert conversation == list(read(write(conversation, remarks)))


@given(st.text(alphabet="><# 09AFaf\n•\r\t\x0b\u2028x", max_size=60) | st.text(max_size=60))
def test_any_text_is_a_conversation_or_refused(text: str) -> None:
    try:
        conversation = list(read(text))
    except FormatError:
        return
    assert all(isinstance(each, Exchange) for each in conversation)


def test_a_remark_of_several_lines_stays_a_remark() -> None:
    text = write([], ["one\n> 00 A4 00 00\n< 90 00"])
    assert "# one\n# > 00 A4 00 00\n# < 90 00\n" == text
    assert [] == list(read(text))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("< 90 00", "line 1"),
        ("> 00 A4\n> 00 A4", "line 2"),
        ("# a\n\n> 00 A4 0", "line 3"),
        ("> 00 A4 00 00", "no answer"),
        ("= 00", "line 1"),
        ("> zz", "line 1"),
    ],
)
def test_a_trace_out_of_turn_is_refused_with_its_line(text: str, names: str) -> None:
    with pytest.raises(FormatError, match=names):
        list(read(text))


# Journeys


@pytest.mark.parametrize("path", JOURNEYS, ids=lambda path: path.stem)
def test_a_journey_reads_back_and_names_its_source(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    remarks = [line[2:] for line in text.splitlines() if line.startswith("# ")]
    assert text == write(read(text), remarks)
    assert any(remark.startswith("source: ") for remark in remarks)


@pytest.mark.parametrize("path", JOURNEYS, ids=lambda path: path.stem)
def test_the_commands_and_answers_of_a_journey_have_their_shape(path: Path) -> None:
    for each in read(path.read_text(encoding="utf-8")):
        assert each.command == bytes(CommandAPDU.parse(each.command))
        answer = ResponseAPDU.parse(each.answer)
        if answer.sw == 0x9000 and answer.data:
            assert parse(answer.data)
