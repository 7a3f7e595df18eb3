# SPDX-License-Identifier: Apache-2.0
"""iReadCardBas and iReadCard over cards of every generation."""

from __future__ import annotations

import pytest
from driverbench import Pad, Reader, activated, code_of, every_generation

from apdu.crypto.suites import SUITES
from apdu.secret import Secret
from apdu.wire.hrss.generations import GENERATIONS
from card_os.chip import Chip
from host.channel.memory import MemoryChannel
from host.cli.testcard import TEST_TERMINAL, issue_test_psam
from host.driver import Code, Driver, PinPrompt
from host.faults import CardGone, CardMute
from host.hsm import MemoryHsm
from host.keys import MemoryKeys
from host.ldt33.syntax import fields

RECORDS = {"1.0": 6, "2.0": 7, "3.0": 7}


@every_generation
def test_the_basics_come_in_the_order_of_the_standard(generation: str) -> None:
    reader = Reader(generation)
    found = fields("x", reader.driver().iReadCardBas(1))
    assert [
        "430200",
        "430200199003070015",
        "B00000131",
        reader.info.split("|")[0],
        "测试持卡人",
        reader.channel.atr[-13:].hex().upper(),
        GENERATIONS[generation].version,
        "20260105",
        "20360104",
        TEST_TERMINAL,
        "D1",
    ] == found


def test_without_a_psam_early_cards_are_read_and_late_ones_are_not() -> None:
    for generation, code in (("1.0", 0), ("2.0", 0), ("3.0", Code.NO_PSAM)):
        driver = Reader(generation).driver(psam=False)
        assert code == code_of(driver.iReadCardBas, 3)
    found = fields("x", Reader("2.0").driver(psam=False, terminal="000000000042").iReadCardBas(1))
    assert ["000000000042", "D1"] == found[-2:]


def test_a_psam_of_another_algorithm_judges_no_early_card_and_opens_no_late_one() -> None:
    for generation, other, code in (("2.0", "3.0", 0), ("3.0", "2.0", Code.PSAM_ALGORITHM)):
        driver = Driver(lambda iType: Reader(generation).channel, Reader(other).psam)  # noqa: B023
        assert code == code_of(driver.iReadCardBas, 1)


@every_generation
def test_a_card_that_is_not_genuine_is_told(generation: str) -> None:
    """A PSAM with other masters finds the card's proof wrong."""
    driver = Driver(lambda iType: Reader(generation).channel, strange_psam(generation))
    assert Code.NOT_GENUINE == code_of(driver.iReadCardBas, 1)


def strange_psam(generation: str = "2.0") -> MemoryChannel:
    """A PSAM whose masters no card's keys come from."""
    suite = SUITES[GENERATIONS[generation].algorithm]
    return MemoryChannel(issue_test_psam(MemoryKeys(Secret(b"another test root"[:16]), suite)))


@every_generation
def test_a_psam_of_another_city_says_so_and_costs_no_try(generation: str) -> None:
    reader = Reader(generation)
    foreign = MemoryChannel(issue_test_psam(region="310100", generation=generation))
    driver = Driver(lambda iType: reader.channel, foreign)
    address = "DF01EF05|20|$"
    for _ in range(2):
        assert Code.KEY_USE == code_of(driver.iReadCardBas, 1)
        assert Code.KEY_USE == code_of(driver.iReadCard, 1, 2, reader.info, address)
    told = reader.driver().iReadCard(1, 2, reader.info, address)
    keys = MemoryKeys(suite=SUITES[GENERATIONS[generation].algorithm])
    helped = Driver(lambda iType: reader.channel, foreign, hsm=MemoryHsm(keys).answer)
    assert told == helped.iReadCard(1, 2, reader.info, address)
    assert reader.info.split("|")[1] == helped.iReadCardBas(1).split("|")[2]


class Retouched(MemoryChannel):
    """A card that says something else of itself."""

    def __init__(self, chip: Chip, *said: bytes) -> None:
        super().__init__(chip)
        self._said = said

    def _exchange(self, command: bytes) -> bytes:
        was, becomes = self._said
        return super()._exchange(command).replace(was, becomes)


@pytest.mark.parametrize(
    ("was", "becomes", "code"),
    [
        (b"\x43\x02\x00\xd1", b"\x43\x02\x00\xd2", Code.CARD_CODE),
        (b"\x43\x02\x00\xd1", b"\x43\x0a\x00\xd1", Code.CARD_CODE),
        (b"\x01\x10\x43", b"\x02\x10\x43", Code.ILLEGAL_DATA),
        (b"2.00", b"7.00", Code.ILLEGAL_DATA),
        ("测试".encode("gbk"), b"\xff\xff\xff\xff", Code.ILLEGAL_DATA),
        ("测试".encode("gbk"), b"a|bc", Code.ILLEGAL_DATA),
        (b"\x08\x12", b"\x08\x13", Code.ILLEGAL_DATA),
    ],
)
def test_a_card_that_says_nonsense_is_not_believed(was: bytes, becomes: bytes, code: Code) -> None:
    channel = Retouched(activated(), was, becomes)
    assert code == code_of(Driver(lambda iType: channel).iReadCardBas, 1)


