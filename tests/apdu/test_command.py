# SPDX-License-Identifier: Apache-2.0
"""Command and response APDUs: one decoder, and it agrees with the encoder on every byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import altered, commands, long_commands, status_word

from apdu.command import CommandAPDU, ResponseAPDU, decode, encode
from apdu.errors import FormatError

raw_commands = commands.map(bytes)


@given(long_commands)
def test_a_command_read_back_is_the_command(command: CommandAPDU) -> None:
    assert command == CommandAPDU.parse(bytes(command))


@given(raw_commands | altered(raw_commands) | st.binary(max_size=300))
def test_any_bytes_are_one_command_or_refused(raw: bytes) -> None:
    try:
        command = CommandAPDU.parse(raw)
    except FormatError:
        return
    assert raw == bytes(command)


@given(long_commands)
def test_the_class_and_the_bare_functions_say_the_same(command: CommandAPDU) -> None:
    parts = (command.cla, command.ins, command.p1 << 8 | command.p2, command.data, command.ne)
    assert parts == decode(bytes(command))
    assert bytes(command) == encode(*parts, extended=command.extended)


@given(long_commands)
def test_the_case_is_read_off_data_and_ne(command: CommandAPDU) -> None:
    assert {(False, False): 1, (False, True): 2, (True, False): 3, (True, True): 4}[
        bool(command.data), command.ne > 0
    ] == command.case


@given(commands)
def test_the_short_form_is_used_wherever_it_can_be(command: CommandAPDU) -> None:
    short = CommandAPDU(command.cla, command.ins, command.p1, command.p2, command.data, command.ne)
    fits = len(command.data) <= 255 and command.ne <= 256
    assert fits is not short.extended or not (short.data or short.ne)
    assert len(bytes(short)) <= len(bytes(command))


@given(st.binary(max_size=300), status_word)
def test_an_answer_read_back_is_the_answer(data: bytes, sw: int) -> None:
    answer = ResponseAPDU(data, sw)
    assert answer == ResponseAPDU.parse(bytes(answer))
    assert data + sw.to_bytes(2) == bytes(answer)


@pytest.mark.parametrize(
    ("form", "raw", "data", "ne"),
    [
        ("1", "00A40000", "", 0),
        ("2 short", "00B0000005", "", 5),
        ("2 short, all", "00B0000000", "", 256),
        ("3 short", "00D6000002AABB", "AABB", 0),
        ("4 short", "00A4000002AABB10", "AABB", 16),
        ("4 short, all", "00A4000002AABB00", "AABB", 256),
        ("2 extended", "00B00000000101", "", 257),
        ("2 extended, all", "00B00000000000", "", 65_536),
        ("3 extended", "00D60000000002AABB", "AABB", 0),
        ("4 extended", "00A40000000002AABB0100", "AABB", 256),
        ("4 extended, all", "00A40000000002AABB0000", "AABB", 65_536),
    ],
)
def test_each_form_of_iso_7816_4_table_1_is_read(form: str, raw: str, data: str, ne: int) -> None:
    command = CommandAPDU.parse(bytes.fromhex(raw))
    assert (bytes.fromhex(data), ne) == (command.data, command.ne)
    assert raw == bytes(command).hex().upper()


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param("", id="nothing"),
        pytest.param("00A400", id="three bytes"),
        pytest.param("00D6000002AA", id="a byte of data is missing"),
        pytest.param("00D6000002AABB0000", id="two bytes of Le in short form"),
        pytest.param("008400000000", id="half an extended length"),
        pytest.param("00A404000000000000", id="extended Lc 0 before an Le"),
        pytest.param("00A4040000000000", id="extended Lc 0 before a byte"),
        pytest.param("00D60000000002AA", id="a byte of extended data is missing"),
        pytest.param("00D60000000002AABB00", id="half an extended Le"),
        pytest.param("00D60000000002AABB000000", id="three bytes of extended Le"),
    ],
)
def test_lengths_that_do_not_add_up_are_refused(raw: str) -> None:
    with pytest.raises(FormatError):
        CommandAPDU.parse(bytes.fromhex(raw))


@pytest.mark.parametrize("size", [0, 1, 255, 256, 65_535])
@pytest.mark.parametrize("ne", [0, 1, 255, 256, 257, 65_535, 65_536])
def test_the_limits_of_lc_and_le_are_themselves(size: int, ne: int) -> None:
    command = CommandAPDU.parse(bytes(CommandAPDU(0, 0xD6, data=bytes(size), ne=ne)))
    assert (size, ne) == (len(command.data), command.ne)


@pytest.mark.parametrize(
    "wrong",
    [
        {"cla": 256},
        {"ins": -1},
        {"p1": 256},
        {"p2": 256},
        {"ne": -1},
        {"ne": 65_537},
        {"data": bytes(65_536)},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_part_out_of_range_makes_no_command(wrong: dict[str, int]) -> None:
    with pytest.raises(FormatError):
        CommandAPDU(**{"cla": 0, "ins": 0xA4} | wrong)


def test_encode_refuses_what_no_length_can_say() -> None:
    with pytest.raises(FormatError):
        encode(0, 0xD6, 0, bytes(65_536))
    with pytest.raises(FormatError):
        encode(0, 0xB0, 0, ne=65_537)


@pytest.mark.parametrize("raw", [b"", b"\x90"])
def test_an_answer_shorter_than_a_status_word_is_refused(raw: bytes) -> None:
    with pytest.raises(FormatError):
        ResponseAPDU.parse(raw)
