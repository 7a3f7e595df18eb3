# SPDX-License-Identifier: Apache-2.0
"""What the service calls: the driver, and whoever asks for a PIN."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from host.driver import FUNCTIONS, Answer, PinPrompt

AskPin = Callable[[PinPrompt], str | None]
"""Asks a person for a PIN, in the thread of the call: None when the person cancels; raises
TimeoutError when nobody answers."""
_STEP: Final = "_HSM_Step"


class Functions(Protocol):
    """The driver, as far as the service knows it."""

    def call(self, function: str, **parameters: str | int) -> Answer: ...
    def close(self) -> None: ...


Hire = Callable[[AskPin | None], Functions]
"""Makes a driver for a caller, with the caller's way to be asked for a PIN, if it has one."""


def in_steps(function: str) -> bool:
    """Whether this is one step of several."""
    return _STEP in function


def leaves_more(function: str) -> bool:
    """Whether a step is still to come when this one went well."""
    name, _, step = function.partition(_STEP)
    return step != "" and f"{name}{_STEP}{int(step) + 1}" in FUNCTIONS
