# SPDX-License-Identifier: Apache-2.0
"""INTERNAL AUTHENTICATE: the card proves its IRK, and no other key, to anyone who asks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from keybench import SM4, TDES, Desk, both_suites, key
from testbench import command, select_df, send_all

from apdu.crypto.suite import Suite
from apdu.wire.hrss.commands import INTERNAL_AUTHENTICATE, InternalData, KeyNumber
from apdu.wire.iso7816 import GET_RESPONSE

eight = st.binary(min_size=8, max_size=8)
R1, R2 = bytes.fromhex("1122334455667788"), bytes.fromhex("0102030405060708")


def internal(factor: bytes, data: bytes, version: bytes = b"", ne: int = 256) -> bytes:
    return command(INTERNAL_AUTHENTICATE, KeyNumber(0), InternalData(factor, data, version), ne=ne)


def by_the_rule(suite: Suite, factor: bytes, data: bytes) -> bytes:
    """Written out: DES under 3DES(R1); SM4 under SM4(R1, not R1), its two halves XORed."""
    irk = key(suite, "IRK")
    if suite is TDES:
        return TDES.key(irk.encrypt(factor)).encrypt(data)
    session = SM4.key(irk.encrypt(factor + bytes(byte ^ 0xFF for byte in factor)))
    block = session.encrypt(data + b"\x80" + bytes(7))
    return bytes(left ^ right for left, right in zip(block[:8], block[8:], strict=True))


@given(st.sampled_from([TDES, SM4]), eight, eight)
def test_the_card_answers_by_the_published_rule(suite: Suite, factor: bytes, data: bytes) -> None:
    desk = Desk(suite)
    desk.go("SSSE")
    expected = by_the_rule(suite, factor, data) + b"\x90\x00"
    assert expected == desk.chip.transmit(internal(factor, data))
    assert expected == desk.chip.transmit(internal(factor, data, ne=8))
    assert expected == desk.chip.transmit(internal(factor, data, b"\x01"))


@both_suites
def test_the_version_may_be_said_and_must_then_be_right(suite: Suite) -> None:
    desk = Desk(suite)
    desk.go("SSSE")
    for version in (0, 2, 0xFF):
        assert b"\x6a\x88" == desk.chip.transmit(internal(R1, R2, bytes((version,))))


@pytest.mark.parametrize("length", [*range(16), *range(18, 40)])
def test_data_of_another_length_is_refused(length: int) -> None:
    desk = Desk()
    desk.go("SSSE")
    body = bytes((length,)) + bytes(length) if length else b""
    assert b"\x67\x00" == desk.chip.transmit(bytes.fromhex("00880000") + body)
    assert b"\x67\x00" == desk.chip.transmit(bytes.fromhex("00880000") + body + b"\x08")


@both_suites
@pytest.mark.parametrize("version", [b"", b"\x01"])
def test_without_le_the_answer_waits(suite: Suite, version: bytes) -> None:
    desk = Desk(suite)
    desk.go("SSSE")
    assert b"\x61\x08" == desk.chip.transmit(internal(R1, R2, version, ne=0))
    expected = by_the_rule(suite, R1, R2) + b"\x90\x00"
    assert expected == desk.chip.transmit(command(GET_RESPONSE, ne=8))
    assert b"\x69\x85" == desk.chip.transmit(command(GET_RESPONSE, ne=8))


def test_it_needs_no_challenge_uses_none_up_proves_nothing_and_costs_nothing() -> None:
    desk = Desk()
    before = desk.chip.snapshot()
    desk.go("SSSE")
    factor = desk.challenge()
    for _ in range(20):
        send_all(desk.chip, [internal(factor, R2)])
    assert desk.opens()
    assert before == desk.chip.snapshot()
    assert 0x9000 == desk.send(desk.proof("UKSSSE", factor))
    send_all(desk.chip, [internal(R1, R2)])
    assert desk.opens("UKSSSE")


def test_it_is_the_same_key_in_every_directory_of_the_application() -> None:
    desk = Desk()
    desk.go("SSSE")
    for fid in range(0xDF01, 0xDF08):
        send_all(desk.chip, [select_df(fid)])
        assert by_the_rule(TDES, R1, R2) + b"\x90\x00" == desk.chip.transmit(internal(R1, R2))


@pytest.mark.parametrize("suite", [TDES, SM4], ids=repr)
def test_what_the_card_proves_is_no_proof_for_the_terminal(suite: Suite) -> None:
    """The card cannot be made to answer its own challenge."""
    desk = Desk(suite)
    desk.go("SSSE")
    factor = desk.challenge()
    answer = desk.chip.transmit(internal(factor, R2))
    raw = bytes.fromhex("0082000410") + answer[:8] + R2
    assert 0x63CE == desk.send(raw)
