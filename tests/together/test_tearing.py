# SPDX-License-Identifier: Apache-2.0
"""Power cut at every write of every command that changes the card: old or new, never between.

防拔. Each command is torn at each of its writes, the write done in part in many ways; then the
recovery is torn at each of *its* writes. What is found afterwards, memory for memory, is one of
the few states that the command may leave; trying again leads where the command alone would have.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from benchplan import BY_LABEL, BenchDirectory, BenchFile, noise
from keybench import LIMIT
from keytears import KeyScenario, key_scenarios, key_tries
from medicaltears import debit_scenario, load_scenario
from powercuts import FOR_EVER, FaultyFlash, TornFlash
from tearing import (
    Scenario,
    digest,
    done_or_not_and_tried_again,
    outcomes,
    torn_cells,
    torn_recoveries,
)
from testbench import (
    SELECT_HRSS,
    SELECT_MF,
    change_pin,
    command,
    create_directory,
    create_file,
    go_to,
    select_df,
    sw,
    tries,
    verify,
)

from apdu.wire.access import NEVER
from apdu.wire.iso7816 import (
    APPEND_RECORD,
    UPDATE_BINARY,
    UPDATE_RECORD,
    AppendTarget,
    PreviousTarget,
    RecordTarget,
    SfiOffset,
    UpdateMode,
)
from apdu.wire.perso import (
    ACTIVATE_FILE,
    DEACTIVATE_FILE,
    TERMINATE_DF,
    FileKind,
)
from card_os.nvm import Flash, Nvm

PIN, WRONG, NEW = "123456", "000000", "87654321"
LOCAL_PIN = "1111111"


LOGIN = (SELECT_HRSS, verify(PIN))


def update(sfi: int, data: bytes, mode: UpdateMode = UpdateMode.NUMBER, p1: int = 1) -> bytes:
    return command(UPDATE_RECORD, RecordTarget(p1, sfi, mode), data)


def append(sfi: int, data: bytes) -> bytes:
    return command(APPEND_RECORD, AppendTarget(sfi), data)


def update_bytes(data: bytes) -> bytes:
    return command(UPDATE_BINARY, SfiOffset(1, 3), data)


def chained(data: bytes) -> list[bytes]:
    head = bytes.fromhex("D68103")
    parts = [data[at : at + 200] for at in range(0, len(data), 200)]
    return [
        bytes((0x00 if part is parts[-1] else 0x10,)) + head + bytes((len(part),)) + part
        for part in parts
    ]


NEW_FILE = BenchFile("SSSE", 20, FileKind.CYCLIC, NEVER, NEVER, (), 24, 3)
NEW_DIRECTORY = BenchDirectory("new", 0xDF09, b"new one", "SSSE", BY_LABEL["DF02"].pins, (0x84,))
CREATE_DF, WRITE_PIN, WRITE_KEY = create_directory(NEW_DIRECTORY)
IN_DF01 = (SELECT_HRSS, select_df(0xDF01))


def pin_scenarios() -> Iterator[Scenario]:
    for wrong in (0, 1, 4, 5):
        left = 6 - wrong
        before = (SELECT_HRSS, *[verify(WRONG)] * wrong)
        for name, raw, right in (
            ("VERIFY, right", verify(PIN), True),
            ("VERIFY, wrong", verify(WRONG), False),
            ("CHANGE PIN, right", change_pin(PIN, NEW), True),
            ("CHANGE PIN, wrong", change_pin(WRONG, NEW), False),
        ):
            answer = 0x9000 if right else 0x63C0 | left - 1
            name = f"{name}, {left} tries left"
            yield Scenario(name, (SELECT_HRSS,), (raw,), answer, before, pays=verify(WRONG))
    # What the journal still holds of an earlier change must not come back: it knew of more tries.
    before = (SELECT_HRSS, change_pin(PIN, NEW), *[verify(WRONG)] * 3)
    name = "CHANGE PIN, right, after a change and wrong tries"
    yield Scenario(
        name, (SELECT_HRSS,), (change_pin(NEW, "9876543"),), 0x9000, before, pays=verify(WRONG)
    )
    for wrong in (0, 6, 7, 8):  # fifteen tries stand in two bytes
        left = 15 - wrong
        before = (*IN_DF01, *[verify(WRONG, 0x81)] * wrong)
        for right, value in ((True, LOCAL_PIN), (False, WRONG)):
            answer = 0x9000 if right else 0x63C0 | left - 1
            name = f"VERIFY, {'right' if right else 'wrong'}, {left} tries of 15 left"
            yield Scenario(
                name, IN_DF01, (verify(value, 0x81),), answer, before, pays=verify(WRONG, 0x81)
            )


def personalisation_scenarios() -> Iterator[Scenario]:
    in_a_file = [*go_to("SSSE"), select_df(0xEF01)]
    deactivated = [*in_a_file, command(DEACTIVATE_FILE)]
    for name, setup, raw, before in (
        ("CREATE FILE, a DF", go_to("SSSE"), CREATE_DF, ()),
        ("CREATE FILE, an EF", go_to("SSSE"), create_file(NEW_FILE)[0], ()),
        ("WRITE KEY", go_to("DEBIT"), WRITE_KEY, ()),
        ("WRITE KEY, a PIN", go_to("DF11"), WRITE_PIN, ()),
        ("APPEND RECORD in personalisation", go_to("DEBIT"), append(1, b"appended"), ()),
        ("DEACTIVATE FILE, an EF", in_a_file, command(DEACTIVATE_FILE), ()),
        ("DEACTIVATE FILE, a DF", go_to("SSSE"), command(DEACTIVATE_FILE), ()),
        ("ACTIVATE FILE", in_a_file, command(ACTIVATE_FILE), deactivated),
        ("TERMINATE DF", go_to("SSSE"), command(TERMINATE_DF), ()),
        ("TERMINATE DF, the chip", [SELECT_MF], command(TERMINATE_DF), ()),
        ("ACTIVATE FILE, the seal", [SELECT_MF], command(ACTIVATE_FILE), ()),
    ):
        yield Scenario(name, tuple(setup), (raw,), before=tuple(before), sealed=False)


def file_scenarios() -> Iterator[Scenario]:
    previous = command(UPDATE_RECORD, PreviousTarget(5), b"in front")
    full = (*LOGIN, append(5, b"the 3rd."))
    for name, raw, before in (
        ("UPDATE RECORD, fixed", update(2, b"in place"), ()),
        ("UPDATE RECORD, variable", update(3, b"shorter"), ()),
        ("UPDATE RECORD, TLV", update(4, b"\x08\x09ninebytes"), ()),
        ("UPDATE RECORD, TLV by tag", update(4, b"\x4e\x04four", UpdateMode.TAG, 0x4E), ()),
        ("UPDATE RECORD, cyclic", update(5, b"in place"), ()),
        ("UPDATE RECORD, cyclic previous", previous, ()),
        ("UPDATE RECORD, previous in a full ring", previous, full),
        ("APPEND RECORD, fixed", append(2, b"appended"), ()),
        ("APPEND RECORD, variable", append(3, b"appended"), ()),
        ("APPEND RECORD, TLV", append(4, b"\x09\x03abc"), ()),
        ("APPEND RECORD, cyclic", append(5, b"appended"), ()),
        ("APPEND RECORD, to a full ring", append(5, b"appended"), full),
        ("UPDATE BINARY", update_bytes(b"some new bytes"), ()),
        ("UPDATE BINARY, one byte", update_bytes(b"\x00"), ()),
        ("UPDATE BINARY, extended", update_bytes(noise("new", 600)), ()),
    ):
        yield Scenario(name, LOGIN, (raw,), before=before)
    yield Scenario("UPDATE BINARY, chained", LOGIN, tuple(chained(noise("new", 600))))


SCENARIOS = [
    pytest.param(scenario, id=scenario.name)
    for scenario in (
        *pin_scenarios(),
        *file_scenarios(),
        *personalisation_scenarios(),
        *key_scenarios(),
        debit_scenario("1.0", 1),
        debit_scenario("3.0", 0),
        load_scenario(1),
    )
]
"""Every command that changes memory, in the states that make a difference to it."""
every_scenario = pytest.mark.parametrize("scenario", SCENARIOS)


@every_scenario
def test_a_command_torn_anywhere_is_done_or_not_and_can_be_tried_again(
    scenario: Scenario,
) -> None:
    done_or_not_and_tried_again(scenario)


@every_scenario
def test_a_recovery_torn_anywhere_leads_to_the_same_end(scenario: Scenario) -> None:
    for torn in torn_cells(scenario):
        expected = digest(torn)
        for once in torn_recoveries(torn):
            assert expected == digest(once)
            if scenario.pays is not None:
                for twice in torn_recoveries(once):
                    assert expected == digest(twice)


@every_scenario
def test_power_that_comes_back_writes_no_more_than_the_recovery(scenario: Scenario) -> None:
    for torn in torn_cells(scenario):
        recovery, start = TornFlash(torn), TornFlash(torn)
        Nvm(recovery).recover()
        chip = scenario.boot(start)
        assert (recovery.writes, bytes(recovery.cells)) == (start.writes, bytes(start.cells))
        writes = start.writes
        chip.reset()
        assert writes == start.writes
        assert digest(torn) == chip.snapshot()


@pytest.mark.parametrize("scenario", [each for each in SCENARIOS if "VERIFY" in str(each.id)])
def test_no_power_cut_in_verify_gives_a_try_back_to_a_wrong_pin(scenario: Scenario) -> None:
    """Q01 and Q03: before, one less, or, for the right PIN alone, all."""
    assert scenario.pays is not None
    reference = scenario.pays[3]

    def left(memory: bytes) -> int:
        answer = sw(scenario.prepare(Flash(bytearray(memory))).transmit(tries(reference)))
        return 0 if answer == 0x6983 else answer - 0x63C0

    before = left(scenario.cells())
    limit = 15 if reference else 6
    allowed = {before, before - 1} | ({limit} if scenario.answer == 0x9000 else set())
    found = {left(torn) for torn in torn_cells(scenario)}
    assert allowed == found


AUTHENTICATIONS = [each for each in SCENARIOS if "EXTERNAL AUTHENTICATE" in str(each.id)]


@pytest.mark.parametrize("scenario", AUTHENTICATIONS)
def test_no_power_cut_in_an_authentication_gives_a_try_back_to_a_wrong_cryptogram(
    scenario: KeyScenario,
) -> None:
    """Before, one less, or, for the right cryptogram alone, all."""
    before = key_tries(scenario, scenario.cells())
    allowed = {before, before - 1} | ({LIMIT} if scenario.answer == 0x9000 else set())
    assert allowed == {key_tries(scenario, torn) for torn in torn_cells(scenario)}


@every_scenario
def test_what_has_been_answered_cannot_be_lost(scenario: Scenario) -> None:
    flash = TornFlash(scenario.cells())
    scenario.run(scenario.prepare(flash))
    assert flash.all_synced


@every_scenario
@pytest.mark.parametrize("for_ever", [False, True], ids=["once", "for ever"])
def test_a_write_that_fails_is_answered_6581_and_nothing_is_granted(
    scenario: Scenario, for_ever: bool
) -> None:
    cells = scenario.cells()
    allowed = outcomes(scenario, cells)
    first = 0
    while True:
        flash = FaultyFlash(cells)
        chip = scenario.prepare(flash)
        flash.arm(range(first, FOR_EVER if for_ever else first + 1))
        answer = scenario.run(chip)
        if first not in flash.failed:
            assert scenario.answer == answer
            return
        assert 0x6581 == answer
        # Whatever was proven before is gone, and what was asked for has not been proven.
        if scenario.sealed:
            assert 0x9000 != sw(chip.transmit(scenario.guarded[-1]))
            chip.transmit(SELECT_HRSS)
            for each in scenario.guarded:
                assert 0x9000 != sw(chip.transmit(each))
        flash.arm(range(0))
        chip.reset()
        assert chip.snapshot() in allowed
        first += 1
