# SPDX-License-Identifier: Apache-2.0
"""iVerifyPIN, iChangePIN, iReloadPIN and iUnblockPIN, and what may be typed on the pad."""

from __future__ import annotations

import pytest
from driverbench import PIN, Pad, Reader, activated, code_of, every_generation

from host.channel.memory import MemoryChannel
from host.cli.testcard import issue_test_card, issue_test_psam
from host.driver import Code, Driver, PinPrompt

NEW = "13572468"


def block(reader: Reader) -> None:
    """Use up all tries of the PIN."""
    driver = reader.driver("000000")
    while code_of(driver.iVerifyPIN, 1) != Code.PIN_BLOCKED:
        pass


@every_generation
def test_a_pin_is_verified_changed_and_verified(generation: str) -> None:
    reader = Reader(generation)
    assert "" == reader.driver().iVerifyPIN(1)
    pad = Pad(PIN, NEW, NEW)
    assert "" == reader.driver(pad=pad).iChangePIN(1)
    assert [PinPrompt.OLD, PinPrompt.NEW, PinPrompt.AGAIN] == pad.asked
    assert Code.PIN_WRONG == code_of(reader.driver().iVerifyPIN, 1)
    assert "" == reader.driver(NEW).iVerifyPIN(1)


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ((None,), Code.CANCELLED),
        ((TimeoutError(),), Code.TIMEOUT),
        (("12345",), Code.PIN_LENGTH),
        (("123456789",), Code.PIN_LENGTH),
        (("",), Code.PIN_LENGTH),
        (("12345a",), Code.PIN_LENGTH),
        (("１２３４５６",), Code.PIN_LENGTH),
        ((PIN, None), Code.CANCELLED),
        ((PIN, "1234", "1234"), Code.PIN_LENGTH),
        ((PIN, NEW, TimeoutError()), Code.TIMEOUT),
        ((PIN, NEW, "13572469"), Code.PINS_DIFFER),
        ((PIN, "123456", "123456"), Code.TO_INITIAL_PIN),
        (("000000", NEW, NEW), Code.PIN_WRONG),
    ],
)
def test_what_is_not_typed_well_changes_no_pin(
    typed: tuple[str | Exception | None, ...], code: Code
) -> None:
    reader = Reader()
    assert code == code_of(reader.driver(*typed).iChangePIN, 1)
    assert "" == reader.driver().iVerifyPIN(1)


def test_a_new_pin_that_is_refused_costs_no_try() -> None:
    reader = Reader()
    for typed in ((PIN, NEW, "1"), (PIN, "123456", "123456"), (None,)):
        reader.driver(*typed).call("iChangePIN", iType=1)
    answer = reader.driver("000000").call("iVerifyPIN", iType=1)
    assert "5 tries are left" in answer.pOutInfo


def test_a_driver_without_a_pad_cannot_ask() -> None:
    driver = Driver(lambda iType: MemoryChannel(activated()))
    assert Code.UNSUPPORTED == code_of(driver.iVerifyPIN, 1)


@every_generation
def test_a_pin_that_was_forgotten_is_reloaded(generation: str) -> None:
    reader = Reader(generation)
    block(reader)
    pad = Pad(NEW)
    assert "" == reader.driver(pad=pad).iReloadPIN(1, reader.info)
    assert [PinPrompt.NEW, PinPrompt.AGAIN] == pad.asked
    assert "" == reader.driver(NEW).iVerifyPIN(1)


@every_generation
def test_a_blocked_pin_is_unblocked(generation: str) -> None:
    reader = Reader(generation)
    block(reader)
    assert "" == reader.driver().iUnblockPIN(1, reader.info)
    assert "" == reader.driver().iVerifyPIN(1)


def test_a_service_desk_may_reload_the_initial_pin() -> None:
    reader = Reader()
    reader.driver("123456").iReloadPIN(1, reader.info)
    assert "" == reader.driver("123456").iVerifyPIN(1)


def test_reloading_and_unblocking_need_the_right_card_and_keys() -> None:
    reader = Reader()
    other = Reader(chip=activated(seed=9)).info
    foreign = MemoryChannel(issue_test_psam(region="310100"))
    for name in ("iReloadPIN", "iUnblockPIN"):
        pad = Pad(NEW)
        without = getattr(reader.driver(psam=False, pad=pad), name)
        assert Code.NO_PSAM == code_of(without, 1, reader.info)
        assert Code.OTHER_CARD == code_of(getattr(reader.driver(pad=pad), name), 1, other)
        strange = Driver(lambda iType: reader.channel, foreign, ask_pin=pad)
        assert Code.KEY_USE == code_of(getattr(strange, name), 1, reader.info)
        assert [] == pad.asked
    assert Code.PINS_DIFFER == code_of(reader.driver(NEW, "7654321").iReloadPIN, 1, reader.info)
    assert "" == reader.driver().iVerifyPIN(1)


def test_the_initial_pin_may_be_verified() -> None:
    reader = Reader(chip=issue_test_card())
    assert "" == reader.driver("123456").iVerifyPIN(1)
