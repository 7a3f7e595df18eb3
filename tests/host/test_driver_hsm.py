# SPDX-License-Identifier: Apache-2.0
"""Going on through the key centre's HSM: by itself, and step by step."""

from __future__ import annotations

import pytest
from driverbench import (
    ADDRESSES,
    PIN,
    Line,
    Pad,
    Reader,
    activated,
    code_of,
    every_generation,
    suite_of,
)

from apdu.wire.hrss.keys import TABLES
from host.channel.memory import MemoryChannel
from host.cli.testcard import issue_test_psam
from host.driver import FUNCTIONS, Code, Driver, PinPrompt
from host.hsm import HsmAddresses
from host.ldt33.codes import FALL_BACK

PAY = "0|1|20260105093000|"
HOUSE = "DF01EF05|20|21|$"
NEW = "13572468"


@every_generation
def test_the_basics_by_hand_are_the_basics(generation: str) -> None:
    reader, line = Reader(generation), Line(generation)
    driver = reader.driver(psam=False)
    asked = driver.iReadCardBas_HSM_Step1(1)
    guarded = generation == "3.0"
    assert ("03" if guarded else "01") == asked.split("|")[2]
    assert guarded == ("|||" not in asked)
    found = driver.iReadCardBas_HSM_Step2(line(asked))
    with_psam = reader.driver().iReadCardBas(1).split("|")
    assert with_psam[:9] == found.split("|")[:9]


@every_generation
def test_every_function_goes_by_hand(generation: str) -> None:
    reader, line, info = Reader(generation), Line(generation), Reader(generation).info
    driver = reader.driver(NEW, psam=False, terminal="000000000042")
    driver.iReadCardBas_HSM_Step2(line(driver.iReadCardBas_HSM_Step1(1)))
    driver.iWriteCard_HSM_Step2(
        line(driver.iWriteCard_HSM_Step1(1, info, HOUSE)), "DF01EF05|1|某路1号|$"
    )
    found = driver.iReadCard_HSM_Step2(line(driver.iReadCard_HSM_Step1(1, info, HOUSE)))
    assert "DF01EF05|1|某路1号|$" == found
    assert Code.PIN_WRONG == code_of(driver.iVerifyPIN, 1)
    second = driver.iReloadPIN_HSM_Step2(line(driver.iReloadPIN_HSM_Step1(1, info)))
    assert f"|{NEW}|" == second[-10:]
    assert "" == driver.iReloadPIN_HSM_Step3(line(second))
    assert "" == driver.iVerifyPIN(1)
    second = driver.iUnblockPIN_HSM_Step2(line(driver.iUnblockPIN_HSM_Step1(1, info)))
    assert "" == driver.iUnblockPIN_HSM_Step3(line(second))
    paid = driver.iDoDebit_HSM_Step2(line(driver.iDoDebit_HSM_Step1(1, info, PAY)))
    assert "0001|00000001|" == paid[:14]
    assert 1 == driver.iReadDebitRecord(1).count("$")


@every_generation
def test_every_function_goes_on_by_itself(generation: str) -> None:
    reader, line, info = Reader(generation), Line(generation), Reader(generation).info
    pad = Pad(NEW)
    driver = reader.driver(psam=False, hsm=line, terminal="000000000042", pad=pad)
    basics = driver.iReadCardBas(1)
    assert reader.driver().iReadCardBas(1).split("|")[:9] == basics.split("|")[:9]
    driver.iWriteCard(1, info, HOUSE + "SSSEEF06|0C|$", "DF01EF05|1|x|$SSSEEF06|4301|$")
    assert "DF01EF05|1|x|$" == driver.iReadCard(1, 2, info, HOUSE)
    assert "" == driver.iReloadPIN(1, info)
    assert "" == driver.iUnblockPIN(1, info)
    assert "" == driver.iVerifyPIN(1)
    assert "0001|" == driver.iDoDebit(1, info, PAY)[:5]
    introductions = [each for each in line.asked if each.count("|") == 10]
    assert 6 == len(introductions)  # the centre is told of the card in every function
    others = [each for each in line.asked if each.count("|") != 10]
    assert 2 + 1 + 2 + 2 + 1 == len(others)


