# SPDX-License-Identifier: Apache-2.0
"""SELECT finds what it names, says what it is, and changes nothing when it does not find it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from benchplan import BY_LABEL, DIRECTORIES, FILES, MF_FID, files_in, found_by_id, noise, path_to
from hypothesis import given
from hypothesis import strategies as st
from testbench import (
    SELECT_DEBIT,
    SELECT_HRSS,
    SELECT_MF,
    bench,
    blank,
    command,
    go_to,
    select_df,
    select_name,
    send_all,
    sw,
    tries,
    verify,
)

from apdu.tlv import SimpleTlv
from apdu.wire.access import ALWAYS, NEVER
from apdu.wire.hrss.application import RID, SSSE_NAME
from apdu.wire.hrss.generations import DIRECTORIES as HRSS_DIRECTORIES
from apdu.wire.iso7816 import (
    READ_BINARY,
    READ_RECORD,
    SELECT,
    Answer,
    By,
    Occurrence,
    Offset,
    RecordRef,
    Selection,
    SfiOffset,
)
from apdu.wire.pboc.application import DEBIT_AID
from apdu.wire.perso import CREATE_FILE, FileHeader, FileKind
from card_os.chip import Chip
from host.issuer.profile import DEFAULT, shipped_profile

NOT_FOUND = b"\x6a\x82"


def select(by: By, data: bytes = b"", **more: object) -> bytes:
    return command(SELECT, replace(Selection(by), **more), data)


def by_path(*fids: int, by: By = By.PATH_FROM_MF) -> bytes:
    return select(by, b"".join(fid.to_bytes(2) for fid in fids))


def fci_of(label: str) -> bytes:
    """What the bench's directories answer when they are selected; the MF has none."""
    name = BY_LABEL[label].name
    return b"" if label == "MF" else bytes(SimpleTlv(0x84, name))


def sfis(chip: Chip) -> set[int]:
    """The SFIs that lead to a file in the current directory."""
    reads = ((n, chip.transmit(command(READ_BINARY, SfiOffset(n)))) for n in range(1, 32))
    return {n for n, answer in reads if answer != NOT_FOUND}


def sfis_in(label: str) -> set[int]:
    return {file.sfi for file in files_in(label) if file.has_sfi}


@pytest.mark.parametrize("directory", [d for d in DIRECTORIES if d.name], ids=lambda d: d.label)
def test_a_directory_answers_to_its_name_from_anywhere(directory: object) -> None:
    chip = bench()
    for start in DIRECTORIES:
        send_all(chip, go_to(start.label))
        name = directory.name  # type: ignore[attr-defined]
        label = directory.label  # type: ignore[attr-defined]
        assert fci_of(label) + b"\x90\x00" == chip.transmit(select_name(name))


def personalised_group(number: int) -> bytes:
    return next(group.value for group in shipped_profile(DEFAULT) if group.number == number)


def test_the_fci_of_the_issued_card_is_the_one_of_its_specification(chip: Chip) -> None:
    assert personalised_group(0x9102) + b"\x90\x00" == chip.transmit(SELECT_DEBIT)
    for directory in HRSS_DIRECTORIES:
        assert bytes(directory.fci) + b"\x90\x00" == chip.transmit(select_name(directory.name))
    ssse = bytes.fromhex("6F16840F7378312E73682EC9E7BBE1B1A3D5CFA50388011E9000")
    assert ssse == chip.transmit(select_name(SSSE_NAME))


def test_without_le_the_fci_waits_for_get_response() -> None:
    chip = bench()
    whole = fci_of("SSSE")
    assert bytes((0x61, len(whole))) == chip.transmit(command(SELECT, Selection(), SSSE_NAME, ne=0))
    get = bytes((0, 0xC0, 0, 0, len(whole)))
    assert whole + b"\x90\x00" == chip.transmit(get)
    assert b"\x69\x85" == chip.transmit(get)


def test_no_answer_is_given_where_none_is_wanted() -> None:
    chip = bench()
    assert b"\x90\x00" == chip.transmit(select(By.NAME, SSSE_NAME, answer=Answer.NONE))
    assert b"\x90\x00" == chip.transmit(
        command(SELECT, Selection(answer=Answer.NONE), SSSE_NAME, ne=0)
    )


