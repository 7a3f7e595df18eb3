# SPDX-License-Identifier: Apache-2.0
"""No key and no PIN is in anything that the driver, its service and its command say.

Everybody is listened to while whole journeys take place. One exception, which LD/T 33 has: the
line that the second step of iReloadPIN gives, and that goes to the key centre, has the new PIN in
the clear.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from commandline import PLAIN, sscard
from journeybench import Desk, InMemory, Pins, Recorder
from journeyfiles import every_journey
from journeys import JOURNEYS, Journey, card_info
from journeyservice import OverWebSocket
from secretscan import Watch, leaks, logged
from servicebench import in_a_loop

from apdu.crypto.suite import BlockKey
from apdu.secret import Secret
from card_os.chip import Chip
from card_os.nvm import Flash
from card_os.world import seeded
from host.channel.memory import MemoryChannel
from host.cli.testcard import TEST_DAY, issue_test_card, issue_test_psam
from host.driver import Answer, Code, Driver, DriverFault
from host.faults import CardGone

ROOT_KEY = bytes.fromhex("5BE82F9017C64DA3F1286E9035DB74AC")
PINS = Pins("739158", "480267", "26190385", "951736")
CLEAR = "iReloadPIN_HSM_Step2"
"""The one function that says a PIN."""


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[Watch]:
    """Listens to everybody, at every level, while cards get keys and PINs of our own."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr("host.keys.TEST_ROOT", ROOT_KEY)
    for where in ("host.terminal.personalise", "host.terminal.hrss"):
        monkeypatch.setattr(f"{where}.INITIAL_PIN", PINS.initial)
    found = Watch(monkeypatch, Secret, BlockKey)
    yield found
    found.hear(*logged(caplog))
    assert [] == found.leaks(*PINS)


@pytest.fixture
def something_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert any("something" in each for each in logged(caplog))


def test_what_a_test_logs_is_still_heard_when_it_is_over(something_logged: None) -> None:
    logging.getLogger("host.service").warning("something")


# Journeys


class Listening(Desk):
    """Keeps what functions say, and what goes to the key centre and back."""

    def __init__(self, generation: str) -> None:
        super().__init__(Recorder(generation), generation, PINS)
        self.told: list[tuple[str, str]] = []

    def call(self, function: str, *typed: str | None, **parameters: int | str) -> Answer:
        answer = super().call(function, *typed, **parameters)
        self.told.append((function, answer.pOutInfo))
        return answer

    def _asked(self, line: str) -> str:
        answer = super()._asked(line)
        self.told += [("line", line), ("answer", answer)]
        return answer

    def judge(self, watch: Watch) -> None:
        """Hear all of it, but for the new PIN in lines of a reload, which must be there."""
        for who, said in self.told:
            if who in (CLEAR, "line") and "|842400" in said:
                said = said.replace(f"|{PINS.newer}|", "|")
            watch.hear(said)
            assert not leaks([said], [], PINS), who


class ListeningInMemory(Listening, InMemory):
    def _call(self, function: str, parameters: dict[str, int | str]) -> Answer:
        answer = super()._call(function, parameters)
        for each in (self._driver, *vars(self._driver).values()):
            self.told.append(("repr", f"{each!r} {getattr(each, '__dict__', '')}"))
        return answer


class ListeningOverWebSocket(Listening, OverWebSocket):
    pass


@every_journey
def test_a_journey_tells_no_secret(watch: Watch, journey: Journey, generation: str) -> None:
    desk = ListeningInMemory(generation)
    journey.play(desk)
    desk.judge(watch)


@every_journey
def test_the_service_tells_no_secret(watch: Watch, journey: Journey, generation: str) -> None:
    desks = []

    @in_a_loop
    async def through() -> None:
        desks.append(ListeningOverWebSocket(generation))
        await desks[0].through(journey.play)

    through()
    desks[0].judge(watch)


def test_a_reload_in_steps_has_the_new_pin_in_one_line_alone(watch: Watch) -> None:
    (journey,) = (each for each in JOURNEYS if each.name == "hsm_pin_reset")
    desk = ListeningInMemory("2.0")
    journey.play(desk)
    assert {CLEAR} == {who for who, said in desk.told if leaks([said], [], PINS)}
    desk.judge(watch)


# What goes wrong

CALLS: dict[str, tuple[Callable[[Driver, str], str], tuple[str, ...]]] = {
    "iVerifyPIN": (lambda driver, info: driver.iVerifyPIN(1), (PINS.chosen,)),
    "iChangePIN": (
        lambda driver, info: driver.iChangePIN(1),
        (PINS.chosen, PINS.newer, PINS.newer),
    ),
    "iReloadPIN": (lambda driver, info: driver.iReloadPIN(1, info), (PINS.newer, PINS.newer)),
    "iReadCard": (
        lambda driver, info: driver.iReadCard(1, 1, info, "DF01EF05|20|$"),
        (PINS.chosen,),
    ),
    "iDoDebit": (
        lambda driver, info: driver.iDoDebit(1, info, "1|0|20260106081500|"),
        (PINS.chosen,),
    ),
}
"""Functions, and what the holder types."""


