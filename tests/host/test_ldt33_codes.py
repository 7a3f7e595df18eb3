# SPDX-License-Identifier: Apache-2.0
"""The codes of LD/T 33: what each fault is told as, and in what words."""

from __future__ import annotations

import pytest

from apdu.errors import FormatError
from host.faults import (
    CardBusy,
    CardFault,
    CardGone,
    CardMisspoke,
    CardMute,
    CardNotGenuine,
    CardRefused,
    CardReset,
    CentreMisspoke,
    InitialPinInForce,
    KeyUnavailable,
    Lack,
    NotFound,
    NotListed,
    PinBlocked,
    PinWrong,
    ReaderGone,
    TooFewTries,
)
from host.ldt33.codes import FALL_BACK, SENTENCES, Code, DriverFault, fault_of

FAULTS: list[tuple[Exception, int]] = [
    (CardGone("pulled"), -2),
    (CardReset("by others"), -2),
    (CardMute("late"), -4),
    (CardBusy("kept by another"), -11),
    (ReaderGone("unplugged"), -12),
    (NotListed("not allowed"), -31),
    (TooFewTries("one left"), -31),
    (CardFault("no reader"), -11),
    (OSError("broken"), -11),
    (FormatError("x"), -14),
    (CardNotGenuine("x"), -21),
    (CardMisspoke("x"), -23),
    (CentreMisspoke("x"), -23),
    (InitialPinInForce("x"), -35),
    (KeyUnavailable("PSAM", "RKSSSE", Lack.KEY), -2203),
    (KeyUnavailable("PSAM", "RKSSSE", Lack.ALGORITHM), -2202),
    (KeyUnavailable("PSAM", "RKSSSE", Lack.USE), -24),
    (KeyUnavailable("HSM", "UKSSSE", Lack.ADDRESS), -13),
    (NotFound(0x6A82, "READ RECORD"), -0x6A82),
    (NotFound(0x6A88), -27272),
    (CardRefused(0x6F00), -0x6F00),
    (PinWrong(0x63C0, "EXTERNAL AUTHENTICATE"), -25536),
    (PinWrong(0x63C2, "EXTERNAL AUTHENTICATE"), -25538),
    (PinBlocked(0x6983, "EXTERNAL AUTHENTICATE"), -0x6983),
]


@pytest.mark.parametrize(("error", "code"), FAULTS, ids=lambda found: repr(found))
def test_every_fault_has_its_code_and_a_sentence(error: Exception, code: int) -> None:
    fault = fault_of(error)
    assert fault is not None
    assert code == fault.code
    assert fault.sentence and str(code) in str(fault)


def test_a_fault_of_the_driver_stays_as_it_is() -> None:
    fault = DriverFault(Code.OTHER_CARD)
    assert fault is fault_of(fault)


def test_an_error_that_is_ours_is_no_code() -> None:
    for error in (TypeError("x"), KeyError("x"), ZeroDivisionError()):
        assert fault_of(error) is None


def test_all_codes_have_two_sentences_and_are_negative() -> None:
    assert set(Code) == set(SENTENCES)
    for code, (english, chinese) in SENTENCES.items():
        assert code < 0
        assert english.isascii() and not chinese.isascii()
    assert len({english for english, _ in SENTENCES.values()}) == len(SENTENCES)


def test_the_codes_after_which_one_goes_on_with_the_hsm() -> None:
    assert {-2201, -2202, -2203, -27272, -24} == FALL_BACK


def test_a_status_word_says_its_name_and_what_was_done() -> None:
    fault = fault_of(NotFound(0x6A82, "READ RECORD"))
    assert fault is not None
    assert "6A82 no such file or application: READ RECORD (卡片返回错误状态字)" == fault.sentence
