# SPDX-License-Identifier: Apache-2.0
"""PIN blocks and PIN values judged by another program: psec."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import digits

from apdu.crypto import pinblock, pinvalue
from apdu.crypto.aes import AES
from apdu.crypto.tdes import TDES

pytestmark = pytest.mark.outside
psec = pytest.importorskip("psec")

pins = digits(4, 12)
pans = digits(13, 19)
chances = st.binary(min_size=16, max_size=16)
tdes_keys = st.binary(min_size=16, max_size=16)
aes_keys = st.sampled_from(AES.key_lengths).flatmap(lambda n: st.binary(min_size=n, max_size=n))


def drawn(chance: bytes) -> pinblock.Random:
    return lambda count: chance[:count]


@given(pins, pans)
def test_formats_0_and_2_are_the_same_both_ways(pin: str, pan: str) -> None:
    block = psec.pinblock.encode_pinblock_iso_0(pin, pan)
    assert block == pinblock.build_iso_0(pin, pan)
    assert pin == pinblock.read_iso_0(block, pan) == psec.pinblock.decode_pinblock_iso_0(block, pan)
    block = psec.pinblock.encode_pinblock_iso_2(pin)
    assert block == pinblock.build_iso_2(pin)
    assert pin == pinblock.read_iso_2(block) == psec.pinblock.decode_pinblock_iso_2(block)


@given(pins, pans, chances)
def test_each_reads_the_others_format_3(pin: str, pan: str, chance: bytes) -> None:
    ours = pinblock.build_iso_3(pin, pan, drawn(chance))
    assert pin == psec.pinblock.decode_pinblock_iso_3(ours, pan)
    theirs = psec.pinblock.encode_pinblock_iso_3(pin, pan)
    assert pin == pinblock.read_iso_3(theirs, pan)


@given(aes_keys, pins, pans, chances)
def test_each_reads_the_others_format_4(key: bytes, pin: str, pan: str, chance: bytes) -> None:
    ours = pinblock.encipher_iso_4(AES.key(key), pin, pan, drawn(chance))
    assert pin == psec.pinblock.decipher_pinblock_iso_4(key, ours, pan)
    theirs = psec.pinblock.encipher_pinblock_iso_4(key, pin, pan)
    assert pin == pinblock.decipher_iso_4(AES.key(key), theirs, pan)


@given(st.binary(min_size=8, max_size=8), pans)
def test_both_read_and_refuse_the_same_blocks(block: bytes, pan: str) -> None:
    for first in ("0", "3"):
        changed = bytes.fromhex(first + block.hex()[1:])
        reads = {
            "0": (psec.pinblock.decode_pinblock_iso_0, pinblock.read_iso_0),
            "3": (psec.pinblock.decode_pinblock_iso_3, pinblock.read_iso_3),
        }[first]
        found = []
        for read in reads:
            try:
                found.append(read(changed, pan))
            except ValueError:
                found.append("")
        assert found[0] == found[1]


@given(tdes_keys, digits(4, 4), pans, digits(1, 1))
def test_the_pvv_is_the_same(key: bytes, pin: str, pan: str, index: str) -> None:
    assert psec.pin.generate_visa_pvv(key, index, pin, pan) == pinvalue.pvv(
        TDES.key(key), pin, pan, index
    )


@given(tdes_keys, pins, pans, digits(16, 16), st.sampled_from("0123456789ABCDEFabcdef"), st.data())
def test_natural_pin_and_offset_are_the_same(
    key: bytes, pin: str, pan: str, table: str, pad: str, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(pan) - 1))
    length = data.draw(st.integers(1, min(16, len(pan) - start)))
    validation, made = pan[start : start + length], TDES.key(key)
    offset = psec.pin.generate_ibm3624_offset(key, table, pin, pan, start, length, pad)
    assert offset == pinvalue.pin_offset(made, pin, validation, table, pad)
    natural = psec.pin.generate_ibm3624_pin(key, table, "0" * len(pin), pan, start, length, pad)
    assert natural == pinvalue.natural_pin(made, validation, len(pin), table, pad)
