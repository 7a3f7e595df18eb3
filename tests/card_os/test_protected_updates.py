# SPDX-License-Identifier: Apache-2.0
"""UPDATE RECORD, APPEND RECORD and UPDATE BINARY may carry a MAC; a wrong one writes nothing."""

from __future__ import annotations

from functools import cache

import pytest
from benchplan import noise
from keybench import SM4, TDES, both_suites, challenge, external, flipped
from testbench import (
    FLASH_SIZE,
    SELECT_DEBIT,
    SELECT_HRSS,
    SELECT_MF,
    blank,
    command,
    select_df,
    send_all,
    sw,
    verify,
    world,
)

from apdu.command import CommandAPDU, encode
from apdu.crypto.derive import authentication, challenge_key
from apdu.crypto.suite import Suite
from apdu.messaging import challenge_messaging
from apdu.wire.access import ALWAYS, NEVER, Key, Pin, any_of
from apdu.wire.hrss.application import SSSE_NAME
from apdu.wire.iso7816 import (
    APPEND_RECORD,
    READ_BINARY,
    READ_RECORD,
    UPDATE_BINARY,
    UPDATE_RECORD,
    AppendTarget,
    RecordRef,
    RecordTarget,
    SfiOffset,
)
from apdu.wire.pboc.application import DEBIT_AID
from apdu.wire.perso import (
    ACTIVATE_FILE,
    CREATE_FILE,
    WRITE_KEY,
    Algorithm,
    FileHeader,
    FileKind,
    KeyBlock,
    KeyRef,
    KeyUsage,
)
from card_os.chip import ROM, Chip
from card_os.nvm import Flash

OLD, NEW = b"old data", b"new data"
PIN = "123456"
PLACES = {"SSSE": 0xDDF1, "DF01": 0xDF01, "DF02": 0xDF02, "DF03": 0xDF03}
UPDATE_KEY = 0x04
MESSAGING_KEY = {"SSSE": ("SSSE", 0x02), "DF01": ("DF01", 0x82), "DF02": ("DF02", 0x82)}
"""DF03 has none of its own: there it is the application's."""
COMMANDS = {
    "UPDATE RECORD": command(UPDATE_RECORD, RecordTarget(1, 1), NEW),
    "APPEND RECORD": command(APPEND_RECORD, AppendTarget(1), NEW),
    "UPDATE BINARY": command(UPDATE_BINARY, SfiOffset(2), NEW),
}
every_place = pytest.mark.parametrize("place", PLACES)
every_command = pytest.mark.parametrize("name", COMMANDS)


def key_value(place: str, kid: int) -> bytes:
    return noise(f"{place} {kid}", 16)


def messaging_key(place: str) -> bytes:
    return key_value(*MESSAGING_KEY.get(place, MESSAGING_KEY["SSSE"]))


@cache
def cells(suite: Suite) -> bytes:
    """A sealed card: in every place a file of records and a plain one, behind the update key."""
    flash = Flash(bytearray(FLASH_SIZE))
    chip = blank(flash)

    def create(header: FileHeader) -> None:
        send_all(chip, [command(CREATE_FILE, None, header)])

    def write(kid: int, usage: KeyUsage, value: bytes) -> None:
        block = KeyBlock(usage, 1, Algorithm(suite.number), 15, value)
        send_all(chip, [command(WRITE_KEY, KeyRef(kid), block)])

    rule = any_of(Key(UPDATE_KEY), Pin(0))
    for place, fid in (*PLACES.items(), ("DEBIT", 0xDDF2)):
        name = {"SSSE": SSSE_NAME, "DEBIT": DEBIT_AID}.get(place, place.encode())
        send_all(chip, [SELECT_MF, *([SELECT_HRSS] if fid < 0xDDF1 or fid > 0xDDF2 else [])])
        create(FileHeader(FileKind.DF, fid, NEVER, NEVER, name=name))
        if place == "SSSE":
            write(UPDATE_KEY, KeyUsage.EXTERNAL_AUTHENTICATE, key_value(place, UPDATE_KEY))
            pin = KeyBlock(KeyUsage.PIN, 0, Algorithm.NONE, 6, bytes.fromhex(PIN))
            send_all(chip, [command(WRITE_KEY, KeyRef(0), pin)])
        if place in MESSAGING_KEY:
            write(MESSAGING_KEY[place][1], KeyUsage.MESSAGING, messaging_key(place))
        update = ALWAYS if place == "DEBIT" else rule
        create(FileHeader(FileKind.LINEAR_FIXED, 0xEF01, ALWAYS, update, 1, 24, 3))
        send_all(chip, [command(APPEND_RECORD, AppendTarget(1), OLD)])
        create(FileHeader(FileKind.TRANSPARENT, 0xEF02, ALWAYS, update, 2, 64))
        send_all(chip, [command(UPDATE_BINARY, SfiOffset(2), OLD)])
    send_all(chip, [SELECT_MF, command(ACTIVATE_FILE)])
    return bytes(flash.cells)