class Breaking(MemoryChannel):
    """A card that answers something else at its n-th command, or is pulled with that."""

    def __init__(self, chip: Chip, at: int, answer: bytes) -> None:
        super().__init__(chip)
        self.left = at
        self._answer = answer

    def _exchange(self, command: bytes) -> bytes:
        self.left -= 1
        if self.left:
            return super()._exchange(command)
        if not self._answer:
            raise CardGone("pulled")
        return self._answer


@pytest.mark.parametrize("generation", ["2.0", "3.0"])
@pytest.mark.parametrize("function", CALLS)
def test_a_card_that_breaks_off_makes_no_function_tell(
    watch: Watch, generation: str, function: str
) -> None:
    call, typed = CALLS[function]
    psam = MemoryChannel(issue_test_psam(generation=generation))
    issued = issue_test_card(generation)
    pad = iter([PINS.initial, *[PINS.chosen] * 2])
    first = Driver(lambda iType: MemoryChannel(issued), psam, None, lambda prompt: next(pad))
    first.iChangePIN(1)
    info = card_info(first.iReadCardBas(1))

    def breaks(at: int, answer: bytes) -> bool:
        chip = Chip.boot(Flash(bytearray(issued._flash.cells)), seeded(at, TEST_DAY))
        card, pins = Breaking(chip, at, answer), iter(typed)
        driver = Driver(lambda iType: card, psam, None, lambda prompt: next(pins))
        try:
            watch.hear(call(driver, info))
        except DriverFault as fault:
            watch.hear(repr(fault), fault.detail, fault.sentence, *fault.args)
            watch.hear(*traceback.format_exception(fault))
        watch.hear(repr(vars(driver._running)))
        return card.left < 1

    for answer in (b"", b"\x6f\x00", b"\x90", b"\x63\xc2", b"\x69\x82"):
        count = next(at for at in range(1, 100) if not breaks(at, answer)) - 1
        assert count >= 2


@pytest.mark.parametrize(
    "typed",
    [PINS.mistyped + "x", PINS.mistyped + PINS.mistyped, PINS.mistyped[:5], int(PINS.mistyped)],
)
def test_what_is_typed_and_is_no_pin_is_not_told(watch: Watch, typed: Any) -> None:
    psam = MemoryChannel(issue_test_psam())
    chip = issue_test_card()
    driver = Driver(lambda iType: MemoryChannel(chip), psam, None, lambda prompt: typed)
    for call in (driver.iVerifyPIN, driver.iChangePIN, driver.iReadDebitRecord):
        fault = watch.refused(call, 1)
        assert isinstance(fault, DriverFault)
        assert Code.PIN_LENGTH == fault.code
    watch.hear(repr(driver), repr(vars(driver)))
    assert PINS.mistyped[:5] not in "".join(map(str, watch.said))


# The command


@pytest.mark.parametrize("generation", ["2.0", "3.0"])
def test_the_command_tells_no_secret(watch: Watch, generation: str, tmp_path: Path) -> None:
    card, psam = tmp_path / "card.img", tmp_path / "psam.img"
    made = ("--generation", generation, "--seed", 7)
    watch.hear(sscard("issue", PLAIN, "-o", card, *made).output)
    watch.hear(sscard("issue", "--psam", "national", "-o", psam, *made).output)
    slots = ("--card", card, "--psam", psam)
    basics = sscard("driver", "iReadCardBas", *slots).stdout
    info = ("--card-info", card_info(basics))
    house = (*info, "--file-addr", "DF01EF05|20|$")

    def drive(function: str, *words: object, typed: tuple[str, ...] = ()) -> int:
        found = 0
        for more in ((), ("--json",)):
            result = sscard("driver", function, *words, *more, stdin="\n".join(typed))
            found |= result.exit_code
            watch.hear(result.output)
            if result.exception is not None:
                watch.hear(*traceback.format_exception(result.exception))
        return found

    pins = PINS
    assert 0 == drive("iVerifyPIN", *slots, typed=(pins.initial,))
    assert 1 == drive("iVerifyPIN", *slots, typed=(pins.mistyped,))
    assert 1 == drive("iChangePIN", *slots, typed=(pins.initial, pins.newer, pins.mistyped))
    assert 0 == drive("iReadCard", "--auth", 1, *slots, *house, typed=(pins.initial,))
    for source in (slots, ("--card", card, "--hsm", "test")):
        assert 0 == drive("iReloadPIN", *source, *info, typed=(pins.newer, pins.newer))
        assert 0 == drive("iUnblockPIN", *source, *info)
    pay = ("--pay-info", "1|0|20260106081500|")
    assert 0 == drive("iDoDebit", *slots, *info, *pay, typed=(pins.newer,))
    assert 0 == drive("iReadDebitRecord", *slots, typed=(pins.newer,))
