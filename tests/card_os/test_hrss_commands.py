# SPDX-License-Identifier: Apache-2.0
"""The user card's commands, in the bytes that drivers send, on a card of every generation.

The medical account's own commands have tests of their own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

import pytest
from blockbench import BLOCK, END, END_CARD, UNBLOCK
from keybench import (
    DF_OF,
    EXTERNAL,
    PIN,
    SM4,
    SPEC,
    TDES,
    Desk,
    external,
    flipped,
    issued_cells,
    key,
)
from testbench import change_pin, verify

from apdu.crypto.derive import authentication, challenge_key
from apdu.wire.hrss.generations import GENERATIONS
from card_os.nvm import Flash

every_generation = pytest.mark.parametrize("generation", GENERATIONS)
Send = str | Callable[[Desk], bytes]
"""Bytes in hex, or what makes them."""


def desk(generation: str, place: str = "SSSE", *proofs: str) -> Desk:
    """At a card, in a directory, with these keys and perhaps "PIN" proven."""
    suite = SM4 if generation == "3.0" else TDES
    made = Desk(suite, Flash(bytearray(issued_cells(suite, generation))))
    made.go(place)
    for name in proofs:
        assert 0x9000 == (made.send(verify(PIN)) if name == "PIN" else made.authenticate(name))
    return made


def sent(at: Desk, raw: Send) -> bytes:
    return bytes.fromhex(raw) if isinstance(raw, str) else raw(at)


def answers(at: Desk, raws: Iterable[Send]) -> list[str]:
    """The answers in hex."""
    return [at.chip.transmit(sent(at, raw)).hex().upper() for raw in raws]


# The commands, row for row


class Row(NamedTuple):
    """A command that was seen: where it is sent, after what, its bytes, and the answer's shape."""

    name: str
    place: str
    proofs: tuple[str, ...]
    before: tuple[str, ...]
    command: Send
    shape: str
    """Of the command, where it is computed; a regular expression, as is the next."""
    answer: str


def internal(version: str = "", le: str = "00") -> Callable[[Desk], bytes]:
    length = 16 + len(version) // 2
    return lambda at: bytes.fromhex(f"00880000{length:02X}{'11' * 8}{'22' * 8}{version}{le}")


def proof(name: str, version: str = "") -> Callable[[Desk], bytes]:
    return lambda at: at.proof(name, at.challenge(), bytes.fromhex(version))


def mac(raw: bytes, name: str) -> Callable[[Desk], bytes]:
    return lambda at: at.protect(raw, name)


