# SPDX-License-Identifier: Apache-2.0
"""The laws of the suites: blocks, MACs and padding; kept keys are as good as fresh ones."""

from __future__ import annotations

import copy
import pickle
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apdu.crypto import padding
from apdu.crypto.sm4 import SM4
from apdu.crypto.suite import BlockKey, Suite
from apdu.crypto.suites import SUITES
from apdu.crypto.tdes import TDES, odd_parity
from apdu.errors import FormatError

PADDINGS = (padding.method_1, padding.method_2, padding.when_needed)
VALUE = bytes(range(0xA0, 0xB0))

suites = st.sampled_from(list(SUITES.values()))
lengths = [(suite, length) for suite in SUITES.values() for length in suite.key_lengths]
values = st.sampled_from(lengths).flatmap(
    lambda found: st.tuples(st.just(found[0]), st.binary(min_size=found[1], max_size=found[1]))
)
keys = values.map(lambda found: found[0].key(found[1]))
double = st.binary(min_size=16, max_size=16)
block8 = st.binary(min_size=8, max_size=8)
marked = st.builds(
    lambda text, zeros: text + b"\x80" + bytes(zeros), st.binary(max_size=16), st.integers(0, 32)
)
"""A mark, and perhaps the right number of zeros."""
texts = st.one_of(st.binary(max_size=60), st.binary(min_size=250, max_size=300))


def whole(block: int, least: int = 0) -> st.SearchStrategy[bytes]:
    sizes = st.integers(least, 6).map(lambda count: count * block)
    return sizes.flatmap(lambda size: st.binary(min_size=size, max_size=size))


