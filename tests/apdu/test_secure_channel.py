# SPDX-License-Identifier: Apache-2.0
"""The two halves of the secure channel: in step they understand each other, out of step nothing.

The values of published conversations are in the books.
"""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apdu.command import CommandAPDU
from apdu.crypto.suites import CHANNEL_SUITES, SUITES
from apdu.crypto.tdes import TDES
from apdu.errors import FormatError, StatusError
from apdu.secret import MASK
from apdu.secure_channel import (
    LONGEST,
    MAC,
    Channel,
    ChannelKeys,
    Handshake,
    begin,
    card_challenge,
)
from apdu.sw import SW
from apdu.wire.globalplatform import Level

octets = st.binary(min_size=16, max_size=16)
headers = st.tuples(st.sampled_from([0x80, 0x00]), *[st.integers(0, 0xFF)] * 3)
commands = st.builds(
    lambda header, data: CommandAPDU(*header, data), headers, st.binary(max_size=LONGEST - 25)
)
AID = bytes.fromhex("A000000333010101")


def handshake(keys: ChannelKeys, host: bytes, counter: int) -> Handshake:
    count = counter.to_bytes(2 if keys.suite is TDES else 3)
    return Handshake(host, count, card_challenge(keys, count, AID))


@st.composite
def channels(draw: st.DrawFn) -> Channel:
    suite = draw(st.sampled_from(list(CHANNEL_SUITES.values())))
    keys = ChannelKeys(*(suite.key(draw(octets)) for _ in range(3)))
    host, counter = draw(st.binary(min_size=8, max_size=8)), draw(st.integers(0, 0xFFFE))
    return begin(keys, handshake(keys, host, counter)).at(draw(st.sampled_from(list(Level))))


def opened(channel: Channel, sent: CommandAPDU) -> tuple[Channel, bytes]:
    return channel.open(bytes((sent.cla, sent.ins, sent.p1, sent.p2)), sent.data)


def refused(channel: Channel, sent: CommandAPDU) -> bool:
    try:
        opened(channel, sent)
    except StatusError as error:
        return error.sw == SW.MESSAGING_WRONG
    return False


@given(channels(), st.lists(commands, min_size=1, max_size=5))
def test_what_one_half_protects_the_other_opens(channel: Channel, said: list[CommandAPDU]) -> None:
    host = card = channel
    for command in said:
        host, sent = host.protect(command)
        card, data = opened(card, sent)
        assert command.data == data
        assert command.cla | 0x04 == sent.cla
        assert host == card


@given(channels(), commands, st.data())
def test_no_bit_can_be_changed_on_the_way(
    channel: Channel, command: CommandAPDU, data: st.DataObject
) -> None:
    _, sent = channel.protect(command)
    raw = bytearray(bytes((sent.cla, sent.ins, sent.p1, sent.p2)) + sent.data)
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(StatusError) as error:
        channel.open(bytes(raw[:4]), bytes(raw[4:]))
    assert SW.MESSAGING_WRONG == error.value.sw


@given(channels(), commands, commands)
def test_no_command_can_be_left_out_or_sent_twice(
    channel: Channel, first: CommandAPDU, second: CommandAPDU
) -> None:
    after, one = channel.protect(first)
    _, two = after.protect(second)
    assert refused(channel, two)
    card, _ = opened(channel, one)
    assert refused(card, one)
    assert not refused(card, two)


@given(channels(), st.binary(min_size=1, max_size=100))
def test_enciphered_data_is_not_seen(channel: Channel, data: bytes) -> None:
    hidden = channel.at(Level.MAC_AND_ENCIPHERMENT).protect(CommandAPDU(0x80, 0xE2, data=data))[1]
    plain = channel.at(Level.MAC).protect(CommandAPDU(0x80, 0xE2, data=data))[1]
    assert data == plain.data[:-MAC]
    assert (len(hidden.data) - MAC) % channel.enc.suite.block == 0
    assert len(hidden.data) > len(plain.data)
    assert len(data) < 8 or data not in hidden.data


@given(channels(), st.binary(max_size=100))
def test_a_secret_comes_back_from_under_the_dek(channel: Channel, secret: bytes) -> None:
    hidden = channel.encipher(secret)
    assert secret == channel.decipher(hidden)
    assert len(secret) < 8 or secret not in hidden


@given(octets, octets, octets, st.integers(0, 0xFFFE), st.sampled_from(list(CHANNEL_SUITES)))
def test_every_number_of_the_counter_makes_other_keys_and_challenges(
    enc: bytes, mac: bytes, dek: bytes, counter: int, number: int
) -> None:
    suite = CHANNEL_SUITES[number]
    keys = ChannelKeys(*map(suite.key, (enc, mac, dek)))
    one, other = (begin(keys, handshake(keys, bytes(8), n)) for n in (counter, counter + 1))
    assert one.card_cryptogram != other.card_cryptogram
    assert one.host_cryptogram != other.host_cryptogram
    assert one.host_cryptogram != one.card_cryptogram
    command = CommandAPDU(0x80, 0xE2, data=b"group")
    assert refused(other, one.protect(command)[1])


@given(channels())
def test_a_short_command_holds_what_it_holds(channel: Channel) -> None:
    plain = channel.at(Level.MAC)
    longest = CommandAPDU(0x80, 0xE2, data=bytes(LONGEST - MAC))
    assert LONGEST == len(plain.protect(longest)[1].data)
    with pytest.raises(FormatError, match="protected data"):
        plain.protect(replace(longest, data=longest.data + b"\0"))
    with pytest.raises(FormatError, match="protected data"):
        channel.at(Level.MAC_AND_ENCIPHERMENT).protect(longest)


@given(channels(), st.binary(max_size=MAC - 1) | st.binary(min_size=LONGEST + 1, max_size=300))
def test_what_holds_no_mac_or_is_too_long_is_refused(channel: Channel, sent: bytes) -> None:
    with pytest.raises(StatusError) as error:
        channel.open(bytes.fromhex("84E20000"), sent)
    assert SW.MESSAGING_WRONG == error.value.sw


def test_keys_of_two_suites_or_of_sm4_make_no_channel() -> None:
    tdes, aes, sm4 = (suite.key(bytes(16)) for suite in (*CHANNEL_SUITES.values(), SUITES[2]))
    for three in ((tdes, tdes, aes), (aes, tdes, aes), (sm4, sm4, sm4), (tdes, sm4, tdes)):
        with pytest.raises(FormatError, match="channel keys"):
            ChannelKeys(*three)


@given(channels())
def test_no_text_shows_a_key_and_no_channel_is_stored(channel: Channel) -> None:
    assert f"{type(channel).__name__}({MASK})" == repr(channel) == str(channel)
    keys = ChannelKeys(channel.enc, channel.mac, channel.dek)
    assert MASK in repr(keys)
    for each in (channel, keys):
        with pytest.raises(TypeError):
            pickle.dumps(each)