class Window:
    """That card, in one of its places, and somebody who has its keys."""

    def __init__(self, suite: Suite, place: str, *, proven: bool = True) -> None:
        self.suite = suite
        self.chip = Chip(ROM, Flash(bytearray(cells(suite))), world())
        send_all(self.chip, [SELECT_HRSS])
        if place != "SSSE":
            send_all(self.chip, [select_df(PLACES[place])])
        if proven:
            self.prove()
        self.before = self.chip.snapshot()

    def challenge(self) -> bytes:
        return self.chip.transmit(challenge())[:-2]

    def prove(self) -> None:
        key = self.suite.key(key_value("SSSE", UPDATE_KEY))
        shown = authentication(challenge_key(key, self.challenge()), bytes(8))
        send_all(self.chip, [external(UPDATE_KEY, shown, bytes(8))])

    def protect(self, raw: bytes, value: bytes) -> bytes:
        messaging = challenge_messaging(self.suite.key(value), self.challenge())
        return bytes(messaging.protect(CommandAPDU.parse(raw)))

    def contents(self) -> tuple[bytes, bytes, bytes]:
        """The two first records, and the first bytes of the other file."""
        records = (self.chip.transmit(command(READ_RECORD, RecordRef(n, 1))) for n in (1, 2))
        first, second = (answer[:-2] for answer in records)
        return first, second, self.chip.transmit(command(READ_BINARY, SfiOffset(2), ne=8))[:-2]

    def may_write(self) -> bool:
        """Whether the update key is proven: the same content is written again."""
        first = self.contents()[0]
        answer = sw(self.chip.transmit(command(UPDATE_RECORD, RecordTarget(1, 1), first)))
        assert answer in (0x9000, 0x6982)
        return answer == 0x9000

    def unchanged(self) -> bool:
        return self.before == self.chip.snapshot()


AFTER = {
    "UPDATE RECORD": (NEW, b"", OLD),
    "APPEND RECORD": (OLD, NEW, OLD),
    "UPDATE BINARY": (OLD, b"", NEW),
}


@both_suites
@every_place
@every_command
def test_a_right_mac_is_taken_off_and_the_command_done(suite: Suite, place: str, name: str) -> None:
    window = Window(suite, place)
    raw = window.protect(COMMANDS[name], messaging_key(place))
    assert NEW in raw
    assert b"\x90\x00" == window.chip.transmit(raw)
    assert AFTER[name] == window.contents()
    assert window.may_write()
    # A MAC is not asked for: the same without it.
    window = Window(suite, place)
    assert b"\x90\x00" == window.chip.transmit(COMMANDS[name])
    assert AFTER[name] == window.contents()


@both_suites
@every_place
@every_command
def test_a_right_mac_alone_opens_nothing(suite: Suite, place: str, name: str) -> None:
    window = Window(suite, place, proven=False)
    raw = window.protect(COMMANDS[name], messaging_key(place))
    assert b"\x69\x82" == window.chip.transmit(raw)
    assert window.unchanged()


