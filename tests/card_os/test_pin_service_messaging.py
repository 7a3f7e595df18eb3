# SPDX-License-Identifier: Apache-2.0
"""PIN CHANGE/UNBLOCK is taken only as it was protected, once; all else takes proofs back."""

from __future__ import annotations

import pytest
from keybench import (
    NEW_PIN,
    SERVICES,
    WRONG_PIN,
    Desk,
    both_suites,
    every_service,
    flipped,
    logged_in,
    pin_service,
    ready,
)
from testbench import sw, verify

from apdu.command import CommandAPDU, encode
from apdu.crypto.suite import Suite
from apdu.wire.codes import pin_bytes
from apdu.wire.hrss.commands import PinService


def gone(desk: Desk) -> bool:
    """Whether nothing is proven any more; looks, and changes nothing."""
    return desk.opens() and desk.tries() >= 0 and desk.send(desk.unblock()) == 0x6982


@both_suites
@every_service
def test_every_flipped_bit_is_noticed_and_changes_nothing(suite: Suite, service: str) -> None:
    length = len(SERVICES[service](ready(suite)))
    allowed = [
        {0x6881, 0x6987, 0x6E00},  # another class: a channel, no messaging, an unknown one
        {0x6D00, 0x6E00},
        {0x6988},
        {0x6988},
        {0x6700},
        *[{0x6988}] * (length - 5),
    ]
    for bit in range(8 * length):
        desk = Desk(suite)
        logged_in(desk)
        raw = SERVICES[service](desk)
        before = desk.chip.snapshot()
        answer = desk.chip.transmit(flipped(raw, bit))
        assert 2 == len(answer)
        assert sw(answer) in allowed[length - 1 - bit // 8]
        assert before == desk.chip.snapshot()
        if sw(answer) in (0x6987, 0x6988):
            assert gone(desk)
        else:
            assert desk.opens("PIN", "UKSSSE")
        assert before == desk.chip.snapshot()


@both_suites
@every_service
@pytest.mark.parametrize("cut", range(1, 5))
def test_a_command_cut_short_or_made_longer_is_refused(
    suite: Suite, service: str, cut: int
) -> None:
    for change in (lambda data: data[:-cut], lambda data: data + bytes(cut)):
        desk = Desk(suite)
        logged_in(desk)
        raw = CommandAPDU.parse(SERVICES[service](desk))
        before = desk.chip.snapshot()
        data = change(raw.data)
        answer = desk.send(encode(raw.cla, raw.ins, raw.p1 << 8 | raw.p2, data))
        assert (0x6987 if len(data) < 4 else 0x6988) == answer
        assert gone(desk)
        assert before == desk.chip.snapshot()


BARE = ["80240000", "8024000103123456", "80240001", "8024000009" + "0" * 18]


@both_suites
@pytest.mark.parametrize("bare", BARE)
def test_a_bare_command_is_refused_and_takes_back_what_was_proven(suite: Suite, bare: str) -> None:
    desk = Desk(suite)
    logged_in(desk)
    before = desk.chip.snapshot()
    assert b"\x69\x87" == desk.chip.transmit(bytes.fromhex(bare))
    assert gone(desk)
    assert before == desk.chip.snapshot()


@both_suites
@every_service
@pytest.mark.parametrize("n", [0, 4, 16])
def test_it_needs_a_challenge_of_8_bytes(suite: Suite, service: str, n: int) -> None:
    desk = Desk(suite)
    logged_in(desk)
    raw = SERVICES[service](desk)
    if n:
        desk.challenge(n)
    else:  # used up by something else
        desk.send(desk.proof("PUK", bytes(8)))
        assert 0x9000 == desk.authenticate("PUK")
    before = desk.chip.snapshot()
    assert 0x6984 == desk.send(raw)
    assert gone(desk)
    assert before == desk.chip.snapshot()


@both_suites
@every_service
def test_a_command_serves_once(suite: Suite, service: str) -> None:
    desk = ready(suite)
    raw = SERVICES[service](desk)
    assert 0x9000 == desk.send(raw)
    desk.send(verify(WRONG_PIN))
    before = desk.chip.snapshot()
    assert 0x6984 == desk.send(raw)
    assert 0x9000 == desk.authenticate("PUK")
    desk.challenge()
    assert 0x6988 == desk.send(raw)
    assert gone(desk)
    assert before == desk.chip.snapshot()


@both_suites
def test_a_new_pin_in_the_clear_is_refused_under_the_right_mac(suite: Suite) -> None:
    for size in (3, 8, 16):
        desk = Desk(suite)
        logged_in(desk)
        before = desk.chip.snapshot()
        raw = pin_service(PinService.RELOAD, pin_bytes(NEW_PIN))
        raw = encode(0x80, 0x24, 1, raw[5:].ljust(size, b"\0"))
        assert 0x6988 == desk.send(desk.protect(raw, enciphered=False))
        assert gone(desk)
        assert before == desk.chip.snapshot()
