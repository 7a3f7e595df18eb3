# SPDX-License-Identifier: Apache-2.0
"""The worked example of the drivers' rules, from end to end: driver, PSAM or key centre, and card.

A card with the number 8660531234567890 in the region 430200, whose keys come from the example's
root, and which gives the example's challenge: the commands that were worked out with a second
program must be what our terminal sends, and what our card takes. Their values stand in the books
under vectors/crypto. Reads must come back in the shapes that logs and drivers show.

`PYTHONPATH=.:tests python tests/together/test_published_exchanges.py` records it anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, cycle
from textwrap import wrap

import pytest
from books import VECTORS, book
from journeybench import ADDRESSES, Desk, InMemory, PlayBack, Recorder, Wire
from journeys import NO_HOUSEHOLD, Given, basics, basics_by_hand, choose_pin
from journeytape import ANSWER, CARD, COMMAND, Line, Remark, read, write

from apdu.secret import Secret
from apdu.wire.hrss.application import INITIAL_PIN
from apdu.wire.hrss.keys import PsamName
from apdu.wire.perso import WRITE_KEY
from card_os.chip import Chip
from card_os.world import World
from host.card import Card
from host.channel.memory import MemoryChannel
from host.cli.testcard import TEST_DAY, TEST_HOLDER, blank_chip, issue, issue_test_psam
from host.hsm import MemoryHsm
from host.keys import TEST_ROOT, MemoryKeys
from host.terminal.personalise import personalise

RECORDING = VECTORS / "journeys" / "worked_example.apdu"
UNIQUE = bytes.fromhex("8660531234567890")
CHALLENGE, DATA = bytes.fromhex("1122334455667788"), bytes.fromhex("0102030405060708")
FACTORS = UNIQUE + b"430200sx" + b"430000sh"
"""As a PSAM is given them: card, city, province."""


def value(path: str, id: str, name: str, field: str = "expected") -> bytes:
    """What a book says in one of its cases."""
    (case,) = (each for each in book(path)["cases"] if each["id"] == id)
    return bytes.fromhex(case[field][name])


SESSION, MESSAGES = "crypto/session_keys.json", "crypto/messaging.json"
PROOF = value(SESSION, "external-authenticate", "out") + DATA
RELOAD = value(MESSAGES, "stk-reload", "apdu")
UNBLOCK = value(MESSAGES, "stk-unblock", "apdu")
IDENTIFYING_MAC = value("crypto/macs.json", "card-identification", "mac4")
KEY_OF_THREE = value("crypto/card_keys.json", "card", "out")
KEY_OF_TWO = value("crypto/card_keys.json", "card-of-two-levels", "out")
CODE = bytes.fromhex("430200D156000005") + UNIQUE[4:] + IDENTIFYING_MAC


class RootItself(MemoryKeys):
    """All masters are the root, as in the example."""

    def master(self, name: PsamName) -> Secret:
        return Secret(TEST_ROOT)


def card(challenges: Iterable[bytes]) -> Chip:
    """The card of the example, which gives these challenges."""
    said = chain([UNIQUE], challenges)
    chip = blank_chip(World(lambda n: next(said)[:n], lambda: TEST_DAY))
    issue(chip, TEST_HOLDER, keys=RootItself())
    chip.reset()
    return chip


def asked_for() -> Iterator[bytes]:
    """Challenges for `example`: the last before a proof or a message is the one of the example."""
    proof = [DATA, CHALLENGE]
    return iter(proof + 2 * [*proof, CHALLENGE])


def chips() -> dict[str, Chip]:
    """The card, and PSAMs of those who have masters for it."""
    psams = {
        f"psam-{region}": issue_test_psam(RootItself(), region=region)
        for region in ("430000", "430200")
    }
    return {CARD: card(asked_for()), "psam": issue_test_psam(RootItself()), **psams}


class Example(InMemory):
    """A desk whose PSAMs, centre and random numbers are those of the example."""

    def __init__(self, wire: Wire) -> None:
        super().__init__(wire, "2.0")
        self._hsm = MemoryHsm(RootItself(), None, ADDRESSES)
        numbers = cycle([CHALLENGE, DATA])
        self._random = lambda n: next(numbers)[:n]


Function = Callable[..., str]


def example(desk: Desk, read_basics: Callable[[Desk], str], call: Function) -> None:
    """Everything of the example in one journey."""
    info = read_basics(desk)
    assert f"{CODE.hex().upper()}|B00000131|" == info
    asked: Given = {"iType": 1, "pCardInfo": info}
    by = {} if call == desk.by_hand else {"iAuthType": 2}
    assert NO_HOUSEHOLD == call("iReadCard", pFileAddr="DF01EF05|20|21|0E|$", **asked, **by)
    choose_pin(desk)
    assert "" == call("iUnblockPIN", **asked)
    assert "" == call("iReloadPIN", INITIAL_PIN, INITIAL_PIN, **asked)
    desk.ok("iVerifyPIN", INITIAL_PIN, iType=1)


def with_psam(desk: Desk, whose: str = "national") -> None:
    desk.terminal(whose)
    example(desk, basics, desk.ok)


def over_a_line(desk: Desk) -> None:
    desk.terminal(None, line=True)
    example(desk, basics, desk.ok)


def by_hand(desk: Desk) -> None:
    desk.terminal(None)
    example(desk, basics_by_hand, desk.by_hand)


WAYS: dict[str, Callable[[Desk], None]] = {
    "the nation's PSAM": with_psam,
    "the province's PSAM": lambda desk: with_psam(desk, "430000"),
    "the city's PSAM": lambda desk: with_psam(desk, "430200"),
    "a line to the centre": over_a_line,
    "lines carried by hand": by_hand,
}


def said_at(wire: Recorder, slot: str) -> dict[bytes, bytes]:
    """The commands at a slot and their last answers."""
    lines = [each for each in wire.entries if isinstance(each, Line) and each.slot == slot]
    asked = [each.raw for each in lines if each.mark == COMMAND]
    return dict(zip(asked, (each.raw for each in lines if each.mark == ANSWER), strict=True))


@pytest.mark.parametrize("way", WAYS)
def test_the_terminal_sends_the_examples_commands_and_the_card_takes_them(way: str) -> None:
    wire = Recorder("2.0", chips())
    WAYS[way](Example(wire))
    said = said_at(wire, CARD)
    internal = bytes.fromhex("0088000010") + CHALLENGE + DATA + b"\x08"
    assert PROOF[:8] + b"\x90\x00" == said[internal]
    external = bytes.fromhex("0082008810") + PROOF
    assert [b"\x90\x00"] * 3 == [said[raw] for raw in (external, UNBLOCK, RELOAD)]


def test_the_psam_is_asked_as_drivers_ask_it() -> None:
    wire = Recorder("2.0", chips())
    with_psam(Example(wire))
    said = said_at(wire, "psam")
    for name, levels in (("6708", 3), ("672E", 3), ("4810", 2), ("4809", 2)):
        factors = FACTORS[: 8 * levels] + CHALLENGE
        derive = bytes.fromhex(f"BFDE{name}") + bytes((len(factors),)) + factors
        assert b"\x90\x00" == said[derive], name
    encipher = bytes.fromhex("80FA000008") + bytes.fromhex("0312345680000000") + b"\x08"
    mac = bytes.fromhex("80FA050018") + bytes(8) + RELOAD[:13] + b"\x80\0\0\x08"
    assert RELOAD[5:13] + b"\x90\x00" == said[encipher]
    assert RELOAD[13:] == said[mac][:4]


def test_the_lines_for_the_centre_have_the_examples_values() -> None:
    wire = Recorder("2.0", chips())
    by_hand(Example(wire))
    told = [each.text for each in wire.entries if isinstance(each, Remark)]
    factor, data, proof = CHALLENGE.hex(), DATA.hex(), PROOF.hex().upper()
    assert f"answer 0 01|004F2E|{factor}|{data}|" in told
    assert f"call iReadCard_HSM_Step2 pKey={proof}" in told
    assert f"answer 0 01|009010|{factor}|8424000004||" in told
    assert f"call iUnblockPIN_HSM_Step3 pKey={UNBLOCK.hex().upper()}" in told
    assert f"answer 0 01|009010|{factor}|842400010C|{INITIAL_PIN}|" in told
    assert f"call iReloadPIN_HSM_Step3 pKey={RELOAD.hex().upper()}" in told


def test_the_terminals_key_is_proven_for_the_photo_as_in_the_example() -> None:
    """RKSSSE, KID 0A, as drivers of cards of 3.0 send it for all that is about the holder."""
    wire = Recorder("2.0", {CARD: card([DATA, CHALLENGE]), "psam": issue_test_psam(RootItself())})
    desk = Example(wire)
    desk.terminal()
    info = basics(desk)
    assert "SSSEEF08||$" == desk.ok(
        "iReadCard", iType=1, iAuthType=2, pCardInfo=info, pFileAddr="SSSEEF08|$"
    )
    (case,) = (
        each
        for each in book("wire/commands.json")["cases"]
        if each["id"] == "external-authenticate"
    )
    assert b"\x90\x00" == said_at(wire, CARD)[bytes.fromhex(case["hex"])]


class Watched(MemoryChannel):
    """A chip that is personalised, and the keys that are written to it, by their KIDs."""

    def __init__(self, chip: Chip) -> None:
        super().__init__(chip)
        self.keys: list[tuple[int, bytes]] = []

    def _exchange(self, command: bytes) -> bytes:
        if command[1] == WRITE_KEY.ins:
            self.keys.append((command[3], command[-16:]))
        return super()._exchange(command)


def test_the_card_is_given_the_keys_of_the_example() -> None:
    channel = Watched(blank_chip(World(lambda n: UNIQUE[:n], lambda: TEST_DAY)))
    personalise(Card(channel), TEST_HOLDER, RootItself())
    three, two = (0x00, 0x0A, 0x88), (0x02, 0x04, 0x06)
    for kids, key in ((three, KEY_OF_THREE), (two, KEY_OF_TWO)):
        assert set(kids) == set(kids) & {kid for kid, value in channel.keys if value == key}


# The shapes of dumps


def reads() -> list[tuple[str, bytes]]:
    """Commands of logs and drivers that read a card, and what they must find on this one."""
    fci = bytes.fromhex("6F16840F7378312E73682EC9E7BBE1B1A3D5CFA50388011E")
    name = "测试持卡人".encode("gbk").ljust(30, b"\0")
    issuer = [
        b"\x01\x10" + CODE,
        b"\x02\x013",
        b"\x03\x042.00",
        bytes.fromhex("040C9156000002430200430100C6"),
        bytes.fromhex("050420260105"),
        bytes.fromhex("060420360104"),
        b"\x07\x09B00000131",
    ]
    assert 50 == sum(len(each) - 2 for each in issuer)
    return [
        ("00A404000F7378312E73682EC9E7BBE1B1A3D5CF00", fci),
        ("00A4000002EF05", b""),
        ("00B2010412", issuer[0]),
        ("00B2030406", issuer[2]),
        ("00B2050406", issuer[4]),
        ("00B2060406", issuer[5]),
        ("00B207040B", issuer[6]),
        ("00B2010500", b"".join(issuer)),
        ("00B2070000", issuer[6]),
        ("00A4000002EF06", b""),
        ("00B2010414", b"\x08\x12430200199003070015"),
        ("00B2020420", b"\x09\x1e" + name),
        ("00B2030416", b"\x4e\x14" + bytes(20)),
        ("00B2040403", b"\x0a\x011"),
        ("00B2050403", b"\x0b\x01\x01"),
        ("00B2060405", bytes.fromhex("0C03430200")),
        ("00B2070406", bytes.fromhex("0D0419900307")),
    ]


def test_a_card_is_read_in_the_shapes_that_logs_and_drivers_show() -> None:
    chip = card([])
    for command, found in reads():
        assert found + b"\x90\x00" == chip.transmit(bytes.fromhex(command)), command


def test_without_le_the_length_of_the_fci_comes_first() -> None:
    chip = card([])
    (select, fci), *_ = reads()
    assert b"\x61\x18" == chip.transmit(bytes.fromhex(select)[:-1])
    assert fci + b"\x90\x00" == chip.transmit(bytes.fromhex("00C0000018"))


# The recording


def record() -> str:
    wire = Recorder("2.0", chips())
    with_psam(Example(wire))
    about = (
        "The worked example of the drivers' rules: a card with the number 8660531234567890 in the"
        " region 430200. All masters are the root 00112233445566778899AABBCCDDEEFF, diversified"
        " over 430000sh, 430200sx and the number: keys of three levels are"
        " 06B372C3F4BF1ED6F4A4B15C2E65FE4A, those of two 6C815FC25E20D4894DCFECCFF0F37520."
        " Challenges are 1122334455667788, and the data of proofs 0102030405060708."
    )
    header = [
        *wrap(about, 98),
        "source: ours; the chips of this project answered the driver of this project",
        "how: PYTHONPATH=.:tests python tests/together/test_published_exchanges.py",
        "checked: proofs, messages and the MAC of the identification code by a second program",
        "lines: as tests/journeytape.py says; PINs are test PINs in the clear",
    ]
    return write([*map(Remark, header), *wire.entries])


def test_the_example_is_what_would_be_recorded_today() -> None:
    assert RECORDING.read_text(encoding="utf-8") == record()


def test_the_terminal_speaks_the_recorded_example_byte_for_byte() -> None:
    wire = PlayBack(read(RECORDING.read_text(encoding="utf-8")))
    with_psam(Example(wire))
    wire.finish()


if __name__ == "__main__":
    RECORDING.write_text(record(), encoding="utf-8")
