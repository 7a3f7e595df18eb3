# SPDX-License-Identifier: Apache-2.0
"""Requests, reversals and answers as ISO 8583:1987 messages, and back.

    0200 request   0210 its answer      0400 reversal     0410 its answer
    0220 advice    0230 its answer      0800 are you there?  0810 yes

The messages have no year: who receives one takes the year in which its date is nearest to the
receiver's own (profile choice `message-year`). Parts of a second are not carried.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from host.network.authorisation import (
    AuthorisationRequest,
    AuthorisationResponse,
    EntryMode,
    Reversal,
)
from host.network.fields import check_request, check_response, check_reversal
from host.network.iso8583 import Message, MessageWrong
from host.network.purposes import processing_code, purpose_of

REQUEST, ADVICE, REVERSAL, NETWORK = "0200", "0220", "0400", "0800"
ANSWER_TO: Final = {REQUEST: "0210", ADVICE: "0230", REVERSAL: "0410", NETWORK: "0810"}
_WITH_PIN, _WITHOUT_PIN = "1", "2"
"""Third digit of DE22."""
_CHIP_CONDITION: Final = "00"
_FORMAT_0_TDES: Final = "2600000000000000"
"""DE53: the PIN block holds the PAN (2), under a key of double length (6)."""
_ECHO: Final = "00000001301"
"""DE60 of UnionPay's network messages: type 00, batch 000001, 301 for an echo test."""
_AVAILABLE: Final = "1002"
"""DE54: of the checking account (10) the available amount (02)."""
_ECHOED: Final = ("2", "3", "4", "11", "12", "13", "23", "25", "37", "41", "42", "49", "60")
"""What an answer repeats of its question."""
_TELLS: Final = ("11", "37", "41", "42")
"""By which an answer is known to be the answer."""


@dataclass(frozen=True, slots=True)
class Echo:
    """Are you there?"""

    trace: int
    time: datetime
    terminal_id: str
    merchant_id: str


Asked = AuthorisationRequest | Reversal | Echo


# Questions


def question_of(value: Asked) -> Message:
    """The message of a request, an advice, a reversal or an echo. Raises FormatError."""
    match value:
        case AuthorisationRequest():
            return _request(value)
        case Reversal():
            return _reversal(value)
    return Message(
        NETWORK,
        {
            "11": f"{value.trace:06d}",
            **_moment(value.time),
            "41": value.terminal_id,
            "42": value.merchant_id,
            "60": _ECHO,
        },
    )


def _request(request: AuthorisationRequest) -> Message:
    check_request(request)
    fields = {
        "2": request.pan,
        "3": processing_code(request.purpose),
        "4": f"{request.amount:012d}",
        "11": f"{request.trace:06d}",
        **_moment(request.time),
        "22": request.entry_mode.value + (_WITH_PIN if request.pin_block else _WITHOUT_PIN),
        "23": f"0{request.psn}",
        "25": _CHIP_CONDITION,
        "37": request.reference,
        "41": request.terminal_id,
        "42": request.merchant_id,
        "49": request.currency,
    }
    if request.pin_block:
        fields |= {"52": request.pin_block.hex().upper(), "53": _FORMAT_0_TDES}
    if request.icc:
        fields["55"] = request.icc.hex().upper()
    if request.target:
        fields["103"] = request.target
    return Message(ADVICE if request.advice else REQUEST, fields)


def _reversal(reversal: Reversal) -> Message:
    check_reversal(reversal)
    fields = {
        "2": reversal.pan,
        "4": f"{reversal.amount:012d}",
        "11": f"{reversal.trace:06d}",
        **_moment(reversal.time),
        "37": reversal.reference,
        "39": reversal.reason,
        "41": reversal.terminal_id,
        "42": reversal.merchant_id,
    }
    if reversal.icc:
        fields["55"] = reversal.icc.hex().upper()
    return Message(REVERSAL, fields)


def read_question(message: Message, near: date) -> Asked:
    """What a message asks. `near`: the receiver's own date. Raises MessageWrong, or FormatError
    naming the field."""
    match message.mti:
        case "0200" | "0220":
            request = _read_request(message, near)
            check_request(request)
            return request
        case "0400":
            reversal = _read_reversal(message, near)
            check_reversal(reversal)
            return reversal
        case "0800":
            return Echo(
                int(message.need("11")),
                _time(message, near),
                message.need("41"),
                message.need("42"),
            )
    raise MessageWrong("t", "it asks for nothing that is known here")