# By name in part


def occurrences(chip: Chip, prefix: bytes, which: Occurrence, n: int) -> list[bytes]:
    return [chip.transmit(select(By.NAME, prefix, occurrence=which)) for _ in range(n)]


def test_the_beginning_of_a_name_is_enough_and_next_goes_through_all_that_begin_so() -> None:
    chip = bench()
    inside = [fci_of(label) + b"\x90\x00" for label in ("DF01", "DF11", "DF02")]
    assert inside[:1] == occurrences(chip, RID, Occurrence.FIRST, 1)
    assert [*inside[1:], NOT_FOUND] == occurrences(chip, RID, Occurrence.NEXT, 3)
    send_all(chip, [SELECT_MF])
    assert [*inside, NOT_FOUND] == occurrences(chip, RID, Occurrence.NEXT, 4)


def test_previous_goes_back_from_the_last() -> None:
    chip = bench()
    backwards = [fci_of(label) + b"\x90\x00" for label in ("DF02", "DF11", "DF01")]
    assert backwards[:1] == occurrences(chip, RID, Occurrence.LAST, 1)
    assert [*backwards[1:], NOT_FOUND] == occurrences(chip, RID, Occurrence.PREVIOUS, 3)
    send_all(chip, [SELECT_MF])
    assert [*backwards, NOT_FOUND] == occurrences(chip, RID, Occurrence.PREVIOUS, 4)


def test_a_whole_name_comes_before_longer_ones_that_begin_like_it() -> None:
    chip = bench()
    whole, longer = fci_of("DEBIT") + b"\x90\x00", fci_of("DEBIT DF") + b"\x90\x00"
    assert [whole] == occurrences(chip, DEBIT_AID, Occurrence.FIRST, 1)
    assert [longer, NOT_FOUND] == occurrences(chip, DEBIT_AID, Occurrence.NEXT, 2)
    assert [longer] == occurrences(chip, DEBIT_AID, Occurrence.LAST, 1)


def test_a_part_that_is_not_at_the_beginning_is_no_name() -> None:
    chip = bench()
    for wrong in (SSSE_NAME[1:], SSSE_NAME + b"\0", SSSE_NAME.upper(), RID + b"\x00\x12", b"\0"):
        for which in Occurrence:
            answer = chip.transmit(select(By.NAME, wrong, occurrence=which))
            assert NOT_FOUND == answer


@given(st.binary(min_size=1, max_size=16), st.sampled_from(Occurrence))
def test_a_name_is_found_exactly_when_some_directory_begins_with_it(
    name: bytes, which: Occurrence
) -> None:
    there = [d.name for d in DIRECTORIES if d.name.startswith(name)]
    answer = bench().transmit(select(By.NAME, name, occurrence=which))
    assert bool(there) == (answer != NOT_FOUND)


# By identifier

FIDS = sorted({d.fid for d in DIRECTORIES} | {f.fid for f in FILES} | {0x3FFF, 0xDF99, 0x0000})


@pytest.mark.parametrize("label", BY_LABEL)
def test_an_identifier_leads_to_child_self_parent_or_sibling(label: str) -> None:
    chip = bench()
    for fid in FIDS:
        send_all(chip, go_to(label))
        answer = chip.transmit(select_df(fid))
        found = found_by_id(label, fid)
        if found is None:
            assert NOT_FOUND == answer
        elif found[1] is not None:
            assert b"\x90\x00" == answer
        else:
            assert fci_of(found[0]) + b"\x90\x00" == answer


@pytest.mark.parametrize("label", BY_LABEL)
def test_child_and_ef_are_looked_for_in_the_current_directory_only(label: str) -> None:
    chip = bench()
    children = {d.fid: d.label for d in DIRECTORIES if d.parent == label}
    inside = {file.fid for file in files_in(label)}
    for fid in FIDS:
        send_all(chip, go_to(label))
        child = chip.transmit(select(By.CHILD_DF, fid.to_bytes(2)))
        expected = fci_of(children[fid]) + b"\x90\x00" if fid in children else NOT_FOUND
        assert expected == child
        send_all(chip, go_to(label))
        ef = chip.transmit(select(By.EF_OF_DF, fid.to_bytes(2)))
        assert (b"\x90\x00" if fid in inside else NOT_FOUND) == ef


