# SPDX-License-Identifier: Apache-2.0
"""What chip, application and file may still do at each stage of their lives."""

from __future__ import annotations

from dataclasses import replace

import pytest
from benchplan import BY_LABEL, files_in, noise
from testbench import (
    SELECT_DEBIT,
    SELECT_HRSS,
    SELECT_MF,
    bench,
    blank,
    boot,
    change_pin,
    command,
    create_directory,
    create_file,
    go_to,
    select_df,
    select_name,
    send_all,
    sw,
    tries,
    unsealed_cells,
    verify,
)

from apdu.wire.iso7816 import (
    GET_CHALLENGE,
    GET_RESPONSE,
    READ_BINARY,
    READ_RECORD,
    SELECT,
    UPDATE_BINARY,
    By,
    Offset,
    RecordRef,
    Selection,
    SfiOffset,
)
from apdu.wire.perso import (
    ACTIVATE_FILE,
    CREATE_FILE,
    DEACTIVATE_FILE,
    TERMINATE_DF,
    WRITE_KEY,
)
from card_os.chip import Chip
from card_os.nvm import Flash

SEAL = [SELECT_MF, command(ACTIVATE_FILE)]
NEW_FILE = replace(files_in("MF")[0], number=0x55, has_sfi=False)
NEW_DIRECTORY = replace(BY_LABEL["DF02"], fid=0xDF55, name=b"new")
ADMINISTRATION = {
    "CREATE FILE": create_file(NEW_FILE)[0],
    "CREATE FILE, a DF": create_directory(NEW_DIRECTORY)[0],
    "WRITE KEY": create_directory(NEW_DIRECTORY)[-1],
    "WRITE KEY, a PIN": create_directory(NEW_DIRECTORY)[1],
    "ACTIVATE FILE": command(ACTIVATE_FILE),
    "DEACTIVATE FILE": command(DEACTIVATE_FILE),
    "TERMINATE DF": command(TERMINATE_DF),
}
PLACES = {"MF": SELECT_MF, "HRSS": SELECT_HRSS, "DEBIT": SELECT_DEBIT}
RECORD_1 = command(READ_RECORD, RecordRef(1, 2))


def unsealed() -> Chip:
    return boot(Flash(bytearray(unsealed_cells())))


def sealed_after(*commands: bytes) -> Chip:
    """The bench, sealed once these commands have been done."""
    chip = unsealed()
    send_all(chip, [*commands, *SEAL])
    return chip


# The seal


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", ADMINISTRATION)
def test_personalisation_ends_with_the_seal(name: str, place: str) -> None:
    chip = bench()
    for restart in (False, True):
        if restart:
            chip.reset()
        send_all(chip, [PLACES[place]])
        if place == "HRSS":
            send_all(chip, [verify("123456")])
        before = chip.snapshot()
        assert b"\x69\x85" == chip.transmit(ADMINISTRATION[name])
        assert before == chip.snapshot()


def test_before_the_seal_nothing_is_protected_and_power_may_go() -> None:
    chip = unsealed()
    chip.reset()
    send_all(chip, go_to("SSSE"))
    never = noise("SSSE 8", 16) + b"\x90\x00"
    assert never == chip.transmit(command(READ_BINARY, SfiOffset(8)))
    send_all(chip, [command(UPDATE_BINARY, SfiOffset(8), b"changed")])
    send_all(chip, [SELECT_MF, ADMINISTRATION["CREATE FILE"]])


def test_with_the_seal_conditions_hold_at_once() -> None:
    chip = unsealed()
    send_all(chip, [*go_to("SSSE"), *SEAL])
    for each in ADMINISTRATION.values():
        assert b"\x69\x85" == chip.transmit(each)
    assert b"\x69\x82" == chip.transmit(command(READ_BINARY, SfiOffset(2)))
    send_all(chip, [SELECT_HRSS])
    assert b"\x69\x82" == chip.transmit(command(READ_BINARY, SfiOffset(8)))
    assert b"\x69\x82" == chip.transmit(command(UPDATE_BINARY, SfiOffset(1), b"x"))


def test_what_was_proven_before_the_seal_is_forgotten() -> None:
    chip = unsealed()
    send_all(chip, [*go_to("SSSE"), verify("123456"), *SEAL, SELECT_HRSS])
    assert b"\x63\xc6" == chip.transmit(tries())
    assert b"\x69\x82" == chip.transmit(command(READ_BINARY, SfiOffset(6)))


def test_activating_below_the_mf_seals_nothing() -> None:
    chip = unsealed()
    for label in ("SSSE", "DF01", "DEBIT"):
        send_all(chip, [*go_to(label), command(ACTIVATE_FILE)])
    send_all(chip, [*go_to("SSSE"), select_df(0xEF01), command(ACTIVATE_FILE)])
    send_all(chip, [SELECT_MF, select_df(0x2F01), command(ACTIVATE_FILE)])
    send_all(chip, [SELECT_MF, ADMINISTRATION["CREATE FILE"]])