def test_items_that_were_erased_are_empty() -> None:
    for fill in (b"\xff", b"\x00"):
        channel = Retouched(activated(), b"430200199003070015", fill * 18)
        found = fields("x", Driver(lambda iType: channel).iReadCardBas(1))  # noqa: B023
        assert "" == found[1]


def test_another_kind_of_card_is_no_social_security_card() -> None:
    channel = Retouched(activated(), b"sx1.sh.", b"sx1.sh.")
    channel._exchange = lambda command: b"\x6a\x82"  # type: ignore[method-assign]
    assert Code.CARD_TYPE == code_of(Driver(lambda iType: channel).iReadCardBas, 1)


def test_no_card_and_no_answer_have_their_codes() -> None:
    def raising(error: Exception) -> Driver:
        def connect(iType: int) -> MemoryChannel:
            raise error

        return Driver(connect)

    assert Code.NO_CARD == code_of(raising(CardGone("none")).iReadCardBas, 1)
    assert Code.MUTE == code_of(raising(CardMute("late")).iReadCardBas, 1)
    assert Code.READER == code_of(raising(OSError("gone")).iReadCardBas, 1)


def test_the_card_is_asked_for_by_its_type() -> None:
    asked: list[int] = []

    def connect(iType: int) -> MemoryChannel:
        asked.append(iType)
        return MemoryChannel(activated())

    driver = Driver(connect)
    for iType in (1, 2, 3, 4):
        driver.iReadCardBas(iType)
    for iType in (0, 5, -1):
        assert Code.PARAMETER == code_of(driver.iReadCardBas, iType)
    assert [1, 2, 3, 4] == asked


class Shy(MemoryChannel):
    """A card of 3.0 that shows only two items of EF05 before the terminal has proven itself."""

    shy = True

    def _exchange(self, command: bytes) -> bytes:
        if self.shy and command[:2] == b"\x00\xb2" and command[3] >> 3 == 5:
            if command[2] not in (1, 3) or command[3] & 7 != 4:
                return b"\x69\x82"
        answer = super()._exchange(command)
        if command[1] == 0x82 and answer == b"\x90\x00":
            self.shy = False
        return answer


def test_what_a_late_card_shows_only_later_is_read_later() -> None:
    reader = Reader("3.0")
    expected = reader.driver().iReadCardBas(1)
    assert expected == reader.driver(card=Shy(reader.chip)).iReadCardBas(1)
    card, holder = Shy(reader.chip), "SSSEEF06|08|$"
    found = reader.driver(card=card).iReadCard(1, 2, reader.info, holder)
    assert "SSSEEF06|430200199003070015|$" == found
    other = Reader("3.0", activated("3.0", seed=9)).info
    assert Code.OTHER_CARD == code_of(
        reader.driver(card=Shy(reader.chip)).iReadCard, 1, 2, other, holder
    )


# iReadCard


@every_generation
def test_items_come_back_in_the_shape_of_the_address(generation: str) -> None:
    reader = Reader(generation)
    address = "SSSEEF05|06|07|$3F00EF06|08|09|$DF01EF05|21|20|$"
    expected = "SSSEEF05|20360104|B00000131|$3F00EF06|430200199003070015|测试持卡人|$DF01EF05|||$"
    for way in (1, 2):
        assert expected == reader.driver().iReadCard(1, way, reader.info, address)
    as_bytes = (reader.info.encode(), address.encode())
    assert expected == reader.driver().iReadCard(1, 2, *as_bytes)


@every_generation
def test_a_file_by_its_name_alone_is_all_of_it(generation: str) -> None:
    reader = Reader(generation)
    found = reader.driver().iReadCard(1, 2, reader.info, "SSSEEF06|$DF04EF08|$SSSEEF07|$")
    holder, records, finger = found.split("$")[:3]
    assert RECORDS[generation] + 2 == len(holder.split("|"))
    assert ("DF04EF08|", "SSSEEF07||") == (records, finger)


def test_a_file_asks_for_what_its_condition_says() -> None:
    reader = Reader()
    for address, way, prompts in (
        ("SSSEEF06|08|$", 1, 0),
        ("DF01EF05|20|$", 1, 1),
        ("DF01EF05|20|$", 2, 0),
        ("DF01EF05|20|$DF02EF05|42|$", 1, 1),
        ("DF04EF06|92|$", 2, 1),
        ("DF04EF06|92|$", 1, 1),
        ("DF04EF08|01|$", 2, 1),
        ("DF07EF05|F0|$", 1, 0),
        ("SSSEEF07|$", 1, 0),
    ):
        pad = Pad("864209")
        reader.driver(pad=pad).iReadCard(1, way, reader.info, address)
        assert [PinPrompt.PIN] * prompts == pad.asked, address


