# SPDX-License-Identifier: Apache-2.0
"""What the service calls: the functions of LD/T 33 by name, and whoever asks for a PIN."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

AskPin = Callable[[str], str | None]
"""Asks a person for a PIN in the words given, in the thread of the call: None when the person
cancels; raises TimeoutError when nobody answers."""

LAST_STEP: Final = {
    "iReadCardBas": 2,
    "iReadCard": 2,
    "iWriteCard": 2,
    "iDoDebit": 2,
    "iReloadPIN": 3,
    "iUnblockPIN": 3,
}
"""How many steps the functions have that come in steps."""
STEP: Final = "_HSM_Step"


class Answer(Protocol):
    """What a function says: 0 and its output, or a negative code and its sentence."""

    @property
    def code(self) -> int: ...
    @property
    def pOutInfo(self) -> str: ...


class Functions(Protocol):
    """The driver, as far as the service knows it. Never raises for what a card or caller does."""

    def call(self, function: str, /, **parameters: str | int) -> Answer: ...


def in_steps(function: str) -> bool:
    """Whether this is one step of several."""
    return STEP in function


def leaves_more(function: str) -> bool:
    """Whether a step of this operation is still to come when this one went well."""
    name, _, step = function.partition(STEP)
    return step.isdecimal() and int(step) < LAST_STEP.get(name, 0)