# A blocked application


@pytest.mark.parametrize("label", ["SSSE", "DEBIT"])
@pytest.mark.parametrize("way", ["by name", "by identifier", "by path"])
def test_selecting_a_blocked_application_warns_and_shows_its_fci(label: str, way: str) -> None:
    chip = sealed_after(*go_to(label), command(DEACTIVATE_FILE))
    directory = BY_LABEL[label]
    fid = directory.fid.to_bytes(2)
    select = {
        "by name": select_name(directory.name),
        "by identifier": select_df(directory.fid),
        "by path": command(SELECT, Selection(By.PATH_FROM_MF), fid),
    }[way]
    fci = b"\x84" + bytes((len(directory.name),)) + directory.name
    assert fci + b"\x62\x83" == chip.transmit(select)
    chip.reset()
    assert b"\x62\x83" == chip.transmit(select[:-1])  # without Le no data, the warning all the same


def test_a_blocked_application_takes_nothing_but_select_and_challenge() -> None:
    chip = sealed_after(*go_to("SSSE"), command(DEACTIVATE_FILE))
    chip.transmit(SELECT_HRSS)
    before = chip.snapshot()
    refused = [
        verify("123456"),
        verify("000000"),
        tries(),
        change_pin("123456", "87654321"),
        RECORD_1,
        command(READ_BINARY, SfiOffset(1)),
        command(READ_BINARY, Offset(0)),
        command(UPDATE_BINARY, SfiOffset(1), b"x"),
        bytes.fromhex("10D6810001AA"),
        *ADMINISTRATION.values(),
    ]
    for each in refused:
        assert b"\x69\x85" == chip.transmit(each)
    assert before == chip.snapshot()
    assert 0x9000 == sw(chip.transmit(command(GET_CHALLENGE, ne=8)))
    assert b"\x69\x85" == chip.transmit(command(GET_RESPONSE))  # nothing waits
    assert 0x9000 == sw(chip.transmit(SELECT_MF))


def test_what_stands_below_a_blocked_application_is_blocked_with_it() -> None:
    chip = sealed_after(*go_to("SSSE"), command(DEACTIVATE_FILE))
    for label in ("DF01", "DF02"):
        answer = chip.transmit(select_name(BY_LABEL[label].name))
        assert 0x6283 == sw(answer)
        assert b"\x69\x85" == chip.transmit(command(READ_BINARY, SfiOffset(1)))
    inner = bytes.fromhex("DDF1DF01DF11")
    assert 0x6283 == sw(chip.transmit(command(SELECT, Selection(By.PATH_FROM_MF), inner)))


def test_a_blocked_directory_leaves_the_application_around_it_alone() -> None:
    chip = sealed_after(*go_to("DF01"), command(DEACTIVATE_FILE))
    send_all(chip, [SELECT_HRSS, verify("123456")])
    assert 0x6283 == sw(chip.transmit(select_df(0xDF01)))
    assert b"\x69\x85" == chip.transmit(command(READ_BINARY, SfiOffset(1)))
    assert b"\x69\x85" == chip.transmit(verify("1111111", 0x81))
    send_all(chip, [select_df(0xDDF1)])
    assert 0x9000 == sw(chip.transmit(command(READ_BINARY, SfiOffset(6))))
    send_all(chip, [select_df(0xDF02)])


def test_the_other_application_does_not_notice_that_one_is_blocked() -> None:
    chip = sealed_after(*go_to("SSSE"), command(DEACTIVATE_FILE))
    send_all(chip, [SELECT_DEBIT])
    assert 0x9000 == sw(chip.transmit(command(READ_RECORD, RecordRef(1, 1))))


def test_a_directory_that_is_activated_again_is_as_before() -> None:
    chip = unsealed()
    send_all(chip, [*go_to("SSSE"), command(DEACTIVATE_FILE)])
    chip.reset()
    assert 0x6283 == sw(chip.transmit(SELECT_HRSS))
    send_all(chip, [command(ACTIVATE_FILE), *SEAL, SELECT_HRSS, verify("123456")])


def test_the_mf_cannot_be_blocked() -> None:
    chip = unsealed()
    before = chip.snapshot()
    send_all(chip, [SELECT_MF])
    assert b"\x69\x85" == chip.transmit(command(DEACTIVATE_FILE))
    assert before == chip.snapshot()


# A deactivated file


