# SPDX-License-Identifier: Apache-2.0
"""What the issuer has cards do: each command right for its card and its transaction."""

from __future__ import annotations

from typing import Any

import pytest
from books import of_format
from hypothesis import given
from hypothesis import strategies as st
from issuerbench import NOON, PAN, IssuerBench

from apdu.command import CommandAPDU
from apdu.crypto.pinblock import read_pin_change
from apdu.errors import FormatError
from apdu.secret import Secret
from apdu.tlv import build, tlv
from apdu.wire.elements import BY_TAG
from apdu.wire.pboc import tags
from apdu.wire.pboc.amounts import amount_bytes, amount_of
from apdu.wire.pboc.script_results import (
    ScriptOutcome,
    ScriptResult,
    parse_script_results,
    script_result,
)
from apdu.wire.perso import Algorithm
from host.issuer import scripts
from host.issuer.faults import Refused
from host.issuer.keys import IssuerKeys, KeySet
from host.issuer.test_keys import TEST_IMKS
from host.issuer.wishes import Kind, Sending, Wish

FAILED = ScriptOutcome.FAILED
LIMIT = scripts.put_data(tags.EC_SINGLE_LIMIT, amount_bytes(5000))


# Commands


def in_books(name: str) -> dict[str, Any]:
    return next(case for case, _ in of_format("crypto") if case["id"] == name)


@pytest.mark.parametrize("name", ["pboc-ecash-load-putdata", "perso-derived-online-load-put-data"])
def test_the_loads_of_the_books_come_out_byte_for_byte(name: str) -> None:
    case = in_books(name)
    given_ = {key: bytes.fromhex(case["given"][key]) for key in ("udk", "atc", "link", "data")}
    udk = Secret(given_["udk"])
    own = {(PAN, "01", Algorithm.TDES): KeySet(udk, udk, udk)}
    keys = IssuerKeys(TEST_IMKS, own).card(PAN, "01", Algorithm.TDES)
    load = scripts.put_balance(amount_of(given_["data"]))
    (sent,) = scripts.protected(keys, given_["atc"], given_["link"], [load])
    assert case["expected"]["apdu"] == sent.hex().upper()
    template = scripts.script(keys, given_["atc"], given_["link"], [load], 1)
    assert f"72189F180400000001860F{case['expected']['apdu']}" == template.hex().upper()


COMMANDS = [
    (scripts.application_block(), "801E0000"),
    (scripts.application_unblock(), "80180000"),
    (scripts.card_block(), "80160000"),
    (scripts.pin_unblock(), "80240000"),
    (scripts.put_balance(123456), "00DA9F7906000000123456"),
    (scripts.put_data(tags.LOWER_LIMIT, b"\x00"), "00DA9F580100"),
    (scripts.update_record(3, 2, bytes.fromhex("70035F2800")), "00DC021C0570035F2800"),
]


@pytest.mark.parametrize(("command", "plain"), COMMANDS, ids=lambda each: str(each)[:24])
@pytest.mark.parametrize("algorithm", TEST_IMKS)
def test_every_command_opens_as_it_was_meant(
    command: CommandAPDU, plain: str, algorithm: Algorithm
) -> None:
    bench = IssuerBench()
    card = bench.card(algorithm=algorithm)
    number = bench.host.scripts.commands(PAN, [command], NOON)
    request = card.request()
    answer = bench.host.authorise(request)
    assert answer.approved and card.believes(request, answer)
    assert [(number, [plain])] == [
        (name, [bytes(each).hex().upper() for each in found])
        for name, found in card.commands(request, answer)
    ]


@given(st.text("0123456789", min_size=4, max_size=12), st.sampled_from(sorted(TEST_IMKS)))
def test_a_pin_reaches_the_card_whatever_algorithm_it_chose(pin: str, algorithm: Algorithm) -> None:
    bench = IssuerBench()
    card = bench.card(algorithm=algorithm)
    bench.host.scripts.pin(PAN, "01", pin, NOON)
    request = card.request()
    ((_, (command,)),) = card.commands(request, bench.host.authorise(request))
    assert (0x24, 0x02) == (command.ins, command.p2)
    assert pin == read_pin_change(command.data, card.own.pin_mask.reveal())


def test_a_pin_is_nowhere_in_clear() -> None:
    bench = IssuerBench()
    bench.host.scripts.pin(PAN, "01", "86420975", NOON)
    (kept,) = bench.host.scripts.outbox.all(PAN)
    command = scripts.pin_change(bench.card().own, "86420975", "13579")
    shown = f"{kept!r} {kept.content} {Wish.load(kept.content)!r} {command!r}".replace(" ", "")
    assert "86420975" not in shown
    assert "13579" not in shown


