# SPDX-License-Identifier: Apache-2.0
"""Issuer scripts on the bank's application: when they are taken, what protects them, what is noted
of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from books import book
from paymentbench import (
    context,
    debit_directory,
    fen,
    payment_cells,
    payment_chip,
    published,
    set_state,
    state_of,
    with_pdol,
)
from scriptbench import (
    OTHER_KEYS,
    PUBLISHED_KEYS,
    RIGHT,
    TRACK,
    UNBLOCK,
    WRONG,
    ScriptIssuer,
    asked,
    boot_card,
    change,
    facts,
    finished,
    keys_group,
    pin_of,
    put_transaction,
    torn,
    transaction,
)
from tearing import TEARS

from apdu.crypto.pinblock import build_iso_2
from apdu.wire.iso7816 import RecordTarget
from apdu.wire.pboc import tags
from apdu.wire.pboc.commands import (
    APPLICATION_BLOCK,
    APPLICATION_UNBLOCK,
    CARD_BLOCK,
    PIN_CHANGE_UNBLOCK,
    PUT_DATA,
    UPDATE_RECORD,
    DataTag,
)
from apdu.wire.pboc.flags import Ada, Result, scripts_of
from apdu.wire.perso import Algorithm, Life
from card_os.apps.pboc.state import MOST_FAILURES, CardState, Flag
from card_os.apps.pboc.transaction import SELECTED, Phase
from card_os.chip import Chip
from card_os.nvm import Flash

LIMIT = DataTag(tags.EC_SINGLE_LIMIT)
RECORD = RecordTarget(1, 1)
FAILED = Flag.SCRIPT_FAILED

Send = Callable[[ScriptIssuer], bytes]
SCRIPTS: dict[str, Send] = {
    "PIN UNBLOCK": lambda bank: bank.protect(PIN_CHANGE_UNBLOCK, UNBLOCK),
    "PIN CHANGE": lambda bank: change(bank, "56789"),
    "PIN CHANGE with the current": lambda bank: change(bank, "56789", "1234"),
    "APPLICATION BLOCK": lambda bank: bank.protect(APPLICATION_BLOCK),
    "APPLICATION UNBLOCK": lambda bank: bank.protect(APPLICATION_UNBLOCK),
    "CARD BLOCK": lambda bank: bank.protect(CARD_BLOCK),
    "PUT DATA": lambda bank: bank.protect(PUT_DATA, LIMIT, fen(4321)),
    "PUT DATA of a balance": lambda bank: bank.protect(
        PUT_DATA, DataTag(tags.EC_BALANCE), fen(5000)
    ),
    "UPDATE RECORD": lambda bank: bank.protect(
        UPDATE_RECORD, RECORD, TRACK.replace(b"\x62\x28", b"\x62\x29")
    ),
}
every_script = pytest.mark.parametrize("name", SCRIPTS)


# Published values


def published_value(path: str, name: str, field: str) -> bytes:
    (case,) = (each for each in book(path)["cases"] if each["id"] == name)
    return bytes.fromhex(case["expected"][field])


def test_a_load_with_the_keys_of_the_published_card_runs_byte_for_byte() -> None:
    """ARQC, ARPC, PUT DATA, PIN CHANGE and APPLICATION UNBLOCK are those of the books."""
    chip = payment_chip({tags.LOWER_LIMIT: b"\0"})
    set_state(chip, CardState(flags=Flag.ONLINE_REQUESTED))
    values = {
        tags.AMOUNT: fen(10000),
        tags.TVR: bytes.fromhex("0000008000"),
        tags.DATE: bytes.fromhex("250101"),
        tags.UNPREDICTABLE_NUMBER: bytes.fromhex("11223344"),
    }
    bank = ScriptIssuer(chip, values=values)
    assert Result.ARQC is bank.begin()
    load = "perso-derived-online-load"
    (arqc,) = (each for each in book("crypto/cryptograms.json")["cases"] if each["id"] == load)
    assert bytes.fromhex(arqc["given"]["ac"]) == bank.ac
    path = "crypto/issuer_authentication.json"
    assert 0x9000 == bank.send(published_value(path, f"{load}-arpc", "apdu"))
    for step in ("put-data", "pin-change", "app-unblock"):
        raw = published_value("crypto/scripts.json", f"{load}-{step}", "apdu")
        assert 0x9000 == bank.send(raw), step
    assert 5000 == state_of(chip).balance
    assert build_iso_2("123456") == pin_of(chip).coding()


def test_the_bench_makes_the_same_bytes() -> None:
    bank = ScriptIssuer(payment_chip(), atc=b"\0\1", ac=bytes.fromhex("3AC93009A101337E"))
    load = "perso-derived-online-load"
    expected = published_value("crypto/scripts.json", f"{load}-pin-change", "apdu")
    assert expected == change(bank, "123456")


# When


@every_script
@pytest.mark.parametrize("where", [asked, finished], ids=["71", "72"])
def test_a_script_is_taken_between_the_cryptograms_and_behind_them(
    name: str, where: Callable[[], ScriptIssuer]
) -> None:
    bank = where()
    assert 0x9000 == bank.send(SCRIPTS[name](bank))
    assert not state_of(bank.chip).flags & FAILED


@every_script
@pytest.mark.parametrize("phase", [Phase.SELECTED, Phase.INITIATED, Phase.TAPPED, Phase.ENDED])
def test_a_script_is_not_taken_at_another_time(name: str, phase: Phase) -> None:
    bank = asked()
    put_transaction(bank.chip, transaction(bank.chip)._replace(phase=phase))
    before = bank.chip.snapshot()
    assert 0x6985 == bank.send(SCRIPTS[name](bank))
    assert before == bank.chip.snapshot()


@every_script
def test_a_script_is_not_taken_before_options_nor_after_a_new_selection(name: str) -> None:
    bank = asked()
    raw = SCRIPTS[name](bank)
    bank.reader.select()
    before = bank.chip.snapshot()
    assert SELECTED == transaction(bank.chip)
    assert 0x6985 == bank.send(raw)
    bank.reader.options()
    before = bank.chip.snapshot()
    assert 0x6985 == bank.send(raw)
    assert before == bank.chip.snapshot()


@every_script
def test_a_script_is_not_taken_once_the_issuer_was_not_believed(name: str) -> None:
    bank = asked()
    assert 0x6300 == bank.authenticate(wrong=1)
    before = bank.chip.snapshot()
    assert 0x6985 == bank.send(SCRIPTS[name](bank))
    bank.generate(Result.AAC, b"05")
    before = bank.chip.snapshot()
    assert 0x6985 == bank.send(SCRIPTS[name](bank))
    assert before == bank.chip.snapshot()


def test_an_offline_transaction_takes_no_script() -> None:
    bank = ScriptIssuer(payment_chip({tags.ADA: bytes(2)}))
    for result in (Result.AAC, Result.TC):
        assert result is bank.begin(result)
        assert Phase.ENDED is transaction(bank.chip).phase
        assert 0x6985 == bank.script(PUT_DATA, LIMIT, fen(1))


def test_a_transaction_that_ends_with_its_pin_blocked_takes_scripts_and_counts_them() -> None:
    bank = ScriptIssuer(payment_chip({tags.ADA: bytes(2)}))
    bank.options()
    for _ in range(3):
        bank.verify(WRONG)
    assert Result.AAC is Result(bank.generate(Result.AAC).cid >> 6)
    assert 0x9000 == bank.script(PIN_CHANGE_UNBLOCK, UNBLOCK)
    assert 0x9000 == bank.script(PUT_DATA, LIMIT, fen(1))
    assert 2 == state_of(bank.chip).scripts
    bank.options()
    assert 0x9000 == bank.verify(RIGHT)


def test_a_transaction_that_was_given_no_cryptogram_takes_no_script() -> None:
    """There is nothing that a MAC could be chained to; the next transaction takes scripts."""
    ada = int(Ada.BLOCK_ON_EARLIER_PIN_TRIES).to_bytes(2)
    bank = asked(payment_chip({tags.ADA: ada, tags.LOWER_LIMIT: b"\0"}))
    raw = bank.protect(PIN_CHANGE_UNBLOCK, UNBLOCK)
    while pin_of(bank.chip).counter.left:
        pin_of(bank.chip).counter.pay()
    bank.options()
    with pytest.raises(AssertionError, match="6985"):
        bank.generate(Result.TC)
    assert Phase.ENDED is transaction(bank.chip).phase
    before = bank.chip.snapshot()
    assert 0x6985 == bank.send(raw)
    assert before == bank.chip.snapshot()
    assert Result.AAC is bank.begin()
    assert 0x9000 == bank.script(PIN_CHANGE_UNBLOCK, UNBLOCK)


# What protects them


@every_script
def test_a_script_wrong_in_any_byte_changes_nothing_but_what_is_noted_of_it(name: str) -> None:
    chip = payment_chip()
    bank = asked(chip)
    raw = SCRIPTS[name](bank)
    started, here = transaction(chip), facts(chip)
    for at in (2, 3, *range(5, len(raw))):
        wrong = bytearray(raw)
        wrong[at] ^= 1 << at % 8
        assert 0x6988 == bank.send(bytes(wrong)), at
        # Nothing more is taken in this transaction, be it right.
        assert 0x6985 == bank.send(raw)
        state = state_of(chip)
        assert (FAILED, 1, 0) == (state.flags & FAILED, state.mac_failures, state.scripts)
        set_state(chip, replace(state, flags=state.flags & ~FAILED, mac_failures=0))
        assert here == facts(chip)
        put_transaction(chip, started)
    assert 0x9000 == bank.send(raw)


@pytest.mark.parametrize("length", range(4))
def test_a_script_too_short_for_a_mac_has_failed(length: int) -> None:
    bank = asked()
    data = bytes((length,)) + bytes(length) if length else b""
    answer = bank.send(bytes.fromhex("841E0000") + data)
    assert 0x6987 == answer
    assert state_of(bank.chip).flags & FAILED
    assert 0x6985 == bank.script(APPLICATION_BLOCK)


@every_script
def test_a_script_without_protection_is_refused(name: str) -> None:
    bank = asked()
    raw = SCRIPTS[name](bank)
    before = bank.chip.snapshot()
    assert 0x6987 == bank.send(bytes((raw[0] & ~0x04,)) + raw[1:])
    assert before == bank.chip.snapshot()
    assert 0x9000 == bank.send(raw)


@every_script
def test_a_script_is_of_one_transaction(name: str) -> None:
    bank = asked()
    raw = SCRIPTS[name](bank)
    assert Result.ARQC is bank.begin()
    assert 0x6988 == bank.send(raw)


@every_script
def test_a_script_is_of_one_card(name: str) -> None:
    bank = asked(payment_chip(groups=keys_group(OTHER_KEYS)))
    here = facts(bank.chip)
    assert PUBLISHED_KEYS == bank.keys
    assert 0x6988 == bank.send(SCRIPTS[name](bank))
    state = state_of(bank.chip)
    set_state(bank.chip, replace(state, flags=state.flags & ~FAILED, mac_failures=0))
    assert here == facts(bank.chip)
    own = ScriptIssuer(bank.chip, OTHER_KEYS)
    own.online()
    assert 0x9000 == own.send(SCRIPTS[name](own))


def test_the_commands_of_a_script_hold_each_by_itself() -> None:
    """Each is chained to the cryptogram, none to the one before it."""
    bank = finished()
    first, second = (bank.protect(PUT_DATA, LIMIT, fen(n)) for n in (1, 2))
    for raw in (second, first, second, second):
        assert 0x9000 == bank.send(raw)
    assert fen(2) == bank.reader.data(tags.EC_SINGLE_LIMIT)


@every_script
def test_a_card_with_sm4_keys_takes_scripts_under_them(name: str) -> None:
    sm4 = {0x9114: published()[0x9104], 0x9210: published()[0x9200][:-1] + b"\x04"}
    groups = {**sm4, **keys_group(OTHER_KEYS, Algorithm.SM4), **with_pdol(b"\xdf\x69\x01")}
    values = {tags.SM_INDICATOR: b"\x01"}
    bank = ScriptIssuer(payment_chip(groups=groups), OTHER_KEYS, Algorithm.SM4, values)
    assert Result.ARQC is bank.begin()
    assert 0x9000 == bank.send(SCRIPTS[name](bank))
    weaker = ScriptIssuer(bank.chip)
    if name != "CARD BLOCK":
        assert weaker.begin() in (Result.ARQC, Result.AAC)


# What is noted of them


def test_commands_behind_the_last_cryptogram_are_counted_up_to_fifteen() -> None:
    bank = asked()
    assert 0x9000 == bank.script(PUT_DATA, LIMIT, fen(1))
    assert 0 == state_of(bank.chip).scripts
    assert 0x9000 == bank.authenticate()
    bank.finish()
    for number in range(1, 18):
        assert 0x9000 == bank.script(PUT_DATA, LIMIT, fen(number))
        assert min(number, 15) == state_of(bank.chip).scripts
    bank.begin()
    assert 15 == scripts_of(int.from_bytes(bank.cvr))


def test_a_command_with_a_wrong_mac_behind_the_last_cryptogram_is_counted() -> None:
    bank = finished()
    raw = bytearray(bank.protect(APPLICATION_BLOCK))
    raw[-1] ^= 1
    assert 0x6988 == bank.send(bytes(raw))
    assert 0x6985 == bank.send(bytes(raw))
    assert 1 == state_of(bank.chip).scripts
    bank.begin()
    assert 1 == scripts_of(int.from_bytes(bank.cvr))


def test_a_command_that_cannot_be_carried_out_has_failed_but_ends_nothing() -> None:
    bank = finished()
    here = facts(bank.chip)[1:]
    assert 0x6A80 == bank.script(PUT_DATA, DataTag(tags.ATC), b"\0\0")
    state = state_of(bank.chip)
    assert (FAILED, 1, 0) == (state.flags & FAILED, state.scripts, state.mac_failures)
    assert here == facts(bank.chip)[1:]
    assert 0x9000 == bank.script(PUT_DATA, LIMIT, fen(1))
    assert state_of(bank.chip).flags & FAILED


def test_after_a_hundred_wrong_macs_no_script_is_taken_any_more() -> None:
    chip = payment_chip()
    set_state(chip, CardState(mac_failures=MOST_FAILURES - 2))
    for failures in (99, 100):
        bank = asked(chip)
        raw = bytearray(bank.protect(APPLICATION_BLOCK))
        raw[-1] ^= 1
        assert 0x6988 == bank.send(bytes(raw))
        assert failures == state_of(chip).mac_failures
    bank = asked(chip)
    before = chip.snapshot()
    for send in SCRIPTS.values():
        assert 0x6985 == bank.send(send(bank))
    assert before == chip.snapshot()


def test_a_right_mac_does_not_take_back_the_wrong_ones() -> None:
    chip = payment_chip()
    set_state(chip, CardState(mac_failures=50))
    bank = finished(chip)
    assert 0x9000 == bank.script(PUT_DATA, LIMIT, fen(1))
    assert 50 == state_of(chip).mac_failures


@every_script
@pytest.mark.parametrize("where", [asked, finished], ids=["71", "72"])
def test_a_torn_script_is_done_and_counted_or_neither(
    name: str, where: Callable[[Chip], ScriptIssuer]
) -> None:
    def prepare(flash: Flash) -> tuple[Chip, list[bytes]]:
        chip = boot_card(flash)
        pin_of(chip).counter.pay()
        bank = where(chip)
        if name == "APPLICATION UNBLOCK":
            context(chip).tree.set_life(debit_directory(chip), Life.DEACTIVATED)
        return chip, [SCRIPTS[name](bank)]

    before, after, left = torn(payment_cells(), prepare, TEARS[::3])
    assert {before, after} == left


def test_a_torn_failure_is_noted_or_not() -> None:
    def prepare(flash: Flash) -> tuple[Chip, list[bytes]]:
        bank = finished(boot_card(flash))
        raw = bank.protect(APPLICATION_BLOCK)
        return bank.chip, [raw[:-1] + bytes((raw[-1] ^ 1,))]

    before, after, left = torn(payment_cells(), prepare, TEARS)
    assert before != after
    assert {before, after} == left