def test_a_file_that_takes_pin_and_key_takes_neither_alone() -> None:
    reader = Reader()
    address = "DF04EF06|90|92|93|$"
    assert "DF04EF06|1|0|00|$" == reader.driver().iReadCard(1, 2, reader.info, address)
    assert Code.NO_PSAM == code_of(reader.driver(psam=False).iReadCard, 1, 1, reader.info, address)
    assert Code.CANCELLED == code_of(reader.driver(None).iReadCard, 1, 2, reader.info, address)


def test_keys_of_several_directories_are_proven_as_they_come() -> None:
    reader = Reader()
    address = "DF01EF05|20|$DF02EF05|42|$DF01EF06|23|$SSSEEF07|$DF07EF05|F0|$DF07EF06|F5|$"
    assert 6 == reader.driver().iReadCard(1, 2, reader.info, address).count("$")


def test_another_card_is_not_read() -> None:
    reader = Reader()
    code, number, _ = reader.info.split("|")
    other = Reader(chip=activated(seed=9)).info
    for info in (other, f"{code}|B00000132|", f"{code[:-1]}0|{number}|", f"{code}||"):
        assert Code.OTHER_CARD == code_of(reader.driver().iReadCard, 1, 2, info, "SSSEEF06|08|$")
    assert 0 == code_of(
        reader.driver().iReadCard,
        1,
        2,
        reader.info.lower().replace("b0000013", "B0000013"),
        "SSSEEF06|08|$",
    )


def test_nothing_is_asked_of_the_card_before_the_parameters_are_right() -> None:
    def connect(iType: int) -> MemoryChannel:
        raise AssertionError("the card was asked")

    driver = Driver(connect)
    for given in (
        (1, 3, "00|1|", "SSSEEF05|06|$"),
        (1, 0, "00|1|", "SSSEEF05|06|$"),
        (1, 1, "00|1", "SSSEEF05|06|$"),
        (1, 1, "00|1|", "SSSEEF05|06|"),
        (1, 1, "00|1|", ""),
        (9, 1, "00|1|", "SSSEEF05|06|$"),
    ):
        assert Code.PARAMETER == code_of(driver.iReadCard, *given)


def test_a_wrong_pin_costs_a_try_and_says_how_many_are_left() -> None:
    reader = Reader()
    for left in (5, 4, 3, 2, 1, 0):
        answer = reader.driver("000000").call(
            "iReadCard", iType=1, iAuthType=1, pCardInfo=reader.info, pFileAddr="DF01EF05|20|$"
        )
        assert Code.PIN_WRONG == answer.code
        assert f"{left} tr" in answer.pOutInfo
    driver = reader.driver()
    assert Code.PIN_BLOCKED == code_of(driver.iReadCard, 1, 1, reader.info, "DF01EF05|20|$")
    assert 0 == code_of(driver.iReadCard, 1, 2, reader.info, "DF01EF05|20|$")


def test_a_key_that_is_wrong_fails_at_the_card() -> None:
    reader = Reader()
    driver = Driver(lambda iType: reader.channel, strange_psam())
    for left in (14, 13):
        found = code_of(driver.iReadCard, 1, 2, reader.info, "DF01EF05|20|$")
        assert -(0x63C0 + left) == found


class Noting(MemoryChannel):
    """Notes resets and commands, by their INS, and that it was let go of."""

    def __init__(self, chip: Chip) -> None:
        super().__init__(chip)
        self.noted: list[str] = []

    def _exchange(self, command: bytes) -> bytes:
        self.noted.append(f"{command[1]:02X}")
        return super()._exchange(command)

    def reset(self) -> bytes:
        self.noted.append("reset")
        return super().reset()

    def close(self) -> None:
        self.noted.append("close")


def test_a_function_powers_the_card_on_and_lets_go_of_it() -> None:
    reader = Reader()
    channel = Noting(reader.chip)
    reader.driver(card=channel, psam=False).iReadCardBas(1)
    assert ["reset", "A4", "B2", "B2", "close"] == channel.noted
    channel.noted.clear()
    reader.driver(card=channel).iVerifyPIN(1)
    assert ["reset", "A4", "20", "reset", "close"] == channel.noted
    channel.noted.clear()
    reader.driver("000000", card=channel).call("iVerifyPIN", iType=1)
    assert ["reset", "close"] == channel.noted[-2:]


def test_a_card_that_is_none_is_let_go_of_too() -> None:
    channel = Noting(activated())
    channel._exchange = lambda command: b"\x6a\x82"  # type: ignore[method-assign]
    assert Code.CARD_TYPE == code_of(Driver(lambda iType: channel).iReadCardBas, 1)
    assert "close" == channel.noted[-1]


def test_nothing_stays_proven_when_a_function_is_over() -> None:
    reader = Reader("3.0")
    for call, asked in (
        (lambda driver: driver.iVerifyPIN(1), "00200000"),
        (lambda driver: driver.iReadCard(1, 1, reader.info, "DF01EF05|20|$"), "00B2012D00"),
        (lambda driver: driver.iReadCardBas(1), "00B2013500"),
    ):
        call(reader.driver())
        assert b"\x90\x00" != reader.chip.transmit(bytes.fromhex(asked))[-2:]