EF05, EF06, EF07 = "00A4000002EF05", "00A4000002EF06", "00A4000002EF07"
SPELL = "31" * 7 + "20200101" + "20201231" + "41" * 70
NUMBER = b"B00000131".hex()
SSSE_NAME = "7378312E73682EC9E7BBE1B1A3D5CF"
ROWS = [
    Row("SELECT by name", "SSSE", (), (), "00A404000F" + SSSE_NAME, "", "61(18|1E)"),
    Row("SELECT by name, Le", "SSSE", (), (), f"00A404000F{SSSE_NAME}00", "", "6F..840F.*9000"),
    Row("SELECT by AID", "SSSE", (), (), "00A4040006D1560000050000", "", "6F.*9000"),
    Row("SELECT DF by FID", "SSSE", (), (), "00A4000002DF0200", "", "6F.*9000"),
    Row("SELECT SSSE by FID", "DF01", (), (), "00A4000002DDF100", "", "6F..840F.*9000"),
    Row("SELECT MF", "DF01", (), (), "00A40000023F00", "", "(61..|9000)"),
    Row("SELECT EF by FID", "SSSE", (), (), EF05, "", "9000"),
    Row("SELECT EF of DF", "SSSE", (), (), "00A4020002EF05", "", "9000"),
    Row("GET RESPONSE", "SSSE", (), ("00A404000F" + SSSE_NAME,), "00C0000000", "", "6F.*9000"),
    Row("READ RECORD 1", "SSSE", (), (EF05,), "00B2010412", "", "0110.{32}9000"),
    Row("READ RECORD 3", "SSSE", (), (EF05,), "00B2030406", "", "0304.{8}9000"),
    Row("READ RECORD 5", "SSSE", (), (EF05,), "00B2050406", "", "0504202601059000"),
    Row("READ RECORD 6", "SSSE", (), (EF05,), "00B2060406", "", "0604203601049000"),
    Row("READ RECORD 7", "SSSE", (), (EF05,), "00B207040B", "", "0709(..){9}9000"),
    Row("READ RECORD, Le 00", "SSSE", (), (EF05,), "00B2070400", "", "0709(..){9}9000"),
    Row("READ RECORD by SFI", "SSSE", (), (), "00B2072C0B", "", "0709(..){9}9000"),
    Row("READ RECORD of EF06", "SSSE", ("RKSSSE",), (EF06,), "00B2010414", "", "0812.{36}9000"),
    Row("READ RECORD by tag", "SSSE", (), (EF05,), "00B2070000", "", "0709(..){9}9000"),
    Row("READ RECORD by tag, SFI", "SSSE", (), (), "00B207280B", "", "0709(..){9}9000"),
    Row("READ RECORDS, all", "SSSE", (), (EF05,), "00B2010500", "", "0110.{32}0201.*9000"),
    Row("READ RECORDS, all, SFI", "SSSE", (), (), "00B2062D00", "", "0604(..){4}0709(..){9}9000"),
    Row("READ BINARY", "DF05", (), (EF05,), "00B0000010", "", "(00){16}9000"),
    Row("READ BINARY, offset", "DF05", (), (EF05,), "00B0012008", "", "(00){8}9000"),
    Row("READ BINARY by SFI", "DF05", (), (), "00B0850006", "", "(00){6}9000"),
    Row("UPDATE RECORD", "SSSE", ("UKSSSE",), (EF05,), "00DC02040302013A", "", "9000"),
    Row("UPDATE RECORD by tag", "SSSE", ("UKSSSE",), (), "00DC07280B0709" + NUMBER, "", "9000"),
    Row("UPDATE cyclic", "DF02", ("UK3DF02",), (EF07,), "00DC000355" + SPELL, "", "9000"),
    Row("UPDATE cyclic by SFI", "DF02", ("UK3DF02",), (), "00DC003B55" + SPELL, "", "9000"),
    Row("UPDATE cyclic by number", "DF02", ("UK3DF02",), (EF07,), "00DC010455" + SPELL, "", "9000"),
    Row("APPEND RECORD", "DF02", ("UK3DF02",), (EF07,), "00E2000055" + SPELL, "", "9000"),
    Row("UPDATE BINARY", "DF05", ("UK1DF05",), (EF05,), "00D6012004DEADBEEF", "", "9000"),
    Row("UPDATE BINARY by SFI", "DF05", ("UK1DF05",), (), "00D6850304DEADBEEF", "", "9000"),
    Row("GET CHALLENGE 8", "DF01", (), (), "0084000008", "", ".{16}9000"),
    Row("GET CHALLENGE 4", "DF01", (), (), "0084000004", "", ".{8}9000"),
    Row("GET CHALLENGE 16", "DF01", (), (), "0084000010", "", ".{32}9000"),
    Row("VERIFY", "SSSE", (), (), "0020000003123456", "", "9000"),
    Row("VERIFY in a DF", "DF03", (), (), "0020000003123456", "", "9000"),
    Row("VERIFY, wrong", "SSSE", (), (), "0020000003000000", "", "63C5"),
    Row("CHANGE PIN", "SSSE", (), (), "805E010007123456FF654321", "", "9000"),
    Row("CHANGE PIN, 8 digits", "DF02", (), (), "805E010008123456FF87654321", "", "9000"),
    Row("CHANGE PIN, wrong", "SSSE", (), (), "805E010007111111FF654321", "", "63C5"),
    Row("INTERNAL AUTH", "SSSE", (), (), internal(), "0088000010.{32}00", ".{16}9000"),
    Row("INTERNAL AUTH, no Le", "SSSE", (), (), internal(le=""), "0088000010.{32}", "6108"),
    Row(
        "INTERNAL AUTH, version",
        "DF04",
        (),
        (),
        internal("01", "08"),
        "0088000011.{32}0108",
        ".{16}9000",
    ),
    Row("EXTERNAL AUTH", "SSSE", (), (), proof("UKSSSE"), "0082000410.{32}", "9000"),
    Row("EXTERNAL AUTH, RKSSSE", "SSSE", (), (), proof("RKSSSE"), "0082000A10.{32}", "9000"),
    Row("EXTERNAL AUTH, DF", "DF01", (), (), proof("RK1DF01"), "0082008810.{32}", "9000"),
    Row("EXTERNAL AUTH, version", "DF01", (), (), proof("RK1DF01", "01"), "0082008811.*01", "9000"),
    Row("PIN UNBLOCK", "SSSE", ("PUK",), (), Desk.unblock, "8424000004.{8}", "9000"),
    Row("PIN RELOAD", "SSSE", ("PUK",), (), Desk.reload, "84240001(0C.{24}|14.{40})", "9000"),
    Row("APPLICATION BLOCK", "DF04", (), (), mac(BLOCK, "LKDF04"), "841E000004.{8}", "9000"),
    Row("the same, for good", "DF04", (), (), mac(END, "LKDF04"), "841E000104.{8}", "9000"),
    Row("APPLICATION UNBLOCK", "DF07", (), (), mac(UNBLOCK, "STKDF07"), "8418000004.{8}", "9000"),
    Row("CARD BLOCK", "SSSE", (), (), mac(END_CARD, "BK"), "8416000004.{8}", "9000"),
]


