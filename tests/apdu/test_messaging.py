# SPDX-License-Identifier: Apache-2.0
"""What one end protects the other one opens, and nothing else opens."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import altered, octet

from apdu.command import CommandAPDU
from apdu.crypto.suite import Suite
from apdu.crypto.suites import SUITES
from apdu.errors import FormatError, StatusError
from apdu.messaging import MAC, MESSAGING, Messaging, challenge_messaging, script_messaging
from apdu.secret import MASK

TDES, SM4 = SUITES[1], SUITES[2]


@dataclass(frozen=True)
class Agreement:
    """What both ends must agree on: the suite, the key of the MAC, and the rest of a convention."""

    suite: Suite
    key: bytes
    rest: tuple[bytes, ...]
    """A challenge; or ATC, cryptogram and key of encipherment."""

    def messaging(self) -> Messaging:
        """One end of it. Each end makes its own."""
        key = self.suite.key(self.key)
        if len(self.rest) == 1:
            return challenge_messaging(key, *self.rest)
        atc, cryptogram, cipher = self.rest
        return script_messaging(key, self.suite.key(cipher), atc, cryptogram)


def exactly(n: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=n, max_size=n)


suites = st.sampled_from([TDES, SM4])
keys = exactly(16)
challenged = st.builds(Agreement, suites, keys, st.tuples(exactly(8)))
scripted = st.builds(Agreement, suites, keys, st.tuples(exactly(2), exactly(8), keys))
agreements = challenged | scripted
classes = st.sampled_from([0x00, 0x80, 0x90, 0xB0, 0xF0])
datas = st.binary(max_size=40) | st.integers(0, 239).map(lambda n: b"\x5a" * n)
commands = st.builds(CommandAPDU, classes, octet, octet, octet, datas, st.sampled_from([0, 8, 256]))


def header(command: CommandAPDU) -> bytes:
    return bytes((command.cla, command.ins, command.p1, command.p2))


def opened(agreement: Agreement, raw: bytes, enciphered: bool) -> bytes | int:
    """What the other end makes of header and data as they came: data, or a status word."""
    try:
        return agreement.messaging().open(raw[:4], raw[4:], enciphered=enciphered)
    except StatusError as refused:
        return refused.sw


def flipped(raw: bytes, bit: int) -> bytes:
    return (int.from_bytes(raw) ^ 1 << bit % (8 * len(raw))).to_bytes(len(raw))


def protected(agreement: Agreement, command: CommandAPDU, enciphered: bool) -> bytes:
    """Header and data as they go out."""
    sent = agreement.messaging().protect(command, enciphered=enciphered)
    return header(sent) + sent.data


# A pair


@given(agreements, commands, st.booleans())
def test_what_is_protected_is_opened(
    agreement: Agreement, command: CommandAPDU, enciphered: bool
) -> None:
    sent = agreement.messaging().protect(command, enciphered=enciphered)
    assert replace(command, cla=command.cla | MESSAGING, data=sent.data) == sent
    assert command.data == opened(agreement, header(sent) + sent.data, enciphered)


@given(agreements, commands)
def test_data_is_in_the_clear_unless_it_is_enciphered(
    agreement: Agreement, command: CommandAPDU
) -> None:
    assert command.data == protected(agreement, command, False)[4:-MAC]
    assume(len(command.data) > 3)
    assert command.data not in protected(agreement, command, True)


@given(agreements, commands, st.booleans(), st.integers(0, 2**32))
def test_any_flipped_bit_is_noticed(
    agreement: Agreement, command: CommandAPDU, enciphered: bool, bit: int
) -> None:
    raw = protected(agreement, command, enciphered)
    assert 0x6988 == opened(agreement, flipped(raw, bit), enciphered)


@pytest.mark.parametrize("suite", [TDES, SM4], ids=repr)
@pytest.mark.parametrize("data", [b"", b"\x12\x34\x56"], ids=["unblock", "reload"])
@pytest.mark.parametrize("rest", [(bytes(8),), (bytes(2), bytes(8), bytes(16))], ids=len)
def test_every_single_bit_of_a_command_is_guarded(
    suite: Suite, data: bytes, rest: tuple[bytes, ...]
) -> None:
    agreement = Agreement(suite, bytes(range(16)), rest)
    raw = protected(agreement, CommandAPDU(0x80, 0x24, 0, 1, data), True)
    answers = [opened(agreement, flipped(raw, bit), True) for bit in range(8 * len(raw))]
    assert [0x6988] * len(answers) == answers


@given(agreements, commands, st.booleans(), st.integers(1, 300), st.binary(min_size=1))
def test_a_piece_cut_off_or_put_on_is_noticed(
    agreement: Agreement, command: CommandAPDU, enciphered: bool, cut: int, more: bytes
) -> None:
    raw = protected(agreement, command, enciphered)
    shorter = raw[: max(len(raw) - cut, 4)]
    expected = 0x6988 if len(shorter) >= 4 + MAC else 0x6987
    assert expected == opened(agreement, shorter, enciphered)
    assert 0x6988 == opened(agreement, raw + more, enciphered)
    assert 0x6988 == opened(agreement, raw[:4] + more + raw[4:], enciphered)


@given(agreements, commands, st.integers(0, 2**32))
def test_another_key_or_moment_is_another_agreement(
    agreement: Agreement, command: CommandAPDU, bit: int
) -> None:
    raw = protected(agreement, command, False)
    # The last bit of each byte of a DES key does not count.
    at = bit if agreement.suite is SM4 else bit | 1 if bit % 8 == 0 else bit
    others = [replace(agreement, key=flipped(agreement.key, at))]
    for n, part in enumerate(agreement.rest[:2]):
        rest = (*agreement.rest[:n], flipped(part, bit), *agreement.rest[n + 1 :])
        others.append(replace(agreement, rest=rest))
    others.append(replace(agreement, suite=SM4 if agreement.suite is TDES else TDES))
    for other in others:
        assert 0x6988 == opened(other, raw, False)


@given(scripted, commands, st.integers(0, 2**32))
def test_another_key_of_encipherment_does_not_show_the_data(
    agreement: Agreement, command: CommandAPDU, bit: int
) -> None:
    """Its MAC is right all the same, so now and then bytes in the right shape come out."""
    assume(command.data)
    atc, cryptogram, cipher = agreement.rest
    at = bit | 1 if bit % 8 == 0 else bit
    other = replace(agreement, rest=(atc, cryptogram, flipped(cipher, at)))
    assert command.data != opened(other, protected(agreement, command, True), True)


# Any bytes


@given(agreements, st.data(), commands, st.booleans())
def test_whatever_comes_is_opened_or_refused(
    agreement: Agreement, data: st.DataObject, command: CommandAPDU, enciphered: bool
) -> None:
    raw = protected(agreement, command, enciphered)
    came = data.draw(st.just(raw) | altered(st.just(raw)) | st.binary(min_size=4, max_size=300))
    found = opened(agreement, came, enciphered)
    if came == raw:
        assert command.data == found
    else:
        assert (0x6988 if len(came) >= 4 + MAC else 0x6987) == found


@given(agreements, commands.filter(lambda command: len(command.data) <= 40))
def test_a_right_mac_opens_only_what_encipherment_makes(
    agreement: Agreement, command: CommandAPDU
) -> None:
    raw = protected(agreement, command, False)
    found = opened(agreement, raw, True)
    if isinstance(found, int):
        assert 0x6988 == found
    else:
        assert raw == protected(agreement, replace(command, data=found), True)


@pytest.mark.parametrize("inside", ["08123456", "03123456", "0312345680000001", "00", "FF"])
def test_data_that_was_enciphered_in_another_shape_is_refused(inside: str) -> None:
    agreement = Agreement(TDES, bytes(range(16)), (bytes(8),))
    clear = bytes.fromhex(inside).ljust(8, b"\0")
    wrapped = agreement.messaging().cipher.encrypt(clear)
    raw = protected(agreement, CommandAPDU(0x80, 0x24, 0, 1, wrapped), False)
    assert 0x6988 == opened(agreement, raw, True)


# What cannot be protected


@pytest.mark.parametrize(
    ("suite", "enciphered", "longest"),
    [(TDES, False, 251), (SM4, False, 251), (TDES, True, 247), (SM4, True, 239)],
)
def test_what_does_not_fit_a_short_command_is_not_protected(
    suite: Suite, enciphered: bool, longest: int
) -> None:
    agreement = Agreement(suite, bytes(range(16)), (bytes(8),))
    command = CommandAPDU(0x00, 0xD6, 0, 0, bytes(longest))
    raw = protected(agreement, command, enciphered)
    assert command.data == opened(agreement, raw, enciphered)
    for length in (longest + 1, 255, 256, 65_535):
        with pytest.raises(FormatError, match="bytes"):
            agreement.messaging().protect(
                replace(command, data=bytes(length)), enciphered=enciphered
            )


@pytest.mark.parametrize("cla", [0x01, 0x08, 0x0C, 0x10, 0x14, 0x20, 0x40, 0x60, 0x83, 0x87, 0xFF])
def test_only_a_plain_class_is_protected(cla: int) -> None:
    """No channel, no chain, no other messaging: the bit would mean something else."""
    messaging = Agreement(TDES, bytes(range(16)), (bytes(8),)).messaging()
    with pytest.raises(FormatError, match="CLA"):
        messaging.protect(CommandAPDU(cla, 0xD6, 0, 0, b"\x01"))


@pytest.mark.parametrize(
    "make",
    [
        lambda key: challenge_messaging(key, bytes(7)),
        lambda key: challenge_messaging(key, bytes(16)),
        lambda key: script_messaging(key, key, bytes(1), bytes(8)),
        lambda key: script_messaging(key, key, bytes(2), bytes(7)).protect(CommandAPDU(0x80, 0x18)),
    ],
    ids=["challenge of 7", "challenge of 16", "ATC of 1", "cryptogram of 7"],
)
@pytest.mark.parametrize("suite", [TDES, SM4], ids=repr)
def test_an_agreement_of_wrong_length_is_refused(
    make: Callable[[object], object], suite: Suite
) -> None:
    with pytest.raises(FormatError, match="must be"):
        make(suite.key(bytes(range(16))))


def test_the_text_of_an_agreement_shows_no_key_and_it_cannot_be_stored() -> None:
    messaging = Agreement(TDES, bytes(range(16)), (bytes(2), bytes(8), bytes(16))).messaging()
    shown = f"Messaging(mac_key=3DES key {MASK}, cipher=3DES key {MASK}, link="
    assert repr(messaging).startswith(shown)
    with pytest.raises(TypeError):
        pickle.dumps(messaging)
