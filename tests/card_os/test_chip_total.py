# SPDX-License-Identifier: Apache-2.0
"""The chip answers everything: any bytes, in any order, at any stage of its life."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import pytest
from benchplan import DIRECTORIES, FILES, noise
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import FORMS, commands, layout_values, near, params
from testbench import (
    SELECT_DEBIT,
    SELECT_HRSS,
    SELECT_MF,
    bench,
    boot,
    change_pin,
    command,
    go_to,
    sealed_cells,
    select_df,
    select_name,
    send_all,
    sw,
    tries,
    unsealed_cells,
    verify,
)

from apdu.command import decode
from apdu.errors import FormatError
from apdu.wire.iso7816 import READ_BINARY, UPDATE_BINARY, Offset, SfiOffset
from apdu.wire.perso import ACTIVATE_FILE, DEACTIVATE_FILE, TERMINATE_DF
from card_os.chip import Chip
from card_os.nvm import Flash

RESET = None
"""In a list of commands: the reset button."""


@cache
def blocked_cells() -> bytes:
    flash = Flash(bytearray(unsealed_cells()))
    chip = boot(flash)
    send_all(chip, [*go_to("SSSE"), command(DEACTIVATE_FILE), SELECT_MF, command(ACTIVATE_FILE)])
    return bytes(flash.cells)


@cache
def terminated_cells() -> bytes:
    flash = Flash(bytearray(unsealed_cells()))
    send_all(boot(flash), [SELECT_MF, command(TERMINATE_DF)])
    return bytes(flash.cells)


STAGES = {
    "personalisation": unsealed_cells,
    "in use": sealed_cells,
    "blocked": blocked_cells,
    "terminated": terminated_cells,
}


@st.composite
def formed(draw: st.DrawFn) -> bytes:
    """A command of one of the forms, with data that is right for it or any."""
    form = draw(st.sampled_from(FORMS))
    p1p2 = form.params.number(draw(params(form)))
    right = layout_values(form.data) if isinstance(form.data, type) else st.binary(max_size=40)
    data = draw(right)
    raw = data if isinstance(data, bytes) else bytes(data)
    head = bytes((form.cla, form.ins)) + p1p2.to_bytes(2)
    le = draw(st.sampled_from([b"", b"\0", b"\x08", b"\x10"]))
    return head + (bytes((len(raw),)) + raw if 0 < len(raw) < 256 else b"") + le


usual = st.sampled_from(
    [
        *(select_df(directory.fid) for directory in DIRECTORIES),
        *(select_name(directory.name) for directory in DIRECTORIES if directory.name),
        *(command(READ_BINARY, SfiOffset(file.sfi or 31)) for file in FILES),
        verify("123456"),
        verify("000000"),
        tries(),
        change_pin("123456", "87654321"),
        bytes.fromhex("00C0000000"),
        bytes.fromhex("10D6810003414243"),
        bytes.fromhex("00D6810003414243"),
        bytes.fromhex("0084000008"),
    ]
)
anything = near(formed()) | near(commands.map(bytes)) | usual | near(usual) | st.binary(max_size=12)


def check(answer: bytes, raw: bytes) -> None:
    """What every answer is: a status word, and no more data than was asked for."""
    assert len(answer) >= 2
    status = sw(answer)
    assert status >> 8 in (0x61, *range(0x62, 0x70)) or status >> 12 == 9
    assert status != 0x6F00
    try:
        ne = decode(raw)[4]
    except FormatError:
        ne = 0
        assert b"\x67\x00" == answer
    assert len(answer) - 2 <= ne
    if status >> 8 not in (0x90, 0x61, 0x62):
        assert len(answer) == 2


@pytest.mark.parametrize("stage", STAGES)
def test_any_sequence_of_bytes_and_resets_gets_answers(stage: str) -> None:
    cells = STAGES[stage]()

    @settings(max_examples=2 * settings.default.max_examples)
    @given(st.lists(st.just(RESET) | anything, max_size=12))
    def run(sequence: list[bytes | None]) -> None:
        chip = boot(Flash(bytearray(cells)))
        atr = chip.reset()
        for each in sequence:
            if each is None:
                assert atr == chip.reset()
            else:
                check(chip.transmit(each), each)

    run()


@settings(max_examples=20)
@given(
    st.binary(min_size=4, max_size=7),
    st.sampled_from([255, 256, 4095, 65_535, 65_544, 65_545, 70_000]),
)
def test_commands_of_any_length_get_answers(head: bytes, length: int) -> None:
    raw = head.ljust(length, b"\x5a")
    check(bench().transmit(raw), raw)


@pytest.mark.parametrize("n", [256, 700, 8192, 8193, 65_535])
@pytest.mark.parametrize("ins", [0xA4, 0xD6, 0xDC, 0x20, 0x84, 0x77])
def test_the_longest_data_fields_are_judged_like_others(ins: int, n: int) -> None:
    chip = bench()
    send_all(chip, [SELECT_HRSS, verify("123456")])
    raw = bytes((0, ins, 0, 0, 0)) + n.to_bytes(2) + bytes(n)
    for each in (raw, raw + b"\0\0"):
        check(chip.transmit(each), each)


# Chains


def part(data: bytes, *, more: bool = True, p1p2: bytes = b"\x81\x00") -> bytes:
    head = bytes((0x10 if more else 0x00, UPDATE_BINARY.ins)) + p1p2
    return head + bytes((len(data),)) + data


def logged_in() -> Chip:
    chip = bench()
    send_all(chip, [SELECT_HRSS, verify("123456")])
    return chip


@given(st.lists(st.binary(min_size=1, max_size=255), min_size=1, max_size=4))
def test_a_chain_does_what_one_long_command_would(parts: list[bytes]) -> None:
    whole = b"".join(parts)
    chained, extended = logged_in(), logged_in()
    for each in parts[:-1]:
        assert b"\x90\x00" == chained.transmit(part(each))
    long = bytes.fromhex("00D6810000") + len(whole).to_bytes(2) + whole
    assert extended.transmit(long) == chained.transmit(part(parts[-1], more=False))
    assert extended.snapshot() == chained.snapshot()


def test_a_chain_of_a_thousand_parts_is_ended_when_it_grows_too_long() -> None:
    chip = logged_in()
    before = chip.snapshot()
    answers = [chip.transmit(part(noise("part", 255))) for _ in range(1000)]
    refused = [n for n, answer in enumerate(answers) if answer == b"\x67\x00"]
    assert {b"\x90\x00", b"\x67\x00"} == set(answers)
    assert all(second - first <= 33 for first, second in pairwise(refused))
    assert len(refused) >= 30
    chip.reset()
    assert before == chip.snapshot()


OTHERS = {
    "another instruction": command(READ_BINARY, SfiOffset(1)),
    "other parameters": part(b"x", more=False, p1p2=b"\x81\x01"),
    "another instruction, chained": bytes.fromhex("10A40000023F00"),
    "an unknown instruction": bytes.fromhex("00770000"),
    "an unknown class": bytes.fromhex("FFD6810001AA"),
    "select": SELECT_MF,
    "get response": bytes.fromhex("00C0000000"),
    "verify": verify("123456"),
    "half a command": part(b"half", more=False)[:-1],
    "nothing": b"",
}


@pytest.mark.parametrize("other", OTHERS)
def test_what_does_not_belong_to_a_chain_ends_it_and_is_not_done(other: str) -> None:
    chip = logged_in()
    before = chip.snapshot()
    send_all(chip, [part(b"lost")])
    raw = OTHERS[other]
    status = sw(chip.transmit(raw))
    expected = {
        "an unknown instruction": (0x6D00,),
        "an unknown class": (0x6E00,),
        "another instruction, chained": (0x6884, 0x6883),
        "half a command": (0x6700,),
        "nothing": (0x6700,),
    }.get(other, (0x6883,))
    assert status in expected
    assert before == chip.snapshot()
    # The chain is over: what comes now is a command of its own.
    send_all(chip, [part(b"alone", more=False)])
    content = b"alone" + noise("SSSE 1", 10)[5:] + b"\x90\x00"
    assert content == chip.transmit(command(READ_BINARY, SfiOffset(1), ne=10))


def test_a_reset_ends_a_chain() -> None:
    chip = logged_in()
    send_all(chip, [part(b"lost")])
    chip.reset()
    send_all(chip, [SELECT_HRSS, verify("123456"), part(b"alone", more=False)])
    content = b"alone" + noise("SSSE 1", 10)[5:] + b"\x90\x00"
    assert content == chip.transmit(command(READ_BINARY, SfiOffset(1), ne=10))


def test_access_to_a_chained_command_is_judged_when_it_is_whole() -> None:
    chip = bench()
    send_all(chip, [SELECT_HRSS])
    before = chip.snapshot()
    assert b"\x90\x00" == chip.transmit(part(b"some"))
    assert b"\x69\x82" == chip.transmit(part(b"more", more=False))
    assert before == chip.snapshot()


def test_only_update_binary_can_be_chained() -> None:
    chip = logged_in()
    strangers = ("COMPUTE DIGITAL SIGNATURE", "PUT DATA")  # not known on this bench
    for form in FORMS:
        if form.cla == 0x00 and form.name not in ("UPDATE BINARY", *strangers):
            raw = bytes((0x10, form.ins, 0, 0))
            assert b"\x68\x84" == chip.transmit(raw), form.name


# GET RESPONSE


def test_what_waits_for_get_response_is_dropped_by_any_other_command() -> None:
    others = [
        command(READ_BINARY, SfiOffset(1)),
        bytes.fromhex("00A4040006") + b"nobody",
        bytes.fromhex("00770000"),
        tries(),
        b"",
        b"\x00",
        bytes.fromhex("00D68100"),
    ]
    for other in others:
        chip = bench()
        assert b"\x61\x11" == chip.transmit(SELECT_HRSS[:-1])
        chip.transmit(other)
        assert b"\x69\x85" == chip.transmit(bytes.fromhex("00C0000011"))


def test_get_response_hands_out_each_byte_once_in_pieces_of_any_size() -> None:
    chip = bench()
    whole = chip.transmit(SELECT_HRSS)[:-2]
    for size in range(1, len(whole) + 1):
        chip.transmit(SELECT_HRSS[:-1])
        got = b""
        while len(got) < len(whole):
            left = len(whole) - len(got)
            ask = bytes.fromhex("00C00000") + bytes((min(size, left),))
            answer = chip.transmit(ask)
            got += answer[:-2]
            rest = len(whole) - len(got)
            assert (0x6100 | rest if rest else 0x9000) == sw(answer)
        assert whole == got
        assert b"\x69\x85" == chip.transmit(bytes.fromhex("00C0000000"))
    chip.transmit(SELECT_HRSS[:-1])
    assert whole + b"\x90\x00" == chip.transmit(bytes.fromhex("00C0000000"))
    assert b"\x69\x85" == chip.transmit(bytes.fromhex("00C0000000"))


def test_get_response_with_too_long_a_le_is_told_the_right_one_and_loses_nothing() -> None:
    chip = bench()
    whole = chip.transmit(SELECT_HRSS)
    chip.transmit(SELECT_HRSS[:-1])
    assert b"\x6c\x11" == chip.transmit(bytes.fromhex("00C0000020"))
    assert whole == chip.transmit(bytes.fromhex("00C0000011"))


def test_what_waits_does_not_survive_a_reset_or_another_selection() -> None:
    chip = bench()
    chip.transmit(SELECT_HRSS[:-1])
    chip.reset()
    assert b"\x69\x85" == chip.transmit(bytes.fromhex("00C0000000"))
    chip.transmit(SELECT_HRSS[:-1])
    other = chip.transmit(SELECT_DEBIT)
    chip.transmit(SELECT_HRSS[:-1])
    chip.transmit(SELECT_DEBIT[:-1])
    assert other == chip.transmit(bytes.fromhex("00C0000000"))


def test_update_binary_cannot_be_chained_into_a_file_by_no_sfi_and_no_current_ef() -> None:
    chip = logged_in()
    send_all(chip, [part(b"some", p1p2=b"\0\0")])
    assert b"\x69\x86" == chip.transmit(part(b"more", more=False, p1p2=b"\0\0"))
    assert b"\x69\x86" == chip.transmit(command(READ_BINARY, Offset(0)))