@every_generation
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_command_is_answered_as_it_was_seen(generation: str, row: Row) -> None:
    at = desk(generation, row.place, *row.proofs)
    for each in row.before:
        assert answers(at, [each])[0][-4:-2] in ("90", "61")
    raw = sent(at, row.command)
    if row.shape:
        assert re.fullmatch(row.shape, raw.hex().upper())
    (answer,) = answers(at, [lambda _: raw])
    assert re.fullmatch(row.answer, answer), answer


def test_reload_is_as_long_as_was_seen_for_its_algorithm() -> None:
    lengths = [len(desk(each, "SSSE", "PUK").reload()) for each in ("1.0", "2.0", "3.0")]
    assert [17, 17, 25] == lengths


@every_generation
def test_what_was_written_is_what_is_read(generation: str) -> None:
    at = desk(generation, "SSSE", "UKSSSE")
    assert ["9000", "02013A9000"] == answers(at, ["00DC02280302013A", "00B2022800"])
    assert ["9000", "0201339000"] == answers(at, ["00DC022C03020133", "00B2022C00"])
    at = desk(generation, "DF05", "UK1DF05")
    found = answers(at, ["00D6850304DEADBEEF", "00B0850208", "00B0000304", EF05, "00B0000304"])
    expected = ["9000", "00DEADBEEF0000009000", "DEADBEEF9000", "9000", "DEADBEEF9000"]
    assert expected == found


@every_generation
def test_a_ring_turns_whatever_a_driver_calls_it(generation: str) -> None:
    at = desk(generation, "DF02", "UK3DF02", "RK1DF02")
    spells = [f"{n:02X}" * 85 for n in range(1, 8)]
    assert ["6A83"] == answers(at, ["00B2013C00"])
    ways = ["00DC010455", "00DC000355", "00E2000055", "00DC003B55", "00E2003855", "00DC000355"]
    answers(at, [EF07])
    for n, (way, spell) in enumerate(zip(ways, spells, strict=False), start=1):
        assert ["9000"] == answers(at, [way + spell])
        newest_first = "".join(reversed(spells[max(0, n - 4) : n]))
        (whole,) = answers(at, ["00B2013D000000"])  # Le in extended form
        assert newest_first + "9000" == whole
    # By number it is the newest that changes.
    found = answers(at, ["00DC013C55" + spells[6], "00B2013C00", "00B2023C00"])
    assert ["9000", spells[6] + "9000", spells[4] + "9000"] == found
    assert ["6981"] * 2 == answers(at, ["00B2073800", "00DC073855" + spells[0]])


# Every key


@every_generation
@pytest.mark.parametrize("name", EXTERNAL)
def test_every_key_is_proven_with_its_version_and_without(generation: str, name: str) -> None:
    at = desk(generation, DF_OF[name].label)
    for version, expected in (("", 0x9000), ("01", 0x9000), ("02", 0x6A88), ("00", 0x6A88)):
        raw = proof(name, version)(at)
        kid, length = SPEC[name].kid, 16 + len(version) // 2
        assert bytes((0x00, 0x82, 0x00, kid, length)) == raw[:5]
        assert expected == at.send(raw)
    wrong = flipped(at.cryptogram(name, at.challenge()))
    assert 0x63CE == at.send(external(SPEC[name].kid, wrong, version=b"\x01"))


