# SPDX-License-Identifier: Apache-2.0
"""Issuer scripts: what is sent is taken, anything else is not, and data comes back as it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import near

from apdu.crypto import script
from apdu.crypto.script import BARE, PBOC, VIS, Script
from apdu.crypto.suite import BlockKey, Suite
from apdu.crypto.suites import SUITES
from apdu.errors import FormatError

PARTS = ("header", "atc", "link", "data")
KEY = bytes.fromhex("000102030405060708090A0B0C0D0E0F")
every_suite = pytest.mark.parametrize("suite", SUITES.values(), ids=str)
every_wrapping = pytest.mark.parametrize("wrapping", [PBOC, VIS, BARE], ids=["PBOC", "VIS", "bare"])
payload = st.binary(min_size=1, max_size=0xFF)
carried = st.integers(4, 8)


@st.composite
def commands(draw: st.DrawFn) -> dict[str, bytes]:
    """A script's command: header, ATC, link and data, with room for a MAC of 4 to 8 bytes."""
    data = draw(st.binary(max_size=40))
    start = draw(st.binary(min_size=4, max_size=4))
    header = start + bytes((len(data) + draw(carried),))
    atc, link = draw(st.binary(min_size=2, max_size=2)), draw(st.binary(min_size=8, max_size=8))
    return {"header": header, "atc": atc, "link": link, "data": data}


def flipped(raw: bytes, bit: int) -> bytes:
    """One bit turned over."""
    number = int.from_bytes(raw) ^ 1 << bit % (8 * len(raw))
    return number.to_bytes(len(raw))


def sent(key: BlockKey, command: dict[str, bytes]) -> bytes:
    """The bytes of MAC that a command carries."""
    room = command["header"][-1] - len(command["data"])
    return script.script_mac(key, **command)[:room]


# Integrity


@every_suite
@given(command=commands())
def test_a_command_with_its_mac_is_taken(suite: Suite, command: dict[str, bytes]) -> None:
    key = suite.key(KEY)
    assert script.verify_script(key, **command, mac=sent(key, command))
    bound = command["header"], command["atc"] + command["link"] + command["data"]
    assert suite.key(KEY).mac(b"".join(bound))[:8] == script.script_mac(key, **command)


@every_suite
@given(
    command=commands(), part=st.sampled_from(["header", "atc", "link", "data"]), bit=st.integers(0)
)
def test_a_flipped_bit_anywhere_is_not_taken(
    suite: Suite, command: dict[str, bytes], part: str, bit: int
) -> None:
    key = suite.key(KEY)
    mac = sent(key, command)
    assert not script.verify_script(key, **command, mac=flipped(mac, bit))
    changed = command | {part: command[part] and flipped(command[part], bit)}
    if changed == command:
        return
    if changed["header"][-1] == command["header"][-1]:
        assert not script.verify_script(key, **changed, mac=mac)
    else:
        with pytest.raises(FormatError):
            script.verify_script(key, **changed, mac=mac)


@every_suite
@given(command=commands(), bit=st.integers(0, 127))
def test_another_key_gives_another_mac(suite: Suite, command: dict[str, bytes], bit: int) -> None:
    wrong = flipped(KEY, bit)
    if suite.name == "3DES" and bit % 8 == 0:  # the parity bits, which the cipher ignores
        assert script.verify_script(suite.key(wrong), **command, mac=sent(suite.key(KEY), command))
    else:
        assert not script.verify_script(
            suite.key(wrong), **command, mac=sent(suite.key(KEY), command)
        )


@every_suite
@given(command=commands(), bit=st.integers(0))
def test_a_command_without_link_is_proven_over_header_and_data(
    suite: Suite, command: dict[str, bytes], bit: int
) -> None:
    key, header, data = suite.key(KEY), command["header"], command["data"]
    mac = script.command_mac(key, header, data)[: header[-1] - len(data)]
    assert script.verify_command(key, header, data, mac)
    assert not script.verify_command(key, header, data, flipped(mac, bit))
    assert not script.verify_command(key, flipped(header[:4], bit) + header[4:], data, mac)
    if data:
        assert not script.verify_command(key, header, flipped(data, bit), mac)