def test_a_deactivated_file_can_be_selected_with_a_warning_and_not_used() -> None:
    deactivate = [*go_to("SSSE"), select_df(0xEF01), command(DEACTIVATE_FILE)]
    chip = sealed_after(*deactivate)
    send_all(chip, [SELECT_HRSS, verify("123456")])
    assert b"\x62\x83" == chip.transmit(select_df(0xEF01))
    for each in (
        command(READ_BINARY, Offset(0)),
        command(READ_BINARY, SfiOffset(1)),
        command(UPDATE_BINARY, Offset(0), b"x"),
        command(READ_RECORD, RecordRef(1, 1)),
    ):
        assert b"\x69\x85" == chip.transmit(each)
    assert 0x9000 == sw(chip.transmit(command(READ_BINARY, SfiOffset(6))))


def test_a_deactivated_file_is_so_even_in_personalisation_until_it_is_activated() -> None:
    chip = unsealed()
    send_all(chip, [*go_to("SSSE"), select_df(0xEF06), command(DEACTIVATE_FILE)])
    chip.reset()
    send_all(chip, go_to("SSSE"))
    assert b"\x62\x83" == chip.transmit(select_df(0xEF06))
    assert b"\x69\x85" == chip.transmit(command(READ_BINARY, Offset(0)))
    send_all(chip, [command(ACTIVATE_FILE)])
    content = noise("SSSE 6", 16) + b"\x90\x00"
    assert content == chip.transmit(command(READ_BINARY, Offset(0)))


# The end


def test_a_terminated_directory_is_found_and_refused_whatever_the_way() -> None:
    chip = sealed_after(*go_to("SSSE"), command(TERMINATE_DF))
    ways = [
        SELECT_HRSS,
        select_df(0xDDF1),
        select_name(BY_LABEL["DF01"].name),
        select_name(b"sx1"),
        command(SELECT, Selection(By.CHILD_DF), b"\xdd\xf1"),
        command(SELECT, Selection(By.PATH_FROM_MF), b"\xdd\xf1"),
        command(SELECT, Selection(By.PATH_FROM_MF), b"\xdd\xf1\xef\x01"),
        command(SELECT, Selection(By.PATH_FROM_MF), b"\xdd\xf1\xdf\x01"),
    ]
    for restart in (False, True):
        if restart:
            chip.reset()
        for way in ways:
            send_all(chip, [SELECT_MF, select_df(0x2F01)])
            assert b"\x93\x03" == chip.transmit(way)
            # The refused selection changed nothing.
            content = noise("MF 1", 16) + b"\x90\x00"
            assert content == chip.transmit(command(READ_BINARY, Offset(0)))
    send_all(chip, [SELECT_DEBIT])


def test_a_terminated_directory_comes_back_by_no_command_of_personalisation() -> None:
    chip = unsealed()
    send_all(chip, [*go_to("SSSE"), command(TERMINATE_DF)])
    for name, each in ADMINISTRATION.items():
        if name == "TERMINATE DF":
            continue
        chip.transmit(SELECT_MF)
        assert b"\x93\x03" == chip.transmit(SELECT_HRSS)
        if not name.startswith("ACTIVATE"):
            chip.transmit(each)
        assert b"\x93\x03" == chip.transmit(SELECT_HRSS)


def test_a_terminated_chip_answers_to_reset_and_to_nothing_else() -> None:
    for chip in (unsealed(), blank()):
        atr = chip.reset()
        send_all(chip, [SELECT_MF, command(TERMINATE_DF)])
        before = chip.snapshot()
        for restart in (False, True):
            if restart:
                assert atr == chip.reset()
            for each in (
                SELECT_MF,
                SELECT_HRSS,
                SELECT_DEBIT,
                RECORD_1,
                command(READ_BINARY, SfiOffset(1)),
                command(GET_CHALLENGE, ne=8),
                command(GET_RESPONSE),
                *ADMINISTRATION.values(),
            ):
                assert b"\x6a\x81" == chip.transmit(each)
        assert before == chip.snapshot()


def test_a_key_or_pin_is_written_once_and_never_over() -> None:
    chip = unsealed()
    send_all(chip, go_to("DF02"))
    for each in (ADMINISTRATION["WRITE KEY"], ADMINISTRATION["WRITE KEY, a PIN"]):
        before = chip.snapshot()
        assert WRITE_KEY.ins == each[1]
        assert b"\x6a\x89" == chip.transmit(each)
        assert before == chip.snapshot()


def test_create_file_makes_the_new_file_current() -> None:
    chip = blank()
    send_all(chip, [ADMINISTRATION["CREATE FILE"]])
    assert CREATE_FILE.ins == ADMINISTRATION["CREATE FILE"][1]
    send_all(chip, [command(UPDATE_BINARY, Offset(0), b"at once")])
    assert b"at once" == chip.transmit(command(READ_BINARY, Offset(0), ne=7))[:-2]