@both_suites
@every_place
@every_command
def test_only_the_messaging_key_of_the_place_will_do(suite: Suite, place: str, name: str) -> None:
    wrong = {messaging_key(other) for other in PLACES} - {messaging_key(place)}
    for value in (*wrong, key_value("SSSE", UPDATE_KEY), bytes(16)):
        window = Window(suite, place)
        assert b"\x69\x88" == window.chip.transmit(window.protect(COMMANDS[name], value))
        assert window.unchanged()
        assert not window.may_write()


@pytest.mark.parametrize(("suite", "place"), [(TDES, "DF01"), (SM4, "SSSE")], ids=str)
@every_command
def test_every_flipped_bit_is_noticed_and_writes_nothing(
    suite: Suite, place: str, name: str
) -> None:
    window = Window(suite, place)
    length = len(window.protect(COMMANDS[name], messaging_key(place)))
    for bit in range(8 * length):
        if bit == 8 * (length - 1) + 2:  # takes the messaging bit off: another command, see below
            continue
        window.chip.transmit(SELECT_HRSS)
        if place != "SSSE":
            send_all(window.chip, [select_df(PLACES[place])])
        window.prove()
        raw = window.protect(COMMANDS[name], messaging_key(place))
        answer = window.chip.transmit(flipped(raw, bit))
        at = length - 1 - bit // 8
        allowed = {0: {0x6881, 0x6882, 0x6E00}, 1: {0x6D00, 0x6E00, 0x6882}, 4: {0x6700}}
        assert len(answer) == 2
        assert sw(answer) in allowed.get(at, {0x6988})
        assert window.unchanged()
        assert (sw(answer) != 0x6988) == window.may_write()
    assert window.unchanged()


def test_without_its_messaging_bit_a_mac_is_data_like_any_other() -> None:
    """Who may write bare may do so: a MAC that is optional cannot be missed."""
    window = Window(TDES, "SSSE")
    raw = window.protect(COMMANDS["UPDATE BINARY"], messaging_key("SSSE"))
    assert b"\x90\x00" == window.chip.transmit(b"\x00" + raw[1:])
    window = Window(TDES, "SSSE", proven=False)
    raw = window.protect(COMMANDS["UPDATE BINARY"], messaging_key("SSSE"))
    assert b"\x69\x82" == window.chip.transmit(b"\x00" + raw[1:])
    assert window.unchanged()


@both_suites
@every_command
def test_a_protected_command_serves_once_and_for_its_challenge(suite: Suite, name: str) -> None:
    window = Window(suite, "DF01")
    raw = window.protect(COMMANDS[name], messaging_key("DF01"))
    send_all(window.chip, [raw])
    window.before = window.chip.snapshot()
    assert b"\x69\x84" == window.chip.transmit(raw)
    assert not window.may_write()
    window.prove()
    window.challenge()
    assert b"\x69\x88" == window.chip.transmit(raw)
    assert not window.may_write()
    assert window.unchanged()


@both_suites
@every_command
@pytest.mark.parametrize("n", [4, 16])
def test_a_challenge_of_another_length_protects_nothing(suite: Suite, name: str, n: int) -> None:
    window = Window(suite, "SSSE")
    raw = window.protect(COMMANDS[name], messaging_key("SSSE"))
    send_all(window.chip, [challenge(n)])
    assert b"\x69\x84" == window.chip.transmit(raw)
    assert window.unchanged()


@every_command
def test_a_wrong_mac_takes_back_everything_that_was_proven(name: str) -> None:
    window = Window(TDES, "DF01")
    send_all(window.chip, [verify(PIN)])
    raw = window.protect(COMMANDS[name], messaging_key("DF01"))
    assert b"\x69\x88" == window.chip.transmit(flipped(raw))
    assert not window.may_write()  # neither by the key nor by the PIN