@pytest.mark.parametrize(
    ("lacking", "code"), [("key", Code.PSAM_KEY), ("algorithm", Code.PSAM_ALGORITHM)]
)
def test_a_psam_that_lacks_something_is_helped_out(lacking: str, code: Code) -> None:
    generation = "3.0"
    reader, line = Reader(generation), Line(generation)
    if lacking == "key":
        reader.psam = Failing(reader.psam._chip)  # type: ignore[arg-type]
    else:
        reader.psam = MemoryChannel(issue_test_psam(generation="2.0"))
    assert code in FALL_BACK
    assert code == code_of(reader.driver().iReadCardBas, 1)
    assert code == code_of(reader.driver().iReadCard, 1, 2, reader.info, HOUSE)
    expected = Reader(generation).driver().iReadCardBas(1).split("|")[:9]
    assert expected == reader.driver(hsm=line).iReadCardBas(1).split("|")[:9]
    assert 1 == len(line.asked)
    assert "DF01EF05|||$" == reader.driver(hsm=line).iReadCard(1, 2, reader.info, HOUSE)


def test_other_codes_are_not_helped() -> None:
    reader, line = Reader(), Line()
    driver = reader.driver(hsm=line)
    assert Code.OTHER_CARD == code_of(
        driver.iReadCard, 1, 2, Reader(chip=activated(seed=9)).info, HOUSE
    )
    assert Code.PARAMETER == code_of(driver.iReadCard, 1, 2, reader.info, "DF01EF05|99|$")
    assert [] == line.asked


class Failing(MemoryChannel):
    """A PSAM that has no master for anything, or says something else than that."""

    answer = b"\x6a\x88"
    judging = b"\x93\x02"

    def _exchange(self, command: bytes) -> bytes:
        if command[:2] in (b"\xbf\xde", b"\x80\x70"):
            return self.answer
        return self.judging if command[:2] == b"\x80\x72" else super()._exchange(command)


def test_a_psam_that_fails_otherwise_is_not_helped_out() -> None:
    reader, line = Reader(), Line()
    psam = Failing(reader.psam._chip)  # type: ignore[arg-type]
    psam.answer = b"\x6f\x00"
    reader.psam = psam
    driver = reader.driver(hsm=line)
    assert -0x6F00 == code_of(driver.iReadCard, 1, 2, reader.info, HOUSE)
    assert -0x6F00 == code_of(driver.iReadCardBas, 1)
    assert [] == line.asked


def test_a_psam_does_not_judge_what_it_has_not_begun() -> None:
    reader, line = Reader(), Line()
    reader.psam = Failing(reader.psam._chip)  # type: ignore[arg-type]
    paid = reader.driver(hsm=line).iDoDebit(1, reader.info, PAY)
    assert ("0001|00000001|", "|0|") == (paid[:14], paid[-3:])


def test_a_key_that_the_centre_has_no_address_of_is_told() -> None:
    reader = Reader()
    line = Line(addresses=HsmAddresses())
    driver = Driver(lambda iType: reader.channel, None, line)
    assert "SSSEEF07||$" == driver.iReadCard(1, 2, reader.info, "SSSEEF07|$")
    written = (1, reader.info, "DF01EF15|2A|$", "DF01EF15|21|$")
    assert Code.UNSUPPORTED == code_of(driver.iWriteCard, *written)
    assert Code.UNSUPPORTED == code_of(driver.iWriteCard_HSM_Step1, *written[:3])