def parts(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def cbc_mac(key: BlockKey, blocks: bytes) -> bytes:
    """By the definition: one block after the other."""
    state = bytes(key.suite.block)
    for block in parts(blocks, key.suite.block):
        state = key.encrypt(xor(state, block))
    return state


def by_definition(key: BlockKey, blocks: bytes) -> bytes:
    """The MAC: under 3DES all but the last block pass under the first key alone."""
    if key.suite is not TDES:
        return cbc_mac(key, blocks)
    state = cbc_mac(TDES.key(key._value[:8]), blocks[:-8])
    return key.encrypt(xor(state, blocks[-8:]))


# Blocks


@given(st.data(), keys)
def test_blocks_are_enciphered_and_deciphered_one_by_one(
    data: st.DataObject, key: BlockKey
) -> None:
    size = key.suite.block
    clear = data.draw(whole(size))
    done = key.encrypt(clear)
    assert done == b"".join(map(key.encrypt, parts(clear, size)))
    assert clear == key.decrypt(done)
    assert clear == b"".join(map(key.decrypt, parts(done, size)))


@given(values, st.data(), texts, st.sampled_from(PADDINGS))
def test_a_key_that_keeps_nothing_does_what_a_kept_one_does(
    found: tuple[Suite, bytes], data: st.DataObject, text: bytes, pad: padding.Padding
) -> None:
    suite, value = found
    kept, passing = suite.key(value), suite.once(value)
    clear = data.draw(whole(suite.block))
    for _ in range(2):
        for way in ("encrypt", "decrypt"):
            assert getattr(kept, way)(clear) == getattr(passing, way)(clear)
        for way in ("mac", "cbc_mac"):
            assert _answer(kept, way, text, pad) == _answer(passing, way, text, pad)
    for way in ("encrypt", "decrypt"):
        with pytest.raises(FormatError, match="must be whole blocks"):
            getattr(passing, way)(clear + b"x")
    assert repr(kept) == repr(passing)


@given(values, texts)
def test_the_mac_of_a_key_for_once_is_that_of_a_kept_one(
    made: tuple[Suite, bytes], text: bytes
) -> None:
    suite, value = made
    assert suite.key(value).mac(text) == suite.mac_once(value, text)


@pytest.mark.parametrize("suite", SUITES.values(), ids=repr)
@pytest.mark.parametrize("length", [0, 7, 15, 17, 33])
def test_a_key_for_once_has_a_right_length_as_well(suite: Suite, length: int) -> None:
    with pytest.raises(FormatError):
        suite.mac_once(bytes(length), b"")


def _answer(key: BlockKey, way: str, text: bytes, pad: padding.Padding) -> bytes | str:
    try:
        found: bytes = getattr(key, way)(text, pad)
    except FormatError as error:
        return str(error)
    return found


@given(block8, whole(8), texts)
def test_a_key_of_equal_parts_is_single_des(half: bytes, clear: bytes, text: bytes) -> None:
    single, *others = (TDES.key(half * count) for count in (1, 2, 3))
    for other in others:
        assert single.encrypt(clear) == other.encrypt(clear)
        assert single.decrypt(clear) == other.decrypt(clear)
        assert single.mac(text) == other.mac(text) == other.cbc_mac(text)


@given(double, whole(8))
def test_two_keys_are_three_of_which_the_last_is_the_first(value: bytes, clear: bytes) -> None:
    assert TDES.key(value).encrypt(clear) == TDES.key(value + value[:8]).encrypt(clear)


@given(values, st.data())
def test_parity_makes_no_difference(found: tuple[Suite, bytes], data: st.DataObject) -> None:
    suite, value = found
    clear = data.draw(whole(suite.block))
    same = suite.key(value).encrypt(clear) == suite.key(odd_parity(value)).encrypt(clear)
    assert same or suite is not TDES
    assert all(byte.bit_count() % 2 for byte in odd_parity(value))
    assert all(a ^ b < 2 for a, b in zip(value, odd_parity(value), strict=True))


@given(keys, st.integers(1, 8))
def test_a_check_value_is_the_beginning_of_an_enciphered_zero_block(
    key: BlockKey, length: int
) -> None:
    assert key.encrypt(bytes(key.suite.block))[:length] == key.check_value(length)
    assert key.check_value(3) == key.check_value()


# MACs


@given(keys, texts, st.sampled_from(PADDINGS))
def test_a_mac_is_what_its_definition_says(
    key: BlockKey, text: bytes, pad: padding.Padding
) -> None:
    text = text or b"\x00"
    size = key.suite.block
    blocks = pad(text, size)
    assert cbc_mac(key, blocks) == key.cbc_mac(text, pad)
    mac = key.mac(text, pad)
    assert size == len(mac)
    assert by_definition(key, blocks) == mac
    if size == 8 and len(key._value) == 16:
        # Deciphering under the second key and enciphering under the first comes to the same.
        first, second = (TDES.key(half) for half in parts(key._value, 8))
        assert first.encrypt(second.decrypt(cbc_mac(first, blocks))) == mac


@given(values, st.lists(st.tuples(texts, st.sampled_from(PADDINGS), st.booleans()), max_size=12))
def test_a_kept_key_makes_the_same_macs_as_a_fresh_one(
    found: tuple[Suite, bytes], wanted: list[tuple[bytes, padding.Padding, bool]]
) -> None:
    suite, value = found
    kept = suite.key(value)
    for text, pad, chained in wanted:
        if pad is padding.when_needed and not text:
            continue
        way = "cbc_mac" if chained else "mac"
        fresh = suite.key(value)
        assert getattr(fresh, way)(text, pad) == getattr(kept, way)(text, pad)


@given(keys, st.binary(min_size=1, max_size=60), st.data())
def test_a_changed_bit_changes_the_mac(key: BlockKey, text: bytes, data: st.DataObject) -> None:
    bit = data.draw(st.integers(0, 8 * len(text) - 1))
    changed = bytearray(text)
    changed[bit // 8] ^= 1 << bit % 8
    assert key.mac(text) != key.mac(bytes(changed))
    assert key.cbc_mac(text) != key.cbc_mac(bytes(changed))


@pytest.mark.parametrize("suite", SUITES.values(), ids=str)
def test_a_mac_is_right_at_every_length(suite: Suite) -> None:
    key = suite.key(VALUE)
    for length in range(320):
        text = bytes(n & 0xFF for n in range(length))
        assert by_definition(key, padding.method_2(text, suite.block)) == key.mac(text)


@given(keys, st.binary(max_size=40))
def test_a_longer_text_has_another_mac_even_if_00_was_added(key: BlockKey, text: bytes) -> None:
    assert key.mac(text) != key.mac(text + b"\x00")


@given(double, texts)
def test_what_stands_in_a_bytearray_has_the_same_mac(value: bytes, text: bytes) -> None:
    for suite in SUITES.values():
        key = suite.key(value)
        assert key.mac(text) == key.mac(bytearray(text))


# Padding


@given(st.binary(max_size=40), st.sampled_from([4, 8, 16]))
def test_padding_fills_to_whole_blocks_and_method_2_can_be_undone(text: bytes, size: int) -> None:
    for pad in PADDINGS:
        filled = pad(text, size)
        assert filled.startswith(text)
        assert 0 == len(filled) % size
        assert len(filled) - len(text) <= size
    assert text == padding.strip_2(padding.method_2(text, size), size)
    assert text.rstrip(b"\x00") == padding.method_1(text, size).rstrip(b"\x00")


@given(st.one_of(st.binary(max_size=34), marked), st.sampled_from([8, 16]))
def test_what_method_2_did_not_make_is_refused(data: bytes, size: int) -> None:
    try:
        text = padding.strip_2(data, size)
    except FormatError as error:
        assert "padding: must be 80 and 00 to the end of the last block" == str(error)
        made = {padding.method_2(data[:end], size) for end in range(len(data))}
        assert data not in made
    else:
        assert data == padding.method_2(text, size)


# What is refused


def refused(error: pytest.ExceptionInfo[FormatError], name: str, given_: bytes) -> None:
    text = str(error.value)
    assert text.startswith(name)
    for form in (given_.hex(), given_.hex().upper(), repr(given_)):
        assert len(given_) < 2 or form not in text


@given(suites, st.binary(max_size=40))
def test_a_key_of_another_length_is_refused(suite: Suite, value: bytes) -> None:
    if len(value) in suite.key_lengths:
        assert suite is suite.key(value).suite
        return
    for way in (suite.key, suite.remarks):
        with pytest.raises(FormatError) as error:
            way(value)
        refused(error, f"{suite.name} key: {len(value)} bytes", value)


@given(keys, st.binary(min_size=1, max_size=40), texts)
def test_after_a_refusal_a_key_still_gives_right_answers(
    key: BlockKey, data: bytes, text: bytes
) -> None:
    fresh = key.suite.key(key._value)
    assert fresh.mac(text) == key.mac(text)
    if len(data) % key.suite.block:
        calls: list[Any] = [key.encrypt, key.decrypt]
        calls += [
            lambda data, way=way: way(data, padding.without) for way in (key.mac, key.cbc_mac)
        ]
        for call in calls:
            with pytest.raises(FormatError) as error:
                call(data)
            refused(error, f"data: {len(data)} bytes, must be whole blocks", data)
    for call in (key.mac, key.cbc_mac):
        with pytest.raises(FormatError):
            call(b"", padding.when_needed)
        with pytest.raises(FormatError):
            call(data, lambda data, size: b"\x01" * (size + 1))
        with pytest.raises(TypeError):
            call("text")
    with pytest.raises(TypeError):
        key.encrypt("0123456789ABCDEF")  # type: ignore[arg-type]
    clear = bytes(3 * key.suite.block)
    assert fresh.mac(text) == key.mac(text)
    assert fresh.cbc_mac(text) == key.cbc_mac(text)
    assert clear == key.decrypt(key.encrypt(clear))
    assert fresh.encrypt(clear) == key.encrypt(clear)


@pytest.mark.parametrize("length", [-1, 0, 9, 100])
def test_a_check_value_has_at_most_the_bytes_of_a_block(length: int) -> None:
    with pytest.raises(FormatError, match=f"check value: {length} bytes, must be 1 to 8"):
        TDES.key(VALUE).check_value(length)


@pytest.mark.parametrize("suite", SUITES.values(), ids=str)
def test_a_key_stays_what_it_was_when_its_bytes_are_wiped(suite: Suite) -> None:
    value = bytearray(VALUE)
    key = suite.key(value)
    value[:] = bytes(16)
    assert suite.key(VALUE).encrypt(VALUE) == key.encrypt(VALUE)
    with pytest.raises(TypeError):
        suite.key("0123456789ABCDEF")  # type: ignore[arg-type]


# What can be said and seen of a key


@given(st.lists(block8, min_size=1, max_size=3))
def test_a_good_key_is_not_remarked_on_and_any_key_is_taken(halves: list[bytes]) -> None:
    value = b"".join(halves)
    words = TDES.remarks(value)
    assert ("parity is not odd" in words) == (value != odd_parity(value))
    odd = [odd_parity(half) for half in halves]
    alike = any(a == b for a, b in pairwise(odd))
    assert ("parts beside each other are equal, so it is single DES" in words) == alike
    assert ("all bytes are equal" in words) == (len(set(value)) == 1)
    # A remark quotes nothing of the key.
    assert all(half.hex() not in " ".join(words) for half in halves)


def test_keys_that_undo_themselves_or_one_another_are_remarked_on() -> None:
    weak = "a part is a weak or semi-weak DES key"
    pairs = [("01FE01FE01FE01FE", "FE01FE01FE01FE01"), ("E0FEE0FEF1FEF1FE", "FEE0FEE0FEF1FEF1")]
    pairs += [(each, each) for each in ("0101010101010101", "1F1F1F1F0E0E0E0E")]
    for pair in pairs:
        one, other = map(bytes.fromhex, pair)
        block = bytes(range(8))
        assert block == TDES.key(one).encrypt(TDES.key(other).encrypt(block))
        for key in (one, other):
            assert weak in TDES.remarks(key)
            assert weak in TDES.remarks(bytes.fromhex("0123456789ABCDEF") + key)
            assert weak in TDES.remarks(bytes(byte ^ 1 for byte in key))
    assert () == TDES.remarks(bytes.fromhex("0123456789ABCDEFFEDCBA9876543210"))


@pytest.mark.parametrize("suite", SUITES.values(), ids=str)
def test_a_key_shows_nothing_and_cannot_be_copied(suite: Suite) -> None:
    key = suite.key(VALUE)
    key.mac(bytes(20))
    key.cbc_mac(bytes(20))
    key.decrypt(key.encrypt(bytes(16)))
    for text in (repr(key), str(key), f"{key}", "%s" % key, f"{[key]!r}"):  # noqa: UP031
        assert f"{suite.name} key •••" in text
        assert VALUE.hex() not in text.lower()
        assert repr(VALUE)[2:-1] not in text
    for way in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="a key is not to be copied or stored"):
            way(key)
    assert not hasattr(key, "__dict__")


def test_the_suites_are_found_by_their_numbers() -> None:
    assert {1: TDES, 2: SM4} == SUITES
    assert [(8, 16), (16, 16)] == [(each.block, each.key_lengths[0]) for each in SUITES.values()]
    assert ["3DES", "SM4"] == list(map(repr, SUITES.values()))
