# SPDX-License-Identifier: Apache-2.0
"""The class byte: all 256 of them, taken apart and put together."""

from __future__ import annotations

import pytest

from apdu.cla import CHAINING, ClassByte, build, channel_only, parse
from apdu.errors import FormatError

BYTES = range(256)
RESERVED = {cla for cla in BYTES if cla >> 5 == 0b001} | {0xFF}


def test_every_class_byte_is_understood_but_the_reserved_ones() -> None:
    refused = set()
    for cla in BYTES:
        try:
            parse(cla)
        except FormatError:
            refused.add(cla)
    assert refused == RESERVED


def test_an_interindustry_class_built_from_its_parts_is_the_same() -> None:
    for cla in set(range(0x80)) - RESERVED:
        found = parse(cla)
        assert cla == build(found.channel, chaining=found.chaining, messaging=found.messaging)
        assert (False, 0x00) == (found.proprietary, found.base)


def test_every_channel_with_every_bit_is_built_and_read() -> None:
    for channel in range(20):
        for messaging in range(4 if channel < 4 else 2):
            for chaining in (False, True):
                cla = build(channel, chaining=chaining, messaging=messaging)
                assert ClassByte(False, channel, chaining, messaging, 0x00) == parse(cla)
                assert chaining == bool(cla & CHAINING)


def test_a_proprietary_class_is_never_chained() -> None:
    for cla in set(range(0x80, 0x100)) - RESERVED:
        found = parse(cla)
        assert (True, False) == (found.proprietary, found.chaining)
        assert cla == found.base | found.messaging << 2 | found.channel


def test_channel_only_keeps_the_channel_and_nothing_else() -> None:
    for cla in set(BYTES) - RESERVED:
        assert build(parse(cla).channel) == channel_only(cla)


# ISO 7816-4 5.4.1, tables 2 and 3: where well-kept code has gone wrong
@pytest.mark.parametrize(
    ("cla", "channel", "chaining", "messaging"),
    [
        (0x00, 0, False, 0),
        (0x03, 3, False, 0),
        (0x0C, 0, False, 3),
        (0x10, 0, True, 0),
        (0x40, 4, False, 0),
        (0x44, 8, False, 0),
        (0x4F, 19, False, 0),
        (0x60, 4, False, 1),
        (0x50, 4, True, 0),
    ],
)
def test_the_tables_of_the_standard_are_kept(
    cla: int, channel: int, chaining: bool, messaging: int
) -> None:
    assert (channel, chaining, messaging) == parse(cla)[1:4]


@pytest.mark.parametrize("cla", [-1, 0x100, 0x20, 0x3F, 0xFF])
def test_what_is_no_class_byte_is_refused(cla: int) -> None:
    with pytest.raises(FormatError):
        parse(cla)


@pytest.mark.parametrize(("channel", "messaging"), [(-1, 0), (20, 0), (0, 4), (4, 2), (0, -1)])
def test_what_no_class_byte_can_say_is_refused(channel: int, messaging: int) -> None:
    with pytest.raises(FormatError):
        build(channel, messaging=messaging)
