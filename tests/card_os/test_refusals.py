# SPDX-License-Identifier: Apache-2.0
"""Why the chip refuses: the gate, the sentence, the facts; for one command, and no longer."""

from __future__ import annotations

import pytest
from askbench import judge
from hypothesis import given
from hypothesis import strategies as st
from strategies import FORMS, params
from testbench import (
    SELECT_HRSS,
    SELECT_MF,
    bench,
    boot,
    change_pin,
    command,
    sealed_cells,
    select_df,
    select_name,
    send_all,
    sw,
    tries,
    unsealed_cells,
    verify,
)

from apdu.wire.access import NEVER, AllOf, AnyOf, Key
from apdu.wire.hrss.commands import EXTERNAL_AUTHENTICATE, ExternalData, KeyNumber
from apdu.wire.hrss.keys import PUK, STK
from apdu.wire.iso7816 import GET_CHALLENGE
from apdu.wire.perso import CREATE_FILE, FileHeader, FileKind
from card_os.chip import Chip
from card_os.nvm import Flash, FlashFault
from card_os.refusal import Gate, Refusal
from host.cli.testcard import issue_test_card

HEX = bytes.fromhex


def refused(chip: Chip, raw: bytes) -> Refusal:
    answer = chip.transmit(raw)
    found = chip.refusal
    judge(answer, found)
    assert found is not None
    return found


@pytest.fixture
def card() -> Chip:
    """An issued card, its HRSS application selected."""
    chip = issue_test_card(seed=7)
    send_all(chip, [SELECT_HRSS])
    return chip


# The gates

STOPPED = {
    "00B2": (Gate.LENGTHS, "C-APDU: 2 bytes, a header has 4"),
    "00FF0000": (Gate.INSTRUCTION, "SSSE knows no instruction FF"),
    "80B2012C00": (Gate.CLASS, "CLA 80: READ RECORD has CLA 00"),
    "01B2012C00": (Gate.CLASS, "CLA 01: there is no channel but 0"),
    "04B2012C00": (Gate.CLASS, "CLA 04: READ RECORD never comes under secure messaging"),
    "10B2012C00": (Gate.CLASS, "CLA 10: READ RECORD cannot be chained"),
    "80E0000001FF": (
        Gate.LIFE,
        "CREATE FILE is for personalised, and this is in use",
    ),
    "80240001": (Gate.MESSAGING, "PIN CHANGE/UNBLOCK must have a MAC, and came without"),
    "84240001080000000000000000": (
        Gate.MESSAGING,
        "there is no challenge: none was asked for since SELECT, or it is used up",
    ),
    "00B2012C": (
        Gate.CASE,
        "READ RECORD comes as case 2; this is case 1 with 0",
    ),
    "008200060401020304": (
        Gate.CASE,
        "EXTERNAL AUTHENTICATE comes as case 3 with 16 to 17 data bytes; this is case 3 with 4",
    ),
    "002000FF03123456": (Gate.COMMAND, "SSSE has no PIN FF"),
    "00B2014400": (
        Gate.ACCESS,
        "READ RECORD of EF08 needs key RKSSSE (KID 0A); proven: nothing",
    ),
    "00B0990000": (Gate.ACCESS, "SSSE has no file with SFI 19"),
    "00B2632C00": (Gate.COMMAND, "EF05 has 7 records, and no number 99"),
    "00B2012C05": (Gate.COMMAND, "Le asks for 5 bytes, and the answer has 18"),
    "00A4000002EEEE": (Gate.COMMAND, "seen from SSSE there is no file EEEE"),
    "00C0000000": (
        Gate.COMMAND,
        "no answer is waiting: it was fetched, or another command came in between",
    ),
}


@pytest.mark.parametrize("raw", STOPPED)
def test_a_refusal_names_its_gate_and_says_a_sentence(card: Chip, raw: str) -> None:
    found = refused(card, HEX(raw))
    assert STOPPED[raw] == (found.gate, found.reason)


def test_the_shape_of_p1_p2_and_of_data_is_told_as_parsers_tell_it(card: Chip) -> None:
    assert Gate.PARAMETERS is refused(card, HEX("0084000108")).gate
    found = refused(card, change_pin("123456", "654321")[:5] + bytes(7))
    assert Gate.DATA is found.gate


