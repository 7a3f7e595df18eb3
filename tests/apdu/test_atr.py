# SPDX-License-Identifier: Apache-2.0
"""Answers to reset: read and built, and refused when they announce what is not there."""

from __future__ import annotations

from functools import reduce
from operator import xor
from typing import Any

import pytest
from books import cases
from hypothesis import given
from hypothesis import strategies as st
from strategies import atrs, near

from apdu.atr import (
    MAX_LENGTH,
    Atr,
    Interface,
    InterfaceBytes,
    Transmission,
    contact_atr,
    contactless_atr,
    interface_of,
)
from apdu.errors import FormatError


@given(atrs())
def test_an_atr_read_back_is_the_atr(atr: Atr) -> None:
    assert atr == Atr.parse(bytes(atr))


@given(near(atrs().map(bytes)))
def test_any_bytes_are_one_atr_or_refused(raw: bytes) -> None:
    try:
        atr = Atr.parse(raw)
    except FormatError:
        return
    assert raw == bytes(atr)


@given(atrs())
def test_the_check_character_is_there_exactly_when_another_protocol_than_t_0_is_named(
    atr: Atr,
) -> None:
    raw = bytes(atr)
    interface = sum(
        value is not None for group in atr.groups for value in (group.ta, group.tb, group.tc)
    )
    plain = 2 + interface + (len(atr.groups) - 1) + len(atr.historical)
    checked = any(group.protocol for group in atr.groups)
    assert plain + checked == len(raw)
    assert not checked or reduce(xor, raw[1:]) == 0


@given(atrs())
def test_the_protocols_are_those_named_without_t_15(atr: Atr) -> None:
    named = {group.protocol for group in atr.groups} - {None, 15}
    assert (named or {0}) == set(atr.protocols)
    assert len(atr.protocols) == len(set(atr.protocols))


@pytest.mark.parametrize("case", cases("wire/atr.json", result="valid"))
def test_a_valid_case_is_read(case: dict[str, Any]) -> None:
    raw = bytes.fromhex(case["hex"])
    atr = Atr.parse(raw)
    assert raw == bytes(atr)
    assert case.get("protocols", list(atr.protocols)) == list(atr.protocols)
    assert case.get("historical", atr.historical.hex().upper()) == atr.historical.hex().upper()


@pytest.mark.parametrize("case", cases("wire/atr.json", result="invalid"))
def test_an_invalid_case_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(FormatError):
        Atr.parse(bytes.fromhex(case["hex"]))


def test_the_protocols_come_in_the_order_of_the_card() -> None:
    groups = (InterfaceBytes(protocol=1), InterfaceBytes(protocol=0), InterfaceBytes())
    assert (1, 0) == Atr(b"", groups).protocols


@pytest.mark.parametrize(
    "atr",
    [
        Atr(bytes(16)),
        Atr(b"", ()),
        Atr(b"", (InterfaceBytes(protocol=0),)),
        Atr(b"", (InterfaceBytes(), InterfaceBytes())),
        Atr(b"", (InterfaceBytes(ta=256),)),
        Atr(b"", (InterfaceBytes(tc=-1),)),
        Atr(b"", (InterfaceBytes(protocol=16), InterfaceBytes())),
        Atr(b"", (InterfaceBytes(protocol=-1), InterfaceBytes())),
        Atr(bytes(15), (InterfaceBytes(0, 0, 0, 1),) * 5 + (InterfaceBytes(),)),
    ],
    ids=["historical", "no group", "open end", "closed middle", "TA", "TC", "T=16", "T=-1", "long"],
)
def test_what_no_atr_can_say_is_not_built(atr: Atr) -> None:
    with pytest.raises(FormatError):
        bytes(atr)


def test_the_longest_atr_is_taken_and_one_byte_more_refused() -> None:
    groups = (InterfaceBytes(0, 0, 0, 0),) * 4 + (InterfaceBytes(),)
    longest = bytes(Atr(bytes(15), groups))
    assert MAX_LENGTH == len(longest)
    assert longest == bytes(Atr.parse(longest))
    with pytest.raises(FormatError, match="at most"):
        Atr.parse(longest + b"\0")


def test_a_flipped_bit_is_caught_by_the_check_character() -> None:
    raw = bytes(Atr(b"\x01\x02", (InterfaceBytes(protocol=1), InterfaceBytes(ta=0x11))))
    for at in range(len(raw) - 4, len(raw)):
        broken = bytearray(raw)
        broken[at] ^= 0x01
        with pytest.raises(FormatError, match="TCK"):
            Atr.parse(bytes(broken))


def test_a_card_in_a_slot_offers_one_protocol_and_both_atrs_are_the_basic_ones() -> None:
    historical = bytes(range(13))
    t0, t1 = (contact_atr(historical, each) for each in Transmission)
    assert bytes.fromhex("3B6D0000") + historical == t0
    assert bytes.fromhex("3BED0000 8131FE45") + historical == t1[:-1]
    assert (0,) == Atr.parse(t0).protocols
    assert (1,) == Atr.parse(t1).protocols
    assert historical == Atr.parse(t1).historical


@given(st.binary(max_size=15))
def test_the_atr_that_a_reader_makes_for_a_contactless_card_is_known(historical: bytes) -> None:
    assert Interface.CONTACTLESS is interface_of(contactless_atr(historical))


@given(st.binary(max_size=15), st.sampled_from(Transmission))
def test_the_atr_of_a_card_in_a_slot_is_no_contactless_one(
    historical: bytes, transmission: Transmission
) -> None:
    assert Interface.CONTACT is interface_of(contact_atr(historical, transmission))


@given(st.binary(max_size=15), st.data())
def test_an_atr_of_nearly_that_shape_is_of_a_card_in_a_slot(
    historical: bytes, data: st.DataObject
) -> None:
    raw = bytearray(contactless_atr(historical))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    assert Interface.CONTACT is interface_of(bytes(raw))


@given(st.binary(max_size=40))
def test_what_is_no_atr_is_of_no_contactless_card(raw: bytes) -> None:
    try:
        Atr.parse(raw)
    except FormatError:
        assert Interface.CONTACT is interface_of(raw)
