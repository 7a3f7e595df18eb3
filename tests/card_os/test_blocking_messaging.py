# SPDX-License-Identifier: Apache-2.0
"""A block is taken only under its own key, as it was protected, and once."""

from __future__ import annotations

import pytest
from blockbench import BLOCK, END, END_CARD, KEY_OF, MESSAGES, UNBLOCK, blocked, every_place
from keybench import DF_OF, PIN, SM4, SPEC, TDES, Desk, both_suites, flipped
from testbench import command, select_df, send_all, sw, verify

from apdu.command import CommandAPDU, encode
from apdu.crypto.suite import Suite
from apdu.wire.hrss.generations import SSSE
from apdu.wire.iso7816 import READ_BINARY, SfiOffset

COMMANDS = {**MESSAGES, "end the card": END_CARD}
every_command = pytest.mark.parametrize("what", COMMANDS)


def key_of(what: str, place: str) -> str:
    return "BK" if what == "end the card" else KEY_OF[place]


def at(place: str, suite: Suite = TDES, *, what: str = "block") -> Desk:
    """In a directory, blocked where that is to be undone; the PIN is proven as well."""
    desk = Desk(suite)
    if what == "unblock":
        blocked(place, desk=desk)
    desk.go("SSSE")
    assert 0x9000 == desk.send(verify(PIN))
    go_on(desk, place)
    return desk


def go_on(desk: Desk, place: str) -> None:
    """To a directory that may be blocked, keeping what is proven."""
    desk.directory = DF_OF[KEY_OF[place]]
    send_all(desk.chip, [select_df(desk.directory.fid)])


def proven(desk: Desk) -> bool:
    """Whether the PIN still is; leaves SSSE current."""
    desk.move(SSSE)
    return desk.tries() < 0


@both_suites
@every_place
@every_command
def test_no_other_key_of_the_card_will_do(suite: Suite, place: str, what: str) -> None:
    desk = at(place, suite, what=what)
    right = key_of(what, place)
    before = desk.chip.snapshot()
    for name in SPEC:
        if name != right:
            assert 0x6988 == desk.send(desk.protect(COMMANDS[what], name))
            assert before == desk.chip.snapshot()
    assert not proven(desk)
    go_on(desk, place)
    assert 0x9000 == desk.send(desk.protect(COMMANDS[what], right))
    assert before != desk.chip.snapshot()


