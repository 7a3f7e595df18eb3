# SPDX-License-Identifier: Apache-2.0
"""What issuer scripts do to the PIN and to records of the bank's application."""

from __future__ import annotations

import pytest
from paymentbench import payment_chip, profile, published, state_of
from scriptbench import (
    RIGHT,
    TRACK,
    UNBLOCK,
    WRONG,
    ScriptIssuer,
    asked,
    change,
    facts,
    finished,
    pin_of,
    transaction,
)

from apdu.command import CommandAPDU
from apdu.crypto import pinblock
from apdu.crypto.pinblock import build_iso_2
from apdu.tlv import parse, tlv
from apdu.wire.iso7816 import RecordTarget, UpdateMode
from apdu.wire.pboc import tags
from apdu.wire.pboc.commands import (
    PIN_CHANGE_UNBLOCK,
    UPDATE_RECORD,
    PinChange,
    PinChangeRef,
)
from apdu.wire.pboc.flags import Result
from apdu.wire.pboc.groups import PIN, PIN_LIMIT, Way
from apdu.wire.perso import Algorithm
from card_os.apps.pboc.state import Flag

TIME = bytes.fromhex("9F2103")
"""An element of both CDOLs that no cryptogram needs."""
FAILED = Flag.SCRIPT_FAILED

# PIN CHANGE/UNBLOCK


def test_unblock_gives_the_tries_back_and_leaves_the_pin() -> None:
    bank = ScriptIssuer(payment_chip())
    bank.options()
    assert 0x63C2 == bank.verify(WRONG)
    bank.generate(Result.ARQC)
    assert 0x9000 == bank.script(PIN_CHANGE_UNBLOCK, UNBLOCK)
    assert 3 == pin_of(bank.chip).counter.left
    bank.options()
    assert 0x9000 == bank.verify(RIGHT)


@pytest.mark.parametrize("current", ["", "1234"], ids=["02", "01"])
@pytest.mark.parametrize("new", ["4321", "123456", "123456789012"])
def test_change_sets_the_new_pin_and_all_tries(current: str, new: str) -> None:
    bank = ScriptIssuer(payment_chip())
    bank.options()
    bank.verify(WRONG)
    bank.generate(Result.ARQC)
    assert 0x9000 == bank.send(change(bank, new, current))
    if current:  # it is the PIN in force that is mixed in
        assert 0x9000 == bank.send(change(bank, "0246813579", new))
        assert 0x9000 == bank.send(change(bank, new, "0246813579"))
    bank.options()
    assert 0x63C2 == bank.verify(RIGHT)
    assert 0x9000 == bank.verify(build_iso_2(new))
    bank.chip.reset()
    bank = ScriptIssuer(bank.chip)
    bank.options()
    assert 0x9000 == bank.verify(build_iso_2(new))


@pytest.mark.parametrize(("current", "key"), [("9876", 2), ("", 1)], ids=str)
def test_a_change_that_comes_out_as_no_pin_leaves_the_one_in_force(current: str, key: int) -> None:
    """Made with another PIN, or with the bytes of UDK-MAC, it has no format, or letters."""
    bank = asked()
    assert 0x6A80 == bank.send(change(bank, "567890123456", current, key))
    assert RIGHT == pin_of(bank.chip).coding()
    assert state_of(bank.chip).flags & FAILED


def test_which_key_masks_a_change_is_one_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pinblock, "PIN_CHANGE_KEY", "AC")
    bank = asked()
    assert 0x9000 == bank.send(change(bank, "567890123456"))
    assert build_iso_2("567890123456") != pin_of(bank.chip).coding()
    assert 0x9000 == bank.send(change(bank, "567890123456", key=0))
    assert build_iso_2("567890123456") == pin_of(bank.chip).coding()