@every_generation
def test_the_card_proves_its_key_with_its_version_and_without(generation: str) -> None:
    for place in ("SSSE", "DF01", "DF04"):
        at = desk(generation, place)
        session = challenge_key(key(at.suite, "IRK"), b"\x11" * 8)
        right = authentication(session, b"\x22" * 8).hex().upper() + "9000"
        assert [right] * 3 == answers(at, [internal(), internal("01"), internal("01", "08")])
        assert ["6A88", "6108", right] == answers(
            at, [internal("02"), internal("", ""), "00C0000008"]
        )


# The sequences that drivers send


def test_the_driver_of_a_2_0_card_reads_it() -> None:
    at = desk("2.0")
    reads = ["00B2010412", "00B2030406", "00B2050406", "00B2060406", "00B207040B"]
    holder = ["00B2010414", "00B2020420", "00B2030416", "00B2040403", "00B2050403", "00B2060405"]
    found = answers(at, [EF05, *reads, EF06, *holder, "00B2070406"])
    assert {"9000"} == {answer[-4:] for answer in found}
    for raw, answer in zip([*reads, *holder], found[1:6] + found[7:13], strict=True):
        assert int(raw[-2:], 16) == len(answer) // 2 - 2


def test_the_driver_of_a_3_0_card_proves_a_key_before_it_reads_a_person() -> None:
    at = desk("3.0")
    assert ["9000", "6982", "6982"] == answers(at, [EF06, "00B2010414", "00B2010500"])
    assert re.fullmatch("0304332E30309000", answers(at, [EF05, "00B2030406"])[1])
    assert re.fullmatch(".{16}9000", answers(at, [internal()])[0])
    assert ["9000"] == answers(at, [proof("RKSSSE")])
    found = answers(at, ["00B207040B", EF06, "00B2010414"])
    assert {"9000"} == {answer[-4:] for answer in found}


@every_generation
@pytest.mark.parametrize("way", ["0020000003123456", proof("RK1DF01")], ids=["PIN", "key"])
def test_a_file_of_a_directory_opens_to_pin_or_key(generation: str, way: Send) -> None:
    at = desk(generation)
    steps: list[Send] = ["00A4000002DF01", EF05, "00B2010400", way, EF05, "00B2010400"]
    found = answers(at, steps)
    assert ["9000", "6982", "9000", "9000"] == found[1:5]
    assert re.fullmatch("20.*9000", found[5])


@every_generation
def test_a_window_resets_a_forgotten_pin(generation: str) -> None:
    at = desk(generation)
    wrong = answers(at, ["0020000003000000"] * 7)
    assert ["63C5", "63C4", "63C3", "63C2", "63C1", "63C0", "6983"] == wrong
    assert ["6983", "9000", "9000"] == answers(at, ["0020000003123456", proof("PUK"), Desk.unblock])
    assert ["9000"] == answers(at, ["0020000003123456"])
    assert ["9000", "63C5", "9000"] == answers(
        at, [Desk.reload, "0020000003123456", "002000000487654321"]
    )


@every_generation
def test_the_initial_pin_is_left_and_not_come_back_to(generation: str) -> None:
    at = desk(generation)
    initial, own = "805E010007123456FF123456", "805E010007123456FF654321"
    assert ["6985", "9000"] == answers(at, [initial, own])
    before = at.chip.snapshot()
    assert ["6985"] * 2 == answers(at, ["805E010007654321FF123456", "805E010007000000FF123456"])
    assert before == at.chip.snapshot()  # it does not even cost a try
    assert ["9000"] == answers(at, [lambda _: change_pin("654321", "12345678")])


# Status words


class Refusal(NamedTuple):
    """How a status word comes about."""

    sw: str
    place: str
    before: tuple[Send, ...]
    command: Send


