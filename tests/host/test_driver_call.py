# SPDX-License-Identifier: Apache-2.0
"""The functions by name, as programs in other languages call them; and what they never tell."""

from __future__ import annotations

import inspect
import logging

import pytest
from driverbench import PIN, Line, Reader, activated
from hypothesis import given
from hypothesis import strategies as st
from secretscan import leaks

from host.channel.memory import MemoryChannel
from host.driver import FUNCTIONS, Answer, Code, Driver
from host.ldt33.pinpad import PinPad, PinPrompt

NAMES = (
    "iReadCardBas iReadCard iWriteCard iVerifyPIN iChangePIN iReloadPIN iUnblockPIN iDoDebit"
    " iReadDebitRecord"
).split()


def test_all_functions_of_the_standard_are_there_with_their_parameters() -> None:
    steps = {"iReadCardBas": 2, "iReadCard": 2, "iWriteCard": 2, "iDoDebit": 2}
    steps |= {"iReloadPIN": 3, "iUnblockPIN": 3}
    names = {f"{name}_HSM_Step{at}" for name, last in steps.items() for at in range(1, last + 1)}
    assert set(NAMES) | names == set(FUNCTIONS)
    for name, parameters in FUNCTIONS.items():
        signature = inspect.signature(getattr(Driver, name))
        assert ("self", *parameters) == tuple(signature.parameters)


def test_a_call_answers_what_the_function_gives() -> None:
    reader = Reader()
    assert Answer(0, reader.driver().iReadCardBas(1)) == reader.driver().call(
        "iReadCardBas", iType=1
    )
    answer = reader.driver("000000").call("iVerifyPIN", iType=1)
    assert (-51, "the PIN is wrong: 5 tries are left (PIN校验失败)") == answer


@pytest.mark.parametrize(
    "name", ["", "ireadcardbas", "close", "call", "__init__", "_running", "iX"]
)
def test_a_name_that_is_no_function_is_not_supported(name: str) -> None:
    assert Code.UNSUPPORTED == Reader().driver().call(name, iType=1).code


@pytest.mark.parametrize("name", FUNCTIONS)
def test_parameters_that_are_missing_strange_or_too_many_are_wrong(name: str) -> None:
    def connect(iType: int) -> MemoryChannel:
        raise AssertionError("the card was asked")

    driver = Driver(connect)
    right = {each: 1 if each in ("iType", "iAuthType") else "x" for each in FUNCTIONS[name]}
    wrong: list[dict[str, object]] = [right | {"iOther": 1}]
    for each in right:
        wrong.append({key: value for key, value in right.items() if key != each})
        wrong += [right | {each: value} for value in (None, True, 1.5, ["x"])]
        wrong.append(right | {each: "1" if isinstance(right[each], int) else 1})
    for given_ in wrong:
        assert Code.PARAMETER == driver.call(name, **given_).code


text = st.text(st.characters(codec="utf-8"), max_size=30) | st.binary(max_size=30)
shaped = st.from_regex(r"((SSSE|DF0[1-9])EF0[5-9](\|[0-9A-F]{2}){0,3}\|\$){1,2}", fullmatch=True)


@given(st.sampled_from(sorted(FUNCTIONS)), st.integers(-2, 6), text, text | shaped, text | shaped)
def test_whatever_is_given_a_call_only_answers(
    name: str, number: int, info: str | bytes, address: str | bytes, data: str | bytes
) -> None:
    values = {
        "iType": number,
        "iAuthType": number,
        "pCardInfo": info,
        "pFileAddr": address,
        "pWriteData": data,
        "pPayInfo": data,
        "pKey": data,
    }
    driver = Driver(lambda iType: MemoryChannel(activated()))
    answer = driver.call(name, **{each: values[each] for each in FUNCTIONS[name]})
    assert answer.code <= 0
    assert answer.pOutInfo


def test_a_mistake_of_ours_is_not_told_as_the_cards() -> None:
    def connect(iType: int) -> MemoryChannel:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Driver(connect).call("iReadCardBas", iType=1)


def test_no_pin_is_in_what_is_said_logged_or_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    pin, new = "73190482", "90218374"
    reader, line = Reader(), Line()
    said: list[str] = []
    for typed in ((pin,), (PIN, new, new), (pin, new, new), (PIN, new, "90218375"), (PIN, "9021")):
        driver = reader.driver(*typed, hsm=line, psam=False, terminal="000000000042")
        for name, given_ in (
            ("iVerifyPIN", {}),
            ("iChangePIN", {}),
            ("iReloadPIN", {"pCardInfo": reader.info}),
            ("iDoDebit", {"pCardInfo": reader.info, "pPayInfo": "0|1|20260105093000|"}),
        ):
            answer = driver.call(name, iType=1, **given_)
            said += [answer.pOutInfo, repr(answer), repr(driver), str(vars(driver))]
    said += [repr(PinPad(lambda prompt: pin)), caplog.text]
    assert [] == leaks(said, [], [pin, new, PIN])


def test_prompts_come_in_two_languages() -> None:
    for prompt in PinPrompt:
        assert prompt.english.isascii() and not prompt.chinese.isascii()