@pytest.mark.parametrize(
    ("tag", "value", "rule"),
    [
        (tags.ADA, bytes(2), "9F52 is not among the elements that may be put"),
        (tags.PAN, bytes(8), "5A is not among"),
        (tags.EC_BALANCE, bytes(5), "PUT DATA 9F79: 5 bytes, must be 6"),
        (tags.EC_BALANCE, b"\x00\x00\x00\x00\x00\x0a", "amount: must be packed BCD digits"),
        (tags.LOWER_LIMIT, b"", "PUT DATA 9F58: 0 bytes, must be 1"),
    ],
)
def test_data_that_may_not_be_put_is_refused(tag: int, value: bytes, rule: str) -> None:
    with pytest.raises(FormatError, match=rule):
        scripts.put_data(tag, value)


def test_every_element_that_may_be_put_is_known_and_has_one_length() -> None:
    assert [] == [tag for tag in scripts.CHANGEABLE if BY_TAG[tag].least != BY_TAG[tag].most]


@pytest.mark.parametrize(
    ("sfi", "number", "record", "rule"),
    [
        (0, 1, b"\x70\x00", "record 1 of SFI 0"),
        (11, 1, b"\x70\x00", "record 1 of SFI 11"),
        (1, 0, b"\x70\x00", "record 0 of SFI 1"),
        (1, 256, b"\x70\x00", "record 256 of SFI 1"),
        (1, 1, b"\x77\x00", "must be one template 70"),
        (1, 1, b"\x70\x00\x70\x00", "must be one template 70"),
        (1, 1, b"", "must be one template 70"),
        (1, 1, b"\x70\x81\xf9" + bytes(249), "252 bytes, 251 at most"),
    ],
)
def test_a_record_that_may_not_be_updated_is_refused(
    sfi: int, number: int, record: bytes, rule: str
) -> None:
    with pytest.raises(FormatError, match=rule):
        scripts.update_record(sfi, number, record)


def test_a_script_that_no_answer_has_room_for_is_refused_at_once() -> None:
    bench = IssuerBench()
    record = b"\x70\x81\xf0" + b"\xc0\x81\xed" + bytes(237)
    with pytest.raises(FormatError, match="does not fit"):
        bench.host.scripts.commands(PAN, [scripts.update_record(1, 1, record)], NOON)
    with pytest.raises(FormatError, match="must have commands"):
        bench.host.scripts.commands(PAN, [], NOON)
    with pytest.raises(Refused):
        bench.host.scripts.commands("6228000100000000", [LIMIT], NOON)
    assert () == bench.host.scripts.outbox.all(PAN)


@given(st.lists(st.integers(0, 200), min_size=1, max_size=6))
def test_what_fits_goes_and_the_rest_goes_next_time(sizes: list[int]) -> None:
    bench = IssuerBench()
    card = bench.card()
    waiting = [
        bench.host.scripts.commands(
            PAN, [scripts.update_record(1, 1, build([tlv(0x70, [tlv(0xC1, bytes(size))])]))], NOON
        )
        for size in sizes
    ]
    seen: list[int] = []
    for _ in sizes:
        request = card.request(amount=1)
        answer = bench.host.authorise(request)
        assert len(answer.icc) <= 255
        got = card.commands(request, answer)
        card.scripts = sum(len(commands) for _, commands in got)
        seen += [number for number, _ in got]
    assert waiting == sorted(seen)


# DF31


results_told = st.tuples(
    st.sampled_from(ScriptOutcome), st.integers(0, 15), st.binary(min_size=4, max_size=4)
)


@given(st.lists(results_told))
def test_script_results_come_out_as_they_went_in(
    told: list[tuple[ScriptOutcome, int, bytes]],
) -> None:
    made = tuple(script_result(*each) for each in told)
    assert made == parse_script_results(b"".join(map(bytes, made)))
    assert told == [(each.outcome, each.failed_command, each.identifier) for each in made]


def test_a_command_beyond_the_fifteenth_is_told_as_that() -> None:
    assert ScriptResult(0x1F) == script_result(FAILED, 16)


@pytest.mark.parametrize("df31", ["20", "300000000120", "3000000001", "F000000001"])
def test_script_results_that_make_no_sense_are_refused(df31: str) -> None:
    with pytest.raises(FormatError, match="DF31"):
        parse_script_results(bytes.fromhex(df31))


@given(
    st.builds(
        Wish,
        st.sampled_from(Kind),
        st.text("0123456789", max_size=12),
        st.integers(0, 10**12),
        st.lists(st.binary(min_size=4, max_size=20)).map(tuple),
        st.binary(max_size=32),
        st.none() | st.builds(Sending, *[st.integers(0, 9)] * 4),
    )
)
def test_a_wish_is_stored_and_found_again(wish: Wish) -> None:
    assert wish == Wish.load(wish.dump())


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"kind": "other"}', "null"])
def test_a_wish_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(FormatError, match="a wish in the store"):
        Wish.load(text)
