# SPDX-License-Identifier: Apache-2.0
"""VERIFY of the bank's application: tries, what the CVR says of them, and what ADA makes of it."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opcodes import alike
from paymentbench import Reader, debit_directory, payment_cells, payment_chip
from pinbench import spy_on_comparison
from powercuts import TornFlash
from scriptbench import RIGHT, ScriptIssuer, boot_card, pin_of, put_transaction, torn, transaction
from tearing import TEARS, digest
from testbench import command, sw

from apdu.atr import Interface
from apdu.crypto.pinblock import build_iso_2, read_iso_2
from apdu.errors import FormatError
from apdu.wire.pboc import tags
from apdu.wire.pboc.commands import VERIFY_OFFLINE_PIN
from apdu.wire.pboc.flags import Ada, Cvr, Result
from apdu.wire.pboc.groups import PIN, PIN_LIMIT
from apdu.wire.perso import Life
from card_os.apps.pboc.transaction import Phase
from card_os.chip import Chip
from card_os.nvm import Flash

WRONG = build_iso_2("1235")
LIMIT = 3
PERFORMED, FAILED = Cvr.PIN_VERIFICATION_PERFORMED, Cvr.PIN_VERIFICATION_FAILED
EXCEEDED, BLOCKED = Cvr.PIN_TRIES_EXCEEDED, Cvr.BLOCKED_FOR_PIN
BLOCKING = {tags.ADA: int(Ada.BLOCK_ON_PIN_TRIES).to_bytes(2)}


def verify(block: bytes) -> bytes:
    return command(VERIFY_OFFLINE_PIN, None, block)


def begun(chip: Chip | None = None) -> ScriptIssuer:
    """A card behind GPO."""
    bank = ScriptIssuer(chip or payment_chip())
    bank.options()
    return bank


def exhaust(chip: Chip) -> None:
    """Use up the tries, in a transaction that is over then."""
    bank = begun(chip)
    for _ in range(LIMIT):
        bank.verify(WRONG)


def cvr(bank: ScriptIssuer) -> int:
    return transaction(bank.chip).cvr


def test_the_right_pin_is_taken_and_the_cvr_says_so() -> None:
    bank = begun()
    assert 0x9000 == bank.verify(RIGHT)
    assert PERFORMED == cvr(bank)
    assert 0x9000 == bank.verify(RIGHT)


def test_a_wrong_pin_costs_a_try_and_the_right_one_brings_them_all_back() -> None:
    bank = begun()
    assert 0x63C2 == bank.verify(WRONG)
    assert PERFORMED | FAILED == cvr(bank)
    assert 0x63C1 == bank.verify(WRONG)
    assert 0x9000 == bank.verify(RIGHT)
    assert PERFORMED == cvr(bank)
    assert LIMIT == pin_of(bank.chip).counter.left
    assert b"\x03" == bank.reader.data(tags.PIN_TRIES)


@given(st.lists(st.sampled_from([RIGHT, WRONG, build_iso_2("123456789012"), None])))
def test_tries_and_answers_are_those_of_three_plain_variables(said: list[bytes | None]) -> None:
    """None: the transaction ends and another one begins."""
    bank = begun()
    tries, known, bits = LIMIT, False, 0
    for block in said:
        if block is None:
            bank.options()
            known, bits = False, 0
            continue
        if not tries:
            expected = 0x6983 if known else 0x6984
            known, bits = True, bits | EXCEEDED
        elif block == RIGHT:
            expected, tries, bits = 0x9000, LIMIT, (bits | PERFORMED) & ~FAILED
        else:
            tries -= 1
            expected, bits = 0x63C0 | tries, bits | PERFORMED | FAILED
            if not tries:
                known, bits = True, bits | EXCEEDED
        assert expected == bank.verify(block)
        assert tries == pin_of(bank.chip).counter.left
        assert bits == cvr(bank)


@pytest.mark.parametrize("phase", [each for each in Phase if each is not Phase.INITIATED])
def test_the_pin_is_taken_between_options_and_cryptogram_alone(phase: Phase) -> None:
    bank = begun()
    put_transaction(bank.chip, transaction(bank.chip)._replace(phase=phase))
    before = bank.chip.snapshot()
    assert 0x6985 == bank.verify(RIGHT) == bank.verify(WRONG)
    assert before == bank.chip.snapshot()


def test_tries_exceeded_before_the_transaction_are_told_otherwise_than_in_it() -> None:
    chip = payment_chip()
    bank = begun(chip)
    assert [0x63C2, 0x63C1, 0x63C0, 0x6983] == [bank.verify(WRONG) for _ in range(4)]
    assert transaction(chip).pin_exceeded
    for _ in range(2):
        bank.options()
        assert [0x6984, 0x6983, 0x6983] == [bank.verify(RIGHT) for _ in range(3)]
        assert not transaction(chip).pin_exceeded
        assert EXCEEDED == cvr(bank)


def test_a_pin_that_was_not_looked_at_does_not_hide_the_tries_exceeded_earlier() -> None:
    """A VERIFY before must not keep first action analysis from what ADA says of them."""
    chip = payment_chip({tags.ADA: int(Ada.DECLINE_ON_EARLIER_PIN_TRIES).to_bytes(2)})
    exhaust(chip)
    bank = begun(chip)
    assert 0x6984 == bank.verify(RIGHT)
    assert Result.AAC is Result(bank.generate(Result.ARQC).cid >> 6)


# Malformed blocks


def is_block(raw: bytes) -> bool:
    try:
        return bool(read_iso_2(raw))
    except FormatError:
        return False


NIBBLES = st.text("0123456789abcdef", min_size=16, max_size=16)
NEARLY = st.builds(
    lambda pin, at, nibble: pin[:at] + nibble + pin[at + 1 :],
    st.text("0123456789", min_size=4, max_size=12).map(lambda pin: build_iso_2(pin).hex()),
    st.integers(0, 15),
    st.sampled_from("0123456789abcdef"),
)


@given((NIBBLES | NEARLY).map(bytes.fromhex))
def test_what_is_no_pin_block_is_refused_and_costs_nothing(raw: bytes) -> None:
    bank = begun()
    before = bank.chip.snapshot()
    answer = bank.verify(raw)
    if is_block(raw):
        assert answer in (0x63C2, 0x9000)
    else:
        assert 0x6A80 == answer
        assert before == bank.chip.snapshot()
        assert not cvr(bank)


@pytest.mark.parametrize("raw", ["00200080", "0020008000", "0020008007241234FFFFFFFF"])
def test_a_block_of_another_length_is_refused(raw: str) -> None:
    bank = begun()
    before = bank.chip.snapshot()
    assert 0x6700 == bank.send(bytes.fromhex(raw))
    nine = bytes.fromhex("0020008009") + RIGHT + b"\xff"
    assert 0x6700 == bank.send(nine)
    assert before == bank.chip.snapshot()


@pytest.mark.parametrize("p1p2", ["0000", "0001", "0081", "0088", "0180"])
def test_other_references_and_an_enciphered_pin_are_not_supported(p1p2: str) -> None:
    bank = begun()
    before = bank.chip.snapshot()
    assert 0x6A86 == bank.send(bytes.fromhex("0020" + p1p2 + "08") + RIGHT)
    assert before == bank.chip.snapshot()


def test_a_card_without_an_offline_pin_says_so() -> None:
    bank = begun(payment_chip(groups={PIN: None, PIN_LIMIT: None}))
    before = bank.chip.snapshot()
    assert 0x6A88 == bank.verify(RIGHT)
    assert before == bank.chip.snapshot()


def test_twelve_digits_are_a_pin_as_well() -> None:
    long = build_iso_2("123456789012")
    bank = begun(payment_chip(groups={PIN: long}))
    assert 0x63C2 == bank.verify(build_iso_2("12345678901"))
    assert 0x9000 == bank.verify(long)


# What ADA says


def test_the_last_try_blocks_the_application_where_ada_says_so() -> None:
    bank = begun(payment_chip(BLOCKING))
    assert [0x63C2, 0x63C1] == [bank.verify(WRONG) for _ in range(2)]
    assert Life.ACTIVATED is debit_directory(bank.chip).life
    assert 0x63C0 == bank.verify(WRONG)
    assert PERFORMED | FAILED | EXCEEDED | BLOCKED == cvr(bank)
    assert Life.DEACTIVATED is debit_directory(bank.chip).life
    assert 0x6983 == bank.verify(RIGHT)
    assert Result.AAC is Result(bank.generate(Result.TC).cid >> 6)
    assert int.from_bytes(bank.cvr) & BLOCKED
    assert 0x6283 == bank.reader.select()


@pytest.mark.parametrize("ada", [None, b"\0\0", (0xFFFF & ~Ada.BLOCK_ON_PIN_TRIES).to_bytes(2)])
def test_the_last_try_blocks_nothing_where_ada_does_not_say_so(ada: bytes | None) -> None:
    bank = begun(payment_chip({tags.ADA: ada}))
    for _ in range(LIMIT):
        bank.verify(WRONG)
    assert not cvr(bank) & BLOCKED
    assert 0x9000 == bank.reader.select()


def test_a_blocked_application_compares_the_pin_all_the_same() -> None:
    bank = begun(payment_chip({tags.NOT_ACTIVATED: b"\x01"}))
    assert [0x63C2, 0x9000] == [bank.verify(each) for each in (WRONG, RIGHT)]


# What cannot be seen, and what a power cut leaves


def test_every_wrong_pin_takes_the_same_steps() -> None:
    chip = payment_chip()
    bank = begun(chip)
    pins = ["1235", "9234", "1934", "0000", "9999", "12345", "123456789012", "4321", "12340"]

    def attempt(pin: str) -> bytes:
        bank.options()
        bank.verify(RIGHT)
        return verify(build_iso_2(pin))

    alike(chip.transmit, [partial(attempt, pin) for pin in pins], b"\x63\xc2")


def test_the_try_is_paid_for_good_before_the_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    flash = Flash(bytearray(payment_cells()))
    bank = begun(boot_card(flash))

    def tries_in_memory() -> int:
        return pin_of(boot_card(Flash(bytearray(flash.cells)))).counter.left

    seen = spy_on_comparison(monkeypatch, tries_in_memory)
    bank.verify(WRONG)
    bank.verify(RIGHT)
    assert [(2, False), (1, True)] == seen


@pytest.mark.parametrize("attempt", [RIGHT, WRONG], ids=["right", "wrong"])
def test_a_torn_verify_never_leaves_more_tries_than_before(attempt: bytes) -> None:
    cells = payment_cells()

    def prepare(flash: Flash) -> tuple[Chip, list[bytes]]:
        bank = begun(boot_card(flash))
        bank.verify(WRONG)
        return bank.chip, [verify(attempt)]

    def tried() -> bytes:
        flash = Flash(bytearray(cells))
        prepare(flash)[0].transmit(verify(WRONG))
        return digest(bytes(flash.cells))

    before, after, left = torn(cells, prepare, TEARS)
    assert {before, after, tried()} == left


def test_a_torn_last_try_leaves_the_pin_exhausted_and_the_application_blocked_or_not() -> None:
    cells = payment_cells(BLOCKING)

    def prepare(flash: Flash) -> tuple[Chip, list[bytes]]:
        bank = begun(boot_card(flash))
        bank.verify(WRONG)
        bank.verify(WRONG)
        return bank.chip, [verify(WRONG)]

    flash = TornFlash(cells)
    chip, _ = prepare(flash)
    pin_of(chip).counter.pay()
    before, after, left = torn(cells, prepare, TEARS)
    assert {before, digest(bytes(flash.cells)), after} == left


def test_verify_is_not_of_the_tap() -> None:
    chip = payment_chip()
    begun(chip)
    reader = Reader(chip, Interface.CONTACTLESS)
    reader.ask()
    before = chip.snapshot()
    assert 0x6985 == sw(reader.send(VERIFY_OFFLINE_PIN, None, RIGHT))
    assert before == chip.snapshot()