@pytest.mark.parametrize("directory", DIRECTORIES, ids=lambda d: d.label)
def test_parent_leads_one_step_up(directory: object) -> None:
    chip = bench()
    label, parent = directory.label, directory.parent  # type: ignore[attr-defined]
    send_all(chip, go_to(label))
    expected = NOT_FOUND if parent is None else fci_of(parent) + b"\x90\x00"
    assert expected == chip.transmit(select(By.PARENT))


def test_select_without_data_by_identifier_is_the_mf() -> None:
    chip = bench()
    send_all(chip, [*go_to("DF11"), command(SELECT, Selection(By.FILE_ID))])
    assert sfis_in("MF") == sfis(chip)
    assert NOT_FOUND == chip.transmit(select(By.PARENT))


@pytest.mark.parametrize("file", FILES, ids=lambda f: f"{f.where} {f.number}")
def test_a_path_leads_to_every_file(file: object) -> None:
    chip = bench()
    where, fid = file.where, file.fid  # type: ignore[attr-defined]
    way = [directory.fid for directory in path_to(where)]
    for start in ("MF", "DF11", "DEBIT DF"):
        send_all(chip, [*go_to(start), by_path(*way, fid)])
        assert sfis_in(where) == sfis(chip)
    if way:
        send_all(chip, [SELECT_MF, by_path(*way)])
        for down in range(len(way)):
            send_all(chip, [SELECT_MF, *([by_path(*way[:down])] if down else [])])
            send_all(chip, [by_path(*way[down:], fid, by=By.PATH_FROM_DF)])


@pytest.mark.parametrize(
    "path",
    [
        (MF_FID, 0xDDF1),
        (0xDDF1, 0xDF01, 0xDF01),
        (0xDF01,),
        (0xDDF1, 0xEF01, 0xEF01),
        (0xEF01,),
        (0xDDF1, MF_FID),
    ],
)
def test_a_path_that_does_not_exist_is_not_found(path: tuple[int, ...]) -> None:
    chip = bench()
    send_all(chip, go_to("DF11"))
    assert NOT_FOUND == chip.transmit(by_path(*path))
    assert sfis_in("DF11") == sfis(chip)


# Lengths


@pytest.mark.parametrize("n", [1, 3, 4, 15])
@pytest.mark.parametrize("by", [By.FILE_ID, By.CHILD_DF, By.EF_OF_DF])
def test_an_identifier_has_two_bytes(by: By, n: int) -> None:
    assert b"\x67\x00" == bench().transmit(select(by, noise("fid", n)))


@pytest.mark.parametrize(
    "by", [By.CHILD_DF, By.EF_OF_DF, By.NAME, By.PATH_FROM_MF, By.PATH_FROM_DF]
)
def test_what_must_name_something_is_not_empty(by: By) -> None:
    assert b"\x67\x00" == bench().transmit(select(by))


@pytest.mark.parametrize("n", [1, 3, 15])
@pytest.mark.parametrize("by", [By.PATH_FROM_MF, By.PATH_FROM_DF])
def test_a_path_has_an_even_number_of_bytes(by: By, n: int) -> None:
    assert b"\x67\x00" == bench().transmit(select(by, noise("path", n)))


def test_parent_takes_no_data_and_a_name_16_bytes_at_most() -> None:
    chip = bench()
    assert b"\x67\x00" == chip.transmit(select(By.PARENT, b"\x3f\x00"))
    assert b"\x67\x00" == chip.transmit(bytes.fromhex("00A4040011") + bytes(17))
    assert NOT_FOUND == chip.transmit(bytes.fromhex("00A4040010") + bytes(16))


# What stays and what goes

REFUSED = (
    select_name(b"nobody"),
    select_df(0xDF99),
    select(By.CHILD_DF, b"\xdf\x99"),
    select(By.EF_OF_DF, b"\xef\x99"),
    by_path(0xDDF1, 0xDF99),
    select(By.NAME, b"", occurrence=Occurrence.NEXT),
    select(By.FILE_ID, b"\xdf"),
    bytes.fromhex("00A4FF00023F00"),
    bytes.fromhex("00A40010023F00"),
    bytes.fromhex("01A4040008A000000333010101"),
)