@pytest.mark.parametrize(
    ("field", "value", "name"),
    [
        ("header", b"\x84\x16\0\0", "header: 4 bytes"),
        ("header", b"\x84\x16\0\0\x04\0", "header: 6 bytes"),
        ("header", b"\x84\x16\0\0\x03", "header: Lc is 3"),
        ("header", b"\x84\x16\0\0\x09", "header: Lc is 9"),
        ("atc", b"\0", "ATC: 1 bytes"),
        ("atc", b"\0\0\0", "ATC: 3 bytes"),
        ("link", bytes(4), "link: 4 bytes"),
        ("link", bytes(9), "link: 9 bytes"),
        ("data", b"\0", "header: Lc is 4"),
        ("mac", bytes(3), "MAC: 3 bytes"),
        ("mac", bytes(5), "MAC: 5 bytes"),
        ("mac", b"", "MAC: 0 bytes"),
    ],
)
def test_a_wrong_length_is_named(field: str, value: bytes, name: str) -> None:
    good = {
        "header": b"\x84\x16\0\0\x04",
        "atc": bytes(2),
        "link": bytes(8),
        "data": b"",
        "mac": bytes(4),
    }
    key = next(iter(SUITES.values())).key(KEY)
    script.verify_script(key, **good)
    with pytest.raises(FormatError, match=f"^{name}"):
        script.verify_script(key, **good | {field: value})


# Confidentiality


@every_suite
@every_wrapping
@given(data=payload)
def test_what_is_deciphered_is_what_was_enciphered(
    suite: Suite, wrapping: script.Wrapping, data: bytes
) -> None:
    key = suite.key(KEY)
    enciphered = script.encipher(key, data, wrapping)
    assert 0 == len(enciphered) % suite.block
    assert data == script.decipher(key, enciphered, wrapping, len(data))
    if wrapping.counted:
        assert data == script.decipher(key, enciphered, wrapping)


@every_suite
@pytest.mark.parametrize("length", range(1, 0x100))
def test_every_length_comes_back(suite: Suite, length: int) -> None:
    key, data = suite.key(KEY), bytes(length)
    for wrapping in (PBOC, VIS, BARE):
        known = None if wrapping.counted else length
        assert data == script.decipher(key, script.encipher(key, data, wrapping), wrapping, known)


@every_suite
@every_wrapping
@given(data=st.data())
def test_blocks_are_what_would_be_enciphered_or_refused(
    suite: Suite, wrapping: script.Wrapping, data: st.DataObject
) -> None:
    key = suite.key(KEY)
    clear = data.draw(near(payload.map(lambda raw: wrapping.padding(raw, suite.block))))
    known = data.draw(st.integers(0, 40) if not wrapping.counted else st.none())
    enciphered = key.encrypt(clear + bytes(-len(clear) % suite.block))
    try:
        found = script.decipher(key, enciphered, wrapping, known)
    except FormatError:
        return
    assert enciphered == script.encipher(key, found, wrapping)


@every_suite
@pytest.mark.parametrize("front", [0, 7, 9, 0xFF])
@pytest.mark.parametrize("behind", ["80000000000000", "80000000000001", "00000000000000"])
def test_a_refusal_does_not_tell_where_it_went_wrong(suite: Suite, front: int, behind: str) -> None:
    key = suite.key(KEY)
    clear = bytes((front,)) + b"\x06\x12\x34\x56" * 2 + bytes.fromhex(behind)
    with pytest.raises(FormatError) as refused:
        script.decipher(key, key.encrypt(clear))
    assert "enciphered data: what is inside is not in its shape" == str(refused.value)


# The template


scripts = st.builds(
    Script,
    st.lists(st.binary(min_size=4, max_size=40), min_size=1, max_size=4).map(tuple),
    st.just(b"") | st.binary(min_size=4, max_size=4),
    st.sampled_from([0x71, 0x72]),
)


@given(scripts)
def test_a_template_read_back_is_the_script(made: Script) -> None:
    assert made == Script.parse(made.build())


@given(near(scripts.map(Script.build)))
def test_any_bytes_are_one_script_or_refused(raw: bytes) -> None:
    try:
        found = Script.parse(raw)
    except FormatError:
        return
    assert raw == found.build()


@pytest.mark.parametrize("part", ["commands", "identifier", "tag"])
def test_a_script_that_cannot_be_is_not_built(part: str) -> None:
    wrong: dict[str, Callable[[], Any]] = {
        "commands": lambda: Script((b"\x84\x16\0",)).build(),
        "identifier": lambda: Script((b"\x84\x16\0\0",), b"\0").build(),
        "tag": lambda: Script((b"\x84\x16\0\0",), b"", 0x70).build(),
    }
    with pytest.raises(FormatError):
        wrong[part]()