REFUSALS = [
    Refusal("61..", "SSSE", (), "00A404000F" + SSSE_NAME),
    Refusal("6283", "DF03", (mac(BLOCK, "LKDF03"),), "00A4000002DF03"),
    Refusal("6282", "DF05", (), "00B0852CFF"),
    Refusal("6282", "DF05", (), "00B085000001FF"),
    Refusal("63C5", "SSSE", (), "0020000003111111"),
    Refusal("63CE", "SSSE", ("0084000008",), "0082000410" + "00" * 16),
    Refusal("6700", "SSSE", (), "002000000912345612345612345612"),
    Refusal("6700", "SSSE", (), "008200040F" + "00" * 15),
    Refusal("6981", "SSSE", (EF05,), "00B0000010"),
    Refusal("6981", "DF05", (EF05,), "00B2010400"),
    Refusal("6982", "SSSE", (), "00DC022C03020133"),
    Refusal("6982", "DF01", (), "00B2012C00"),
    Refusal("6983", "SSSE", ("0020000003111111",) * 6, "0020000003123456"),
    Refusal("6983", "SSSE", ("0084000008", "0082000410" + "00" * 16) * 15, proof("UKSSSE")),
    Refusal("6984", "SSSE", (), "0082000410" + "00" * 16),
    Refusal("6984", "DF04", (), "841E00000400000000"),
    Refusal("6985", "SSSE", (), "805E010007123456FF123456"),
    Refusal("6985", "DF03", (mac(BLOCK, "LKDF03"),), "00B2012C00"),
    Refusal("6985", "DF01", (), mac(BLOCK, "STKDF01")),
    Refusal("6985", "SSSE", (), "00C0000000"),
    Refusal("6986", "SSSE", (), "00B2010400"),
    Refusal("6987", "DF04", (), "801E0000"),
    Refusal("6988", "SSSE", ("0084000008",), "842400000400000000"),
    Refusal("6A80", "SSSE", (proof("UKSSSE"),), "00DC022C0402020133"),
    Refusal("6A80", "SSSE", (), "805E010006123456654321"),
    Refusal("6A81", "SSSE", (mac(END_CARD, "BK"),), "00A404000F" + SSSE_NAME),
    Refusal("6A82", "SSSE", (), "00A4000002EF09"),
    Refusal("6A82", "DF01", (), "00B09E0000"),
    Refusal("6A83", "SSSE", (EF05,), "00B2080400"),
    Refusal("6A83", "SSSE", (EF05,), "00B2080000"),
    Refusal("6A84", "DF05", (proof("UK1DF05"),), "00D685FF2A" + "00" * 42),
    Refusal("6A86", "SSSE", (), "0082010410" + "00" * 16),
    Refusal("6A86", "DF02", (), "00DC013B55" + SPELL),
    Refusal("6A88", "SSSE", ("0084000008",), "0082000E10" + "00" * 16),
    Refusal("6A88", "SSSE", (), "008800FF10" + "00" * 16 + "00"),
    Refusal("6B00", "DF05", (EF05,), "00B0012808"),
    Refusal("6C12", "SSSE", (EF05,), "00B2010413"),
    Refusal("6C08", "SSSE", ("0088000010" + "00" * 16,), "00C0000009"),
    Refusal("6D00", "SSSE", (), "0070000001"),
    Refusal("6E00", "SSSE", (), "F0A4000002EF05"),
    Refusal("6881", "SSSE", (), "01A4000002EF05"),
    Refusal("6882", "SSSE", (), "04B2010400"),
    Refusal("9303", "DF03", (mac(END, "LKDF03"),), "00A4000002DF03"),
]
LISTED = """
9000 61.. 63C. 6700 6981 6982 6983 6984 6985 6988 6A80 6A81 6A82 6A83 6A88 9303
6A86 6B00 6C.. 6D00 6E00 6283
""".split()
"""Those that drivers know and this card gives. The medical account's (9302, 9403, 9406, 9401) are
tested with it; 6901 it never gives, for what is not in order is 6985 here."""


@every_generation
@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda each: f"{each.sw}-{each.place}")
def test_every_status_word_has_its_command(generation: str, refusal: Refusal) -> None:
    at = desk(generation, refusal.place)
    answers(at, refusal.before)
    answer = answers(at, [refusal.command])[0]
    assert re.fullmatch(refusal.sw, answer[-4:]), answer


def test_the_listed_status_words_are_all_reached() -> None:
    found = {"9000", *(refusal.sw for refusal in REFUSALS)}
    for each in LISTED:
        assert any(re.fullmatch(each, sw) or each == sw for sw in found), each