@pytest.mark.parametrize(("suite", "place"), [(TDES, "DF04"), (SM4, "DF07")], ids=str)
@every_command
def test_every_flipped_bit_is_noticed_and_changes_nothing(
    suite: Suite, place: str, what: str
) -> None:
    desk = at(place, suite, what=what)
    before = desk.chip.snapshot()
    allowed = [{0x6881, 0x6882, 0x6987, 0x6E00}, {0x6882, 0x6988, 0x6D00, 0x6E00}]
    allowed += [{0x6988}, {0x6988}, {0x6700}, *[{0x6988}] * 4]
    length = len(allowed)
    for bit in range(8 * length):
        raw = desk.protect(COMMANDS[what], key_of(what, place))
        assert length == len(raw)
        answer = desk.chip.transmit(flipped(raw, bit))
        assert 2 == len(answer)
        assert sw(answer) in allowed[length - 1 - bit // 8]
        assert before == desk.chip.snapshot()


@both_suites
@every_command
@pytest.mark.parametrize("cut", range(1, 6))
def test_a_command_cut_short_or_made_longer_is_refused(suite: Suite, what: str, cut: int) -> None:
    for change in (lambda data: data[:-cut], lambda data: data + bytes(cut)):
        desk = at("DF05", suite, what=what)
        before = desk.chip.snapshot()
        raw = CommandAPDU.parse(desk.protect(COMMANDS[what], key_of(what, "DF05")))
        data = change(raw.data)
        answer = desk.send(encode(raw.cla, raw.ins, raw.p1 << 8 | raw.p2, data))
        assert (0x6987 if len(data) < 4 else 0x6988) == answer
        assert before == desk.chip.snapshot()
        assert not proven(desk)


@both_suites
@every_command
def test_data_under_the_right_mac_is_too_much(suite: Suite, what: str) -> None:
    desk = at("DF03", suite, what=what)
    before = desk.chip.snapshot()
    for size in (1, 8, 16):
        raw = COMMANDS[what] + bytes((size,)) + bytes(size)
        assert 0x6700 == desk.send(desk.protect(raw, key_of(what, "DF03")))
    # And so is the wish for an answer.
    for le in (b"\x00", b"\x04"):
        raw = desk.protect(COMMANDS[what], key_of(what, "DF03")) + le
        assert 0x6700 == desk.send(raw)
    assert before == desk.chip.snapshot()


@pytest.mark.parametrize(
    "header", ["801E0002", "801E0100", "801E00FF", "80180001", "80180100", "80160001", "80160100"]
)
def test_other_parameters_under_the_right_mac_are_refused(header: str) -> None:
    raw = bytes.fromhex(header)
    desk = at("DF06")
    before = desk.chip.snapshot()
    key = "BK" if raw[1] == END_CARD[1] else KEY_OF["DF06"]
    assert 0x6A86 == desk.send(desk.protect(raw, key))
    assert before == desk.chip.snapshot()


@every_command
def test_a_bare_command_is_refused_and_takes_back_what_was_proven(what: str) -> None:
    for data in (b"", bytes(4)):
        desk = at("DF04", what=what)
        before = desk.chip.snapshot()
        raw = COMMANDS[what] + bytes((len(data),)) * bool(data) + data
        assert 0x6987 == desk.send(raw)
        assert before == desk.chip.snapshot()
        assert not proven(desk)


@both_suites
@every_command
@pytest.mark.parametrize("n", [0, 4, 16])
def test_it_needs_a_challenge_of_8_bytes(suite: Suite, what: str, n: int) -> None:
    desk = at("DF07", suite, what=what)
    raw = desk.protect(COMMANDS[what], key_of(what, "DF07"))
    if n:
        desk.challenge(n)
    else:  # used up by something else
        assert 0x6988 == desk.send(bytes.fromhex("841E00000400000000"))
    before = desk.chip.snapshot()
    assert 0x6984 == desk.send(raw)
    assert before == desk.chip.snapshot()
    assert not proven(desk)


@both_suites
@pytest.mark.parametrize("what", MESSAGES)
def test_a_command_serves_once_and_in_its_own_directory(suite: Suite, what: str) -> None:
    desk = at("DF03", suite, what=what)
    raw = desk.protect(COMMANDS[what], KEY_OF["DF03"])
    go_on(desk, "DF04")
    assert 0x6988 == desk.send(raw)  # it has used the challenge up, too
    go_on(desk, "DF03")
    assert 0x6984 == desk.send(raw)
    raw = desk.protect(COMMANDS[what], KEY_OF["DF03"])
    assert 0x9000 == desk.send(raw)
    after = desk.chip.snapshot()
    assert 0x6984 == desk.send(raw)
    desk.challenge()
    assert 0x6988 == desk.send(raw)
    assert after == desk.chip.snapshot()


def test_a_block_that_was_overheard_cannot_undo_an_unblock() -> None:
    desk = at("DF05")
    heard = desk.protect(BLOCK, KEY_OF["DF05"])
    assert 0x9000 == desk.send(heard)
    assert 0x9000 == desk.send(desk.protect(UNBLOCK, KEY_OF["DF05"]))
    for raw in (heard, flipped(heard, 40)):  # the same, and as if it were for good
        assert 0x6984 == desk.send(raw)
        desk.challenge()
        assert 0x6988 == desk.send(raw)
    assert 10 == len(desk.chip.transmit(command(READ_BINARY, SfiOffset(5), ne=8)))


@every_place
def test_a_failure_costs_no_try_and_the_key_goes_on(place: str) -> None:
    desk = at(place)
    before = desk.chip.snapshot()
    for _ in range(20):
        assert 0x6988 == desk.send(flipped(desk.protect(END, KEY_OF[place])))
    assert before == desk.chip.snapshot()
    assert 0x9000 == desk.send(desk.protect(END, KEY_OF[place]))