@every_command
@pytest.mark.parametrize("data", [b"", b"\0", b"\0\0\0"])
def test_no_room_for_a_mac_is_a_missing_one(name: str, data: bytes) -> None:
    window = Window(TDES, "SSSE")
    send_all(window.chip, [challenge()])
    raw = COMMANDS[name]
    answer = window.chip.transmit(encode(0x04, raw[1], raw[2] << 8 | raw[3], data))
    assert b"\x69\x87" == answer
    assert not window.may_write()
    assert window.unchanged()


def test_a_mac_alone_writes_nothing() -> None:
    window = Window(TDES, "SSSE")
    empty = bytes((*COMMANDS["UPDATE BINARY"][:4],))
    assert b"\x67\x00" == window.chip.transmit(window.protect(empty, messaging_key("SSSE")))
    assert window.unchanged()


# Where there is no messaging


OTHERS = [
    *((0x04, ins, lc) for ins in (0xA4, 0xB0, 0xB2, 0x20, 0x84, 0xC0) for lc in (0, 4, 12)),
    *((0x04, ins, lc) for ins in (0x82, 0x88) for lc in (4, 20)),
    (0x84, 0x5E, 7),
]


@pytest.mark.parametrize(("cla", "ins", "lc"), OTHERS)
def test_other_commands_know_no_messaging_and_use_no_challenge_up(
    cla: int, ins: int, lc: int
) -> None:
    window = Window(TDES, "SSSE")
    raw = window.protect(COMMANDS["UPDATE RECORD"], messaging_key("SSSE"))
    assert b"\x68\x82" == window.chip.transmit(encode(cla, ins, 0x0100, bytes(lc)))
    assert window.unchanged()
    assert b"\x90\x00" == window.chip.transmit(raw)


@every_command
@pytest.mark.parametrize("cla", [0x08, 0x0C, 0x14, 0x18])
def test_no_other_kind_of_messaging_is_spoken_and_a_chain_has_none(name: str, cla: int) -> None:
    window = Window(TDES, "SSSE")
    raw = window.protect(COMMANDS[name], messaging_key("SSSE"))
    assert b"\x68\x82" == window.chip.transmit(bytes((cla,)) + raw[1:])
    assert window.unchanged()
    assert b"\x90\x00" == window.chip.transmit(raw)


@every_command
def test_the_mf_has_no_messaging(name: str) -> None:
    window = Window(TDES, "SSSE")
    send_all(window.chip, [SELECT_MF])
    raw = window.protect(COMMANDS[name], messaging_key("SSSE"))
    assert b"\x68\x82" == window.chip.transmit(raw)
    assert window.unchanged()


@every_command
def test_the_bank_application_takes_no_command_under_another_ones_keys(name: str) -> None:
    window = Window(TDES, "SSSE")
    send_all(window.chip, [SELECT_DEBIT])
    raw = window.protect(COMMANDS[name], messaging_key("SSSE"))
    expected = b"\x69\x85" if name == "UPDATE RECORD" else b"\x6d\x00"
    assert expected == window.chip.transmit(raw)
    assert window.unchanged()


@both_suites
def test_a_protected_command_breaks_a_chain(suite: Suite) -> None:
    window = Window(suite, "SSSE")
    raw = window.protect(COMMANDS["UPDATE BINARY"], messaging_key("SSSE"))
    send_all(window.chip, [bytes((0x10,)) + COMMANDS["UPDATE BINARY"][1:]])
    assert b"\x68\x84" == window.chip.transmit(raw)
    assert window.unchanged()
    assert b"\x90\x00" == window.chip.transmit(raw)  # it has not been looked at


def test_a_command_longer_than_a_mac_can_count_is_refused() -> None:
    window = Window(TDES, "SSSE")
    send_all(window.chip, [challenge()])
    raw = encode(0x04, 0xD6, 0x8200, bytes(256))
    assert b"\x69\x88" == window.chip.transmit(raw)
    assert window.unchanged()
    assert not window.may_write()