def test_a_centre_that_cannot_be_reached_or_lies_is_told() -> None:
    reader = Reader()

    def failing(error: Exception) -> Driver:
        def ask(line: str) -> str:
            raise error

        return reader.driver(psam=False, hsm=ask)

    call = (1, 2, reader.info, HOUSE)
    assert Code.NOT_CONNECTED == code_of(failing(ConnectionError("no")).iReadCard, *call)
    assert Code.NOT_CONNECTED == code_of(failing(TimeoutError()).iReadCard, *call)
    for answer in ("", "x", "00" * 16, "|" * 3):
        lying = reader.driver(psam=False, hsm=lambda line: answer)  # noqa: B023
        assert Code.ILLEGAL_DATA == code_of(lying.iReadCard, *call)
        assert Code.ILLEGAL_DATA == code_of(lying.iReadCardBas, 1)
    assert 0 == code_of(reader.driver().iReadCard, *call)


def test_a_foreign_centre_costs_a_try_and_opens_nothing() -> None:
    reader = Reader("3.0")
    driver = reader.driver(psam=False)
    asked = driver.iReadCardBas_HSM_Step1(1)
    right = Line("3.0")(asked).split("|")
    flipped = f"{int(right[1][:16], 16) ^ 1:016X}{right[1][16:]}"
    assert -0x63CE == code_of(driver.iReadCardBas_HSM_Step2, f"{right[0]}|{flipped}|")
    asked = driver.iReadCardBas_HSM_Step1(1)
    right = Line("3.0")(asked).split("|")
    flipped = f"{int(right[0][:16], 16) ^ 1:016X}{right[0][16:]}"
    assert Code.NOT_GENUINE == code_of(driver.iReadCardBas_HSM_Step2, f"{flipped}|{right[1]}|")


# Steps


def first_steps(driver: Driver, info: str) -> dict[str, tuple[object, ...]]:
    return {
        "iReadCardBas": (1,),
        "iReadCard": (1, info, HOUSE),
        "iWriteCard": (1, info, HOUSE),
        "iReloadPIN": (1, info),
        "iUnblockPIN": (1, info),
        "iDoDebit": (1, info, PAY),
    }


LATER = [name for name in FUNCTIONS if "_HSM_Step" in name and not name.endswith("1")]


@pytest.mark.parametrize("name", LATER)
def test_a_step_without_the_one_before_is_refused(name: str) -> None:
    driver = Reader().driver(psam=False)
    assert Code.PARAMETER == code_of(getattr(driver, name), *answered(name, "00"))


def answered(name: str, pKey: str | bytes) -> list[str | bytes]:
    """What a later step is given."""
    given: dict[str, str | bytes] = {"pKey": pKey, "pWriteData": "DF01EF05|1|x|$"}
    return [given[each] for each in FUNCTIONS[name]]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ("DF01EF05|1|$", Code.PARAMETER),
        ("DF01EF06|1|x|$", Code.PARAMETER),
        ("DF01EF05|1|x|", Code.PARAMETER),
        ("DF01EF05|123|x|$", Code.LENGTH),
        ("DF01EF05|1|\ud800|$", Code.CHARACTER),
        (b"DF01EF05|1|\xc8|$", Code.CHARACTER),
    ],
)
def test_values_that_are_wrong_are_told_before_the_key_is_proven(
    data: str | bytes, code: int
) -> None:
    reader, line = Reader(), Line()
    driver = reader.driver(psam=False)
    line(driver.iReadCardBas_HSM_Step1(1))
    right = line(driver.iWriteCard_HSM_Step1(1, reader.info, HOUSE))
    key = f"{int(right[:16], 16) ^ 1:016X}{right[16:]}"  # the card would say so
    assert code == code_of(driver.iWriteCard_HSM_Step2, key, data)
    assert "DF01EF05|||$" == reader.driver().iReadCard(1, 2, reader.info, HOUSE)
    driver.iWriteCard_HSM_Step2(
        line(driver.iWriteCard_HSM_Step1(1, reader.info, HOUSE)), "DF01EF05|1|x|$"
    )