def _read_request(message: Message, near: date) -> AuthorisationRequest:
    mode = message.need("22")
    try:
        entry = EntryMode(mode[:2])
    except ValueError:
        raise MessageWrong("22", "must be 05 or 07: the chip was read") from None
    pin = message.fields.get("52", "")
    if mode[2:] != (_WITH_PIN if pin else _WITHOUT_PIN):
        raise MessageWrong("22", "must say whether there is a PIN block")
    if pin and message.need("53") != _FORMAT_0_TDES:
        raise MessageWrong("53", "must be a PIN block of format 0 under a key of double length")
    psn = message.need("23")
    if psn[:1] != "0":
        raise MessageWrong("23", "must be 000 to 099")
    if message.need("25") != _CHIP_CONDITION:
        raise MessageWrong("25", f"must be {_CHIP_CONDITION}")
    return AuthorisationRequest(
        reference=message.need("37"),
        trace=int(message.need("11")),
        time=_time(message, near),
        purpose=purpose_of(message.need("3")),
        amount=int(message.need("4")),
        pan=message.need("2"),
        psn=psn[1:],
        terminal_id=message.need("41"),
        merchant_id=message.need("42"),
        entry_mode=entry,
        currency=message.need("49"),
        icc=bytes.fromhex(message.fields.get("55", "")),
        pin_block=bytes.fromhex(pin),
        target=message.fields.get("103", ""),
        advice=message.mti == ADVICE,
    )


def _read_reversal(message: Message, near: date) -> Reversal:
    return Reversal(
        reference=message.need("37"),
        trace=int(message.need("11")),
        time=_time(message, near),
        amount=int(message.need("4")),
        pan=message.need("2"),
        terminal_id=message.need("41"),
        merchant_id=message.need("42"),
        reason=message.need("39"),
        icc=bytes.fromhex(message.fields.get("55", "")),
    )


# Answers


def answer_to(question: Message, response: AuthorisationResponse) -> Message:
    """The message that answers a question. Raises FormatError."""
    check_response(response)
    fields = {name: question.fields[name] for name in _ECHOED if name in question.fields}
    fields["39"] = response.response_code
    if response.authorisation_code:
        fields["38"] = response.authorisation_code
    if response.balance is not None:
        sign = "D" if response.balance < 0 else "C"
        currency = question.fields.get("49", "156")
        fields["54"] = f"{_AVAILABLE}{currency}{sign}{abs(response.balance):012d}"
    if response.icc:
        fields["55"] = response.icc.hex().upper()
    return Message(ANSWER_TO[question.mti], fields)


def read_answer(answer: Message, question: Message) -> AuthorisationResponse:
    """What an answer says. Raises MessageWrong when it is not the answer to this question."""
    if answer.mti != ANSWER_TO[question.mti]:
        raise MessageWrong("t", "it is not the answer to what was asked")
    for name in _TELLS:
        if answer.fields.get(name) != question.fields.get(name):
            raise MessageWrong(name, "it answers another question")
    response = AuthorisationResponse(
        answer.need("39"),
        answer.fields.get("38", ""),
        _balance(answer),
        bytes.fromhex(answer.fields.get("55", "")),
    )
    check_response(response)
    return response


def _balance(answer: Message) -> int | None:
    told = answer.fields.get("54")
    if told is None:
        return None
    digits = told[8:]
    right = len(told) == 20 and told[:4] == _AVAILABLE and told[7] in "CD"
    if not right or not digits.isdecimal():
        raise MessageWrong("54", "must be one available amount: 1002, currency, C or D, 12 digits")
    return -int(digits) if told[7] == "D" else int(digits)


# Times


def _moment(time: datetime) -> dict[str, str]:
    return {"12": f"{time:%H%M%S}", "13": f"{time:%m%d}"}


def _time(message: Message, near: date) -> datetime:
    day, clock = message.need("13"), message.need("12")
    month, number = int(day[:2]), int(day[2:])
    candidates = []
    for year in (near.year - 1, near.year, near.year + 1):
        try:
            candidates.append(date(year, month, number))
        except ValueError:
            continue
    if not candidates:
        raise MessageWrong("13", "is no date of a year that is near")
    found = min(candidates, key=lambda each: abs((each - near).days))
    try:
        return datetime(found.year, month, number, int(clock[:2]), int(clock[2:4]), int(clock[4:]))
    except ValueError:
        raise MessageWrong("12", "is no time of day") from None