@pytest.mark.parametrize(
    ("service", "data", "answer"),
    [
        (PinChange.UNBLOCK, bytes(8), 0x6700),
        (PinChange.CHANGE, b"", 0x6700),
        (PinChange.CHANGE_WITH_CURRENT, b"", 0x6700),
        (PinChange.CHANGE, bytes(7), 0x6700),
        (PinChange.CHANGE, bytes(9), 0x6700),
        (PinChange.CHANGE, bytes(8), 0x6A80),
    ],
)
def test_pin_data_of_another_shape_is_refused(service: PinChange, data: bytes, answer: int) -> None:
    bank = asked()
    here = facts(bank.chip)[1:]
    assert answer == bank.script(PIN_CHANGE_UNBLOCK, PinChangeRef(service), data)
    assert here == facts(bank.chip)[1:]


def test_other_services_are_refused() -> None:
    bank = asked()
    for p1, p2 in ((0, 3), (1, 0), (0, 0x80)):
        plain = CommandAPDU(0x80, PIN_CHANGE_UNBLOCK.ins, p1, p2)
        assert 0x6A86 == bank.send(bytes(bank.messaging().protect(plain)))


def test_a_card_without_an_offline_pin_has_none_to_change() -> None:
    bank = asked(payment_chip(groups={PIN: None, PIN_LIMIT: None}))
    assert 0x6A88 == bank.script(PIN_CHANGE_UNBLOCK, UNBLOCK)
    assert 0x6A88 == bank.send(change(bank, "56789"))


# UPDATE RECORD


def test_a_record_is_replaced_as_a_whole_and_the_next_transaction_works_with_it() -> None:
    bank = finished()
    before = profile(bank.chip).routes[Algorithm.TDES, Way.DEBIT]
    children = [
        tlv(item.tag, item.value.replace(TIME, b""))
        for item in parse(published()[0x0402])[0].children
    ]
    record = bytes(tlv(tags.RECORD_TEMPLATE, children))
    assert 0x9000 == bank.script(UPDATE_RECORD, RecordTarget(2, 4), record)
    assert record + b"\x90\x00" == bank.reader.record(4, 2)
    bank.online()
    route = transaction(bank.chip).route
    assert route is not None
    assert before.cdol1.length - 3 == route.cdol1.length
    assert before.cdol2.length - 3 == route.cdol2.length
    bank.chip.reset()
    assert record + b"\x90\x00" == ScriptIssuer(bank.chip).reader.record(4, 2)


@pytest.mark.parametrize(
    ("sfi", "number", "data", "answer"),
    [
        (1, 1, b"", 0x6700),
        (1, 2, TRACK, 0x6A83),
        (1, 0, TRACK, 0x6A83),
        (5, 1, TRACK, 0x6A82),
        (0, 1, TRACK, 0x6A82),
        (11, 1, TRACK, 0x6A82),
        (13, 1, TRACK, 0x6A82),
        (14, 1, TRACK, 0x6A82),
        (30, 1, TRACK, 0x6A82),
        (1, 1, TRACK[:-1], 0x6A80),
        (1, 1, TRACK + b"\0", 0x6A80),
        (1, 1, TRACK[2:], 0x6A80),
        (1, 1, b"\x77" + TRACK[1:], 0x6A80),
        (1, 1, b"\x70\x00" * 2, 0x6A80),
        (1, 1, bytes(tlv(0x70, [tlv(0x57, bytes(60))])), 0x6A84),
        (4, 2, bytes(tlv(0x70, [tlv(tags.CDOL1, b"\x9f\x02")])), 0x6A80),
        (4, 2, bytes(tlv(0x70, [tlv(tags.CDOL1, b"\x9f\x02\x06" * 2)])), 0x6A80),
    ],
)
def test_a_record_that_cannot_be_replaced_stays(
    sfi: int, number: int, data: bytes, answer: int
) -> None:
    bank = finished()
    groups = [bank.reader.record(*place) for place in ((1, 1), (4, 2))]
    here = facts(bank.chip)[1:]
    assert answer == bank.script(UPDATE_RECORD, RecordTarget(number, sfi), data)
    assert here == facts(bank.chip)[1:]
    assert groups == [bank.reader.record(*place) for place in ((1, 1), (4, 2))]
    bank.online()


def test_a_record_is_named_by_its_number_alone() -> None:
    bank = finished()
    assert 0x6A86 == bank.script(UPDATE_RECORD, RecordTarget(0x57, 1, UpdateMode.TAG), TRACK)