@pytest.mark.parametrize("refused", REFUSED, ids=lambda raw: raw.hex())
def test_a_failed_select_changes_nothing(refused: bytes) -> None:
    chip = bench()
    send_all(chip, [SELECT_HRSS, verify("123456"), select_df(0xDF01), verify("1111111", 0x81)])
    send_all(chip, [select_df(0xEF01)])
    before = chip.snapshot()
    assert sw(chip.transmit(refused)) in (0x6A82, 0x6700, 0x6A86, 0x6881)
    assert before == chip.snapshot()
    current = noise("DF01 1", 16) + b"\x90\x00"
    assert current == chip.transmit(command(READ_BINARY, Offset(0)))
    assert b"\x90\x00" == chip.transmit(tries())
    assert b"\x90\x00" == chip.transmit(tries(0x81))


def test_a_directory_entered_again_has_no_current_file() -> None:
    chip = bench()
    for again in (select_df(0xDF01), by_path(0xDDF1, 0xDF01), select_name(RID + b"\x00")):
        send_all(chip, [*go_to("DF01"), select_df(0xEF01), again])
        assert b"\x69\x86" == chip.transmit(command(READ_BINARY, Offset(0)))


def test_another_ef_becomes_current_in_place_of_the_one_before() -> None:
    chip = bench()
    send_all(chip, [SELECT_MF, select_df(0x2F02), select_df(0x2F01)])
    expected = noise("MF 1", 16) + b"\x90\x00"
    assert expected == chip.transmit(command(READ_BINARY, Offset(0)))


def test_moving_inside_an_application_keeps_what_belongs_to_it_and_not_what_is_local() -> None:
    chip = bench()
    proven, unproven = b"\x90\x00", 0x63C0
    for move in (select_df(0xDF02), select(By.PARENT), by_path(0xDDF1, 0xDF01, 0xDF11)):
        send_all(chip, [SELECT_HRSS, verify("123456")])
        send_all(chip, [select_df(0xDF01), verify("1111111", 0x81), move])
        assert proven == chip.transmit(tries())
        send_all(chip, [by_path(0xDDF1, 0xDF01)])
        assert unproven | 15 == sw(chip.transmit(tries(0x81)))


def test_a_directory_selected_by_name_begins_anew_even_inside_its_application() -> None:
    chip = bench()
    for name in (SSSE_NAME, RID + b"\x00", RID):
        send_all(chip, [SELECT_HRSS, verify("123456"), select_name(name)])
        assert 0x63C6 == sw(chip.transmit(tries()))


@pytest.mark.parametrize("label", ["DF01", "DF03"])
def test_a_directory_belongs_to_the_application_above_it_with_a_name_or_without(
    label: str,
) -> None:
    chip = bench()
    send_all(chip, [SELECT_HRSS, verify("123456"), select_df(BY_LABEL[label].fid)])
    assert b"\x90\x00" == chip.transmit(tries())
    content = noise(f"{label} 1", 16) + b"\x90\x00"
    assert content == chip.transmit(command(READ_BINARY, SfiOffset(1)))


def test_files_of_another_directory_are_out_of_reach_by_sfi() -> None:
    """SFI 3 is in SSSE and DF01, SFI 6 in SSSE and DEBIT: each reaches its own only."""
    chip = bench()
    send_all(chip, [SELECT_HRSS, verify("123456"), select_df(0xDF02)])
    for sfi in (3, 4, 5, 6, 13):
        assert NOT_FOUND == chip.transmit(command(READ_BINARY, SfiOffset(sfi)))
        assert NOT_FOUND == chip.transmit(command(READ_RECORD, RecordRef(1, sfi)))


def test_of_two_directories_with_one_name_there_can_be_only_one() -> None:
    chip = blank()
    header = FileHeader(FileKind.DF, 0xDF01, NEVER, NEVER, name=b"name")
    send_all(chip, [command(CREATE_FILE, None, header), SELECT_MF])
    again = replace(header, fid=0xDF02)
    assert b"\x6a\x8a" == chip.transmit(command(CREATE_FILE, None, again))
    file = FileHeader(FileKind.TRANSPARENT, 0x2F01, ALWAYS, ALWAYS, size=1)
    send_all(chip, [command(CREATE_FILE, None, file)])
