# SPDX-License-Identifier: Apache-2.0
"""The card is pulled at every command of every function: its code, and nothing sent twice."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from driverbench import PIN, Line, Pulled, Reader, activated, changing, code_of

from card_os.chip import Chip
from host.channel.memory import MemoryChannel
from host.driver import Code, Driver
from host.faults import CardMute

NEW = "13572468"
PAY = "0|12.90|20260105093000|"
HOUSE = "DF01EF05|20|21|$DF02EF05|43|$DF02EF07|$"
HOUSE_DATA = "DF01EF05|1|x|$DF02EF05|1^2^3^20200101^^^^^^|$DF02EF07|1^^^|$"
ONE = "DF01EF05|20|21|$"
ONE_DATA = "DF01EF05|1|x|$"

Call = Callable[[Driver, str, Line], object]
CALLS: dict[str, Call] = {
    "iReadCardBas": lambda driver, info, _: driver.iReadCardBas(1),
    "iReadCard": lambda driver, info, _: driver.iReadCard(1, 2, info, HOUSE + "DF04EF08|$"),
    "iReadCard by PIN": lambda driver, info, _: driver.iReadCard(1, 1, info, HOUSE),
    "iWriteCard": lambda driver, info, _: driver.iWriteCard(1, info, HOUSE, HOUSE_DATA),
    "iVerifyPIN": lambda driver, info, _: driver.iVerifyPIN(1),
    "iChangePIN": lambda driver, info, _: driver.iChangePIN(1),
    "iReloadPIN": lambda driver, info, _: driver.iReloadPIN(1, info),
    "iUnblockPIN": lambda driver, info, _: driver.iUnblockPIN(1, info),
    "iDoDebit": lambda driver, info, _: driver.iDoDebit(1, info, PAY),
    "iReadDebitRecord": lambda driver, info, _: driver.iReadDebitRecord(1),
    "iReadCardBas by hand": lambda driver, info, line: driver.iReadCardBas_HSM_Step2(
        line(driver.iReadCardBas_HSM_Step1(1))
    ),
    "iReadCard by hand": lambda driver, info, line: driver.iReadCard_HSM_Step2(
        line(driver.iReadCard_HSM_Step1(1, info, ONE))
    ),
    "iWriteCard by hand": lambda driver, info, line: driver.iWriteCard_HSM_Step2(
        line(driver.iWriteCard_HSM_Step1(1, info, ONE)), ONE_DATA
    ),
    "iReloadPIN by hand": lambda driver, info, line: driver.iReloadPIN_HSM_Step3(
        line(driver.iReloadPIN_HSM_Step2(line(driver.iReloadPIN_HSM_Step1(1, info))))
    ),
    "iUnblockPIN by hand": lambda driver, info, line: driver.iUnblockPIN_HSM_Step3(
        line(driver.iUnblockPIN_HSM_Step2(line(driver.iUnblockPIN_HSM_Step1(1, info))))
    ),
    "iDoDebit by hand": lambda driver, info, line: driver.iDoDebit_HSM_Step2(
        line(driver.iDoDebit_HSM_Step1(1, info, PAY))
    ),
}
generations = pytest.mark.parametrize("generation", ["2.0", "3.0"])


def pulled(generation: str, name: str, at: int, *, answered: bool) -> tuple[Pulled, int, Chip]:
    """What a call came to on a card that is pulled at its n-th command."""
    chip = activated(generation)
    info, line = Reader(generation, chip).info, Line(generation)
    line(Reader(generation, chip).driver(psam=False).iReadCardBas_HSM_Step1(1))
    channel = Pulled(chip, at, answered=answered)
    reader = Reader(generation, chip)
    typed = (PIN, NEW, NEW) if name == "iChangePIN" else (PIN,)
    driver = reader.driver(*typed, card=channel, terminal="000000000042")
    return channel, code_of(CALLS[name], driver, info, line), chip


@generations
@pytest.mark.parametrize("answered", [False, True], ids=["before", "behind"])
@pytest.mark.parametrize("name", CALLS)
def test_a_card_that_is_pulled_has_its_code_and_is_sent_nothing_twice(
    name: str, answered: bool, generation: str
) -> None:
    whole, code, _ = pulled(generation, name, 10_000, answered=answered)
    assert 0 == code
    for at in range(1, 1 + len(whole.sent)):
        channel, code, _ = pulled(generation, name, at, answered=answered)
        assert Code.NO_CARD == code
        sent = at if answered else at - 1
        assert [command[:4] for command in whole.sent[:sent]] == [c[:4] for c in channel.sent]
        assert len(changing(channel.sent)) <= len(changing(whole.sent))


@generations
@pytest.mark.parametrize("answered", [False, True], ids=["before", "behind"])
def test_whether_a_torn_purchase_happened_the_record_tells(generation: str, answered: bool) -> None:
    """And trying anew pays once more only if the program does: the driver never does."""
    whole, _, _ = pulled(generation, "iDoDebit", 10_000, answered=answered)
    booking = next(i for i, c in enumerate(whole.sent, 1) if c[1] == 0x2C)
    for at in range(1, 1 + len(whole.sent)):
        channel, _, chip = pulled(generation, "iDoDebit", at, answered=answered)
        booked = any(command[1] == 0x2C for command in channel.sent)
        assert booked == (at > booking or (answered and at == booking))
        records = Reader(generation, chip).driver().iReadDebitRecord(1)
        assert int(booked) == records.count("$")


def test_after_a_pull_the_driver_goes_on_with_the_next_card() -> None:
    chip = activated()
    reader = Reader(chip=chip)
    cards = [Pulled(chip, 2), MemoryChannel(chip)]
    driver = Driver(lambda iType: cards.pop(0), reader.psam)
    assert Code.NO_CARD == code_of(driver.iReadCardBas, 1)
    assert "430200" == driver.iReadCardBas(1)[:6]


class Mute(Pulled):
    """A card that stops to answer."""

    def _exchange(self, command: bytes) -> bytes:
        try:
            return super()._exchange(command)
        except Exception:
            raise CardMute("no answer") from None


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_card_that_stops_to_answer_is_mute(at: int) -> None:
    driver = Reader().driver(card=Mute(activated(), at))
    assert Code.MUTE == code_of(driver.iReadCardBas, 1)


class PutBack(Pulled):
    """A card that works again once it was put back and reset, as in a reader."""

    back = False

    def reset(self) -> bytes:
        if self.gone and self.back:
            self.gone, self._left = False, 10_000
        return super().reset()


@pytest.mark.parametrize("name", ["iReadCardBas", "iReadCard", "iWriteCard", "iReloadPIN"])
def test_a_psam_that_is_pulled_is_no_psam_and_comes_back(name: str) -> None:
    for at in range(1, 9):
        reader = Reader("3.0")
        psam = PutBack(reader.psam._chip, at)  # type: ignore[arg-type]
        reader.psam = psam
        driver, line = reader.driver(), Line("3.0")
        found = code_of(CALLS[name], driver, reader.info, line)
        if not psam.gone:
            break
        assert Code.NO_PSAM == found
        psam.back = True
        assert 0 == code_of(CALLS[name], driver, reader.info, line)
    else:
        return
    assert at > 4


class Closing(MemoryChannel):
    """Notes whether it was let go of."""

    closed = 0

    def close(self) -> None:
        self.closed += 1


def test_every_card_is_let_go_of() -> None:
    chip = activated()
    reader, line = Reader(chip=chip), Line()
    for name, call in CALLS.items():
        card = Closing(chip)
        driver = reader.driver(PIN, card=card, terminal="000000000042")
        for info in (reader.info, "00|1|"):
            before = card.closed
            code_of(call, driver, info, line)
            driver.close()
            assert card.closed > before or (info == "00|1|" and "iVerify" in name)
    card = Closing(chip)
    with reader.driver(card=card) as driver:
        driver.iReadCardBas_HSM_Step1(1)
        assert 0 == card.closed
    assert 1 == card.closed