def test_what_a_handler_finds_out_of_shape_is_told_by_the_command() -> None:
    """The condition can be read, and only creating the file finds that it cannot be judged."""
    chip = boot(Flash(bytearray(unsealed_cells())))
    each = AnyOf(tuple(Key(kid) for kid in range(8)))
    others = AnyOf(tuple(Key(kid) for kid in range(8, 16)))
    more = AnyOf(tuple(Key(kid) for kid in range(16, 24)))
    header = FileHeader(FileKind.TRANSPARENT, 0x2F77, AllOf((each, others, more)), NEVER, size=1)
    found = refused(chip, command(CREATE_FILE, None, header))
    assert (0x6A80, Gate.COMMAND) == (found.sw, found.gate)
    assert "access condition: more than 256 ways to meet it" == found.reason


def test_every_gate_has_a_word() -> None:
    words = [str(gate) for gate in Gate]
    assert len(Gate) == len(set(words))
    assert all(words)


def test_a_clause_is_that_of_the_command_and_is_said_behind_the_reason(card: Chip) -> None:
    found = refused(card, HEX("00B2014400"))
    assert f"{found.reason} (ISO 7816-4 11.3.3)" == str(found)
    assert "" == refused(card, HEX("00FF0000")).spec
    assert "" == refused(card, HEX("80B2012C00")).spec


# For one command


def test_a_reason_lasts_until_the_next_command_or_reset(card: Chip) -> None:
    for forget in (
        lambda: card.transmit(HEX("00B2012C00")),
        lambda: card.transmit(SELECT_HRSS),
        card.reset,
    ):
        refused(card, HEX("00FF0000"))
        forget()
        assert card.refusal is None


def test_a_part_of_a_chain_and_an_answer_in_parts_are_no_refusals() -> None:
    chip = bench()
    send_all(chip, [SELECT_HRSS])
    refused(chip, HEX("00FF0000"))
    assert 0x61 == chip.transmit(HEX("00A4040006") + b"sx1.sh")[-2]
    assert chip.refusal is None


def test_a_new_chip_has_no_reason(card: Chip) -> None:
    assert Chip.boot(Flash(bytearray(sealed_cells())), bench()._world).refusal is None
    assert (None, None) == (card.refusal, card.remark)


def test_a_reason_may_be_asked_for_twice_and_keeps_its_facts(card: Chip) -> None:
    """What is proven or left afterwards does not change what was."""
    first = refused(card, verify("000000"))
    again = card.refusal
    assert again == first
    card.transmit(verify("000000"))
    assert (5, 4) == (first.about["left"], refused_facts(card)["left"])


def refused_facts(card: Chip) -> dict[str, object]:
    assert card.refusal is not None
    return dict(card.refusal.about)


# PIN and keys


def test_a_wrong_pin_says_which_and_how_many_tries_are_left(card: Chip) -> None:
    for left in reversed(range(6)):
        found = refused(card, verify("000000"))
        assert {"pin": 0, "left": left, "limit": 6} == found.about
        assert f"what was shown is not PIN 00; {left} of 6 tries left" == found.reason
    assert "PIN 00 has 0 of 6 tries left" == refused(card, verify("123456")).reason
    asked = refused(card, tries())
    assert (0x6983, "PIN 00 is not proven; 0 of 6 tries left") == (asked.sw, asked.reason)


def test_asking_for_the_tries_says_that_the_pin_is_not_proven(card: Chip) -> None:
    assert "PIN 00 is not proven; 6 of 6 tries left" == refused(card, tries()).reason


def test_a_pin_that_goes_back_to_the_initial_one_is_told(card: Chip) -> None:
    found = refused(card, change_pin("123456", "123456"))
    assert (0x6985, {"pin": 0}) == (found.sw, found.about)
    assert "initial" in found.reason


def test_a_key_is_named_by_its_table_with_version_and_tries(card: Chip) -> None:
    def show(kid: int) -> Refusal:
        card.transmit(command(GET_CHALLENGE, ne=8))
        shown = ExternalData(bytes(8), bytes(8))
        return refused(card, command(EXTERNAL_AUTHENTICATE, KeyNumber(kid), shown))

    found = show(PUK)
    assert {"key", "usage", "version", "left", "limit"} == set(found.about)
    assert found.reason.startswith("what was shown does not prove key PUK (KID 06), version 1; ")
    assert "no key with KID 02 may do external authenticate" == show(STK).reason
    assert "there is no key 3F" == show(0x3F).reason


def test_a_used_challenge_is_told(card: Chip) -> None:
    shown = ExternalData(bytes(8), bytes(8))
    raw = command(EXTERNAL_AUTHENTICATE, KeyNumber(PUK), shown)
    assert 0 == refused(card, raw).about["length"]
    card.transmit(command(GET_CHALLENGE, ne=4))
    assert "the challenge that was asked for has 4 bytes, 8 are needed" == refused(card, raw).reason


