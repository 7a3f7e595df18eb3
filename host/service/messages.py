# SPDX-License-Identifier: Apache-2.0
"""The messages: strict JSON to values, and answers to JSON. Errors never repeat what was sent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

from apdu.secret import Secret
from host.driver import FUNCTIONS, Code, DriverFault, PinPrompt

LONGEST: Final = 64 * 1024
"""Bytes of a message (profile choice `service message`)."""

FAILED: Final = -99
"""The code when the service itself failed, which its log tells of (profile choice `service
failure`)."""

_LONGEST_ID: Final = 64
_LONGEST_PIN: Final = 32
_GREATEST: Final = 2**53
"""Beyond it JavaScript does not count in ones."""

Id = str | int | None
Reply = dict[str, str | int | bool | None]


class Malformed(Exception):
    """A message that is no message of ours; the text names the field and the rule."""

    def __init__(self, rule: str, id: Id = None, code: Code = Code.PARAMETER) -> None:
        super().__init__(rule)
        self.id = id
        self.code = code


@dataclass(frozen=True, slots=True)
class Call:
    """A function, what it is given, and the caller's name for the call, if it has one."""

    function: str
    parameters: Mapping[str, str | int] = field(repr=False)
    id: Id = None


@dataclass(frozen=True, slots=True)
class Typed:
    """The answer to a question for the PIN: None when the person cancelled."""

    pin: Secret | None
    id: Id = None


def parse(text: str | bytes) -> Call | Typed:
    """One message of a caller whose token is known.

    Raises Malformed.
    """
    message = read_object(text)
    id = _id(message)
    if "pin" in message or "cancel" in message:
        return _typed(message, id)
    function = message.pop("function", None)
    if not isinstance(function, str):
        raise Malformed("function: must be there, and a string", id)
    if function not in FUNCTIONS:
        raise Malformed("function: there is none of this name", id, Code.UNSUPPORTED)
    for name, value in message.items():
        if name not in FUNCTIONS[function]:
            known = ", ".join(FUNCTIONS[function])
            raise Malformed(f"{function}: there are no parameters but {known}", id)
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise Malformed(f"{name}: must be a string or a whole number", id)
        if isinstance(value, int) and abs(value) >= _GREATEST:
            raise Malformed(f"{name}: a number of less than 2^53", id)
    return Call(function, message, id)


def parse_token(text: str | bytes) -> Secret:
    """The token in the first message of a WebSocket that brought none before.

    Raises Malformed.
    """
    message = read_object(text)
    token = message.get("token")
    if not isinstance(token, str) or len(message) != 1:
        raise Malformed('the first message must be {"token": "..."}')
    return Secret(token.encode())


def read_object(text: str | bytes) -> dict[str, Any]:
    """A JSON object, every name once in it and all text whole.

    Raises Malformed.
    """
    try:
        plain = text.decode() if isinstance(text, bytes) else text
        found = json.loads(plain, object_pairs_hook=_once, parse_constant=_no_constant)
    except Malformed:
        raise
    except (ValueError, RecursionError):  # its text quotes the message
        raise Malformed("the message is no JSON in UTF-8") from None
    if not isinstance(found, dict):
        raise Malformed("the message is no JSON object")
    try:
        for each in (*found, *found.values()):
            if isinstance(each, str):
                each.encode()
    except UnicodeEncodeError:
        raise Malformed("the message holds half a character (a lone surrogate)") from None
    return found


def answer(call: Call, code: int, text: str) -> Reply:
    """The answer to a call."""
    return _with_id({"function": call.function, "code": code, "pOutInfo": text}, call.id)


def refusal(error: Malformed) -> Reply:
    """The answer to what is no call."""
    return _with_id(refused(error.code, str(error)), error.id)


def refused(code: Code, why: str) -> Reply:
    """A code of the driver's for a reason of the service's."""
    return {"code": int(code), "pOutInfo": DriverFault(code, why).sentence}


def question(call: Call, prompt: PinPrompt) -> Reply:
    """Asks the caller for a PIN; `which` is PIN, OLD, NEW or AGAIN."""
    words = f"{prompt.english} {prompt.chinese}"
    return _with_id({"ask": "PIN", "which": prompt.name, "prompt": words}, call.id)


def as_json(reply: Reply) -> str:
    """What goes out, on one line."""
    return json.dumps(reply, ensure_ascii=False)


def _typed(message: dict[str, Any], id: Id) -> Typed:
    if len(message) != 1:
        raise Malformed("pin, cancel: one of them, and nothing beside it", id)
    if "cancel" in message:
        if message["cancel"] is not True:
            raise Malformed("cancel: must be true", id)
        return Typed(None, id)
    pin = message["pin"]
    if not isinstance(pin, str) or len(pin) > _LONGEST_PIN:
        raise Malformed(f"pin: must be a string of no more than {_LONGEST_PIN} characters", id)
    return Typed(Secret(pin.encode()), id)


def _id(message: dict[str, Any]) -> Id:
    id = message.pop("id", None)
    if isinstance(id, bool) or not isinstance(id, str | int | None):
        raise Malformed("id: must be a string or a whole number")
    if isinstance(id, str) and len(id) > _LONGEST_ID:
        raise Malformed(f"id: must be no longer than {_LONGEST_ID} characters")
    if isinstance(id, int) and abs(id) >= _GREATEST:
        raise Malformed("id: a number of less than 2^53")
    return id


def _with_id(reply: Reply, id: Id) -> Reply:
    return reply if id is None else {"id": id, **reply}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Malformed("the message has a name twice")
    return found


def _no_constant(_: str) -> NoReturn:
    raise Malformed("the message holds a number that JSON does not know (NaN, Infinity)")