@pytest.mark.parametrize("name", LATER)
@pytest.mark.parametrize("begun", ["iReadCardBas", "iReadCard", "iUnblockPIN"])
def test_a_step_of_another_function_ends_what_was_begun(name: str, begun: str) -> None:
    reader = Reader()
    driver = reader.driver(psam=False)
    first = first_steps(driver, reader.info)[begun]
    line = Line()
    line(driver.iReadCardBas_HSM_Step1(1))
    asked = getattr(driver, f"{begun}_HSM_Step1")(*first)
    if name == f"{begun}_HSM_Step2":
        return
    assert Code.PARAMETER == code_of(getattr(driver, name), *answered(name, line(asked)))
    assert Code.PARAMETER == code_of(getattr(driver, f"{begun}_HSM_Step2"), line(asked))


@pytest.mark.parametrize("key", ["", "x", "00" * 16, "00" * 17, "|", b"\xb2", "zz|zz|"])
def test_an_answer_that_is_none_ends_what_was_begun(key: str | bytes) -> None:
    reader = Reader()
    driver = reader.driver(psam=False)
    for name, first in first_steps(driver, reader.info).items():
        terminal = reader.driver(psam=False, terminal="000000000042")
        getattr(terminal, f"{name}_HSM_Step1")(*first)
        second = getattr(terminal, f"{name}_HSM_Step2")
        given = answered(f"{name}_HSM_Step2", key)
        assert code_of(second, *given) in (Code.PARAMETER, Code.CHARACTER)
        assert Code.PARAMETER == code_of(second, *given)


def test_a_new_function_drops_what_was_begun() -> None:
    reader, line = Reader(), Line()
    driver = reader.driver(psam=False)
    answer = line(driver.iReadCardBas_HSM_Step1(1))
    driver.iVerifyPIN(1)
    assert Code.PARAMETER == code_of(driver.iReadCardBas_HSM_Step2, answer)


def test_a_file_that_needs_no_key_needs_no_hsm() -> None:
    reader, pad = Reader(), Pad(PIN)
    driver = reader.driver(psam=False, pad=pad)
    for address in ("SSSEEF06|08|$", "DF04EF08|01|$", "DF05EF05|$"):
        found = code_of(driver.iReadCard_HSM_Step1, 1, reader.info, address)
        assert Code.HSM_NOT_NEEDED == found
    assert [] == pad.asked


def test_files_under_several_keys_do_not_go_by_hand() -> None:
    reader = Reader()
    driver = reader.driver(psam=False)
    several = "DF01EF05|20|$DF02EF05|42|$"
    assert Code.PARAMETER == code_of(driver.iReadCard_HSM_Step1, 1, reader.info, several)
    one = "DF01EF05|20|$DF01EF06|23|$SSSEEF06|08|$"
    assert 0 == code_of(driver.iReadCard_HSM_Step1, 1, reader.info, one)


def test_pin_and_key_go_together_by_hand() -> None:
    reader, line, pad = Reader(), Line(), Pad(PIN)
    driver = reader.driver(psam=False, pad=pad)
    line(driver.iReadCardBas_HSM_Step1(1))
    asked = driver.iReadCard_HSM_Step1(1, reader.info, "DF04EF06|92|$")
    assert [PinPrompt.PIN] == pad.asked
    assert "DF04EF06|0|$" == driver.iReadCard_HSM_Step2(line(asked))


def test_lines_have_the_lengths_that_callers_know() -> None:
    for generation, reload in (("2.0", 34), ("3.0", 50)):
        reader, line = Reader(generation), Line(generation)
        driver = reader.driver(NEW, psam=False)
        line(driver.iReadCardBas_HSM_Step1(1))
        second = driver.iReloadPIN_HSM_Step2(line(driver.iReloadPIN_HSM_Step1(1, reader.info)))
        assert reload == len(line(second))
        second = driver.iUnblockPIN_HSM_Step2(line(driver.iUnblockPIN_HSM_Step1(1, reader.info)))
        assert 18 == len(line(second))


def test_the_bench_knows_an_address_for_every_key() -> None:
    known = [spec for table in TABLES for spec in table if spec.psam]
    assert len(known) == len({ADDRESSES.of(spec) for spec in known})
    assert suite_of("3.0") is not suite_of("2.0")