# Access conditions


def test_a_condition_is_told_with_its_ways_and_with_what_was_proven(card: Chip) -> None:
    raw = HEX("00B2013400")
    card.transmit(select_df(0xDF01))
    found = refused(card, raw)
    assert "READ RECORD of EF06 needs PIN 00 or key RK1DF01 (KID 88); proven: nothing" == (
        found.reason
    )
    assert ((("PIN 00",), ("KEY 88",)), (), 0xEF06) == (
        found.about["needs"],
        found.about["proven"],
        found.about["file"],
    )
    card.transmit(verify("123456"))
    assert 0x9000 == sw(card.transmit(raw))
    update = refused(card, HEX("00DC012C02AABB"))
    assert ("PIN 00",) == update.about["proven"]
    assert update.reason.endswith("; proven: PIN 00")


def test_a_key_of_a_directory_has_the_name_that_it_has_there(card: Chip) -> None:
    """KID 83 is another key in every DF."""
    names = set()
    for fid in (0xDF01, 0xDF02, 0xDF03, 0xDF04):
        card.transmit(select_df(fid))
        card.transmit(command(GET_CHALLENGE, ne=8))
        shown = ExternalData(bytes(8), bytes(8))
        found = refused(card, command(EXTERNAL_AUTHENTICATE, KeyNumber(0x86), shown))
        names.add(found.reason.partition(",")[0])
    assert 4 == len(names)


# Memory


def test_a_cell_that_cannot_be_written_is_told_and_forgotten() -> None:
    flash = Flash(bytearray(sealed_cells()))
    chip = boot(flash)
    send_all(chip, [SELECT_HRSS])

    def break_down(at: int, data: bytes) -> None:
        raise FlashFault

    flash.before_write = break_down
    found = refused(chip, verify("000000"))
    assert (0x6581, Gate.MEMORY) == (found.sw, found.gate)
    assert "cell" in found.reason
    flash.before_write = None
    assert 0x9000 == sw(chip.transmit(SELECT_MF))
    assert chip.refusal is None


def test_a_memory_that_stays_broken_says_so_again() -> None:
    flash = Flash(bytearray(sealed_cells()))
    chip = boot(flash)
    send_all(chip, [SELECT_HRSS])
    writes = iter(range(100))

    def break_down(at: int, data: bytes) -> None:
        if next(writes) > 2:  # behind the try, the journal and its commit byte
            raise FlashFault

    flash.before_write = break_down
    chip.transmit(change_pin("123456", "654321"))
    for raw in (SELECT_MF, SELECT_MF):
        found = refused(chip, raw)
        assert (Gate.MEMORY, True) == (found.gate, "whole state" in found.reason)
    chip.reset()
    assert chip.refusal is None
    flash.before_write = None
    assert 0x9000 == sw(chip.transmit(SELECT_MF))
    assert chip.refusal is None


# Any command at all


@given(st.data())
def test_any_bytes_are_refused_with_a_reason_that_has_their_status_word(
    data: st.DataObject,
) -> None:
    chip = bench()
    chip.transmit(data.draw(st.sampled_from([SELECT_HRSS, SELECT_MF, select_name(b"nobody")])))
    for _ in range(data.draw(st.integers(1, 6))):
        form = data.draw(st.sampled_from(FORMS))
        p1p2 = form.params.number(data.draw(params(form)))
        cla = data.draw(st.sampled_from([form.cla] * 6 + [form.cla | 4, form.cla | 16, 0xFF]))
        body = data.draw(st.binary(max_size=20))
        raw = bytes((cla, form.ins)) + p1p2.to_bytes(2) + (bytes((len(body),)) + body) * bool(body)
        raw += data.draw(st.sampled_from([b"", b"\0", b"\x05"]))
        judge(chip.transmit(raw), chip.refusal)


@given(st.lists(st.binary(max_size=24), max_size=8))
def test_nobody_hears_whether_the_chip_was_asked(raws: list[bytes]) -> None:
    asked, silent = bench(), bench()
    for raw in [SELECT_HRSS, verify("000000"), *raws, HEX("00B2014400"), tries()]:
        answer = asked.transmit(raw)
        judge(answer, asked.refusal)
        assert answer == silent.transmit(raw)
    assert asked.snapshot() == silent.snapshot()
