# SPDX-License-Identifier: Apache-2.0
"""PIN entry: what the pad asks for, and what is made of the card's word about a PIN."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum

from apdu.errors import FormatError
from apdu.wire.codes import pin_bytes
from host.faults import PinBlocked, PinWrong
from host.ldt33.codes import Code, DriverFault


class PinPrompt(Enum):
    """What the holder is asked for: in English and in Chinese."""

    PIN = "Enter the PIN", "请输入社保卡密码"
    OLD = "Enter the old PIN", "请输入原密码"
    NEW = "Enter the new PIN", "请输入新密码"
    AGAIN = "Enter the new PIN again", "请再次输入新密码"

    def __init__(self, english: str, chinese: str) -> None:
        self.english = english
        self.chinese = chinese


AskPin = Callable[[PinPrompt], str | None]
"""Shows a prompt and returns the digits that were typed, or None when the holder cancelled.
TimeoutError when nothing was typed in time. What it returns is not to be logged or kept."""


class PinPad:
    """The pad, or none."""

    def __init__(self, ask: AskPin | None) -> None:
        self._ask = ask

    def enter(self, prompt: PinPrompt) -> str:
        """A PIN of 6 to 8 digits. -13 without a pad, -31 cancelled, -32 too late, -33 its length.

        What is typed beside the digits counts as a wrong length.
        """
        if self._ask is None:
            raise DriverFault(Code.UNSUPPORTED, "there is no way to enter a PIN")
        try:
            typed = self._ask(prompt)
        except TimeoutError:
            raise DriverFault(Code.TIMEOUT) from None
        if typed is None:
            raise DriverFault(Code.CANCELLED)
        try:
            pin_bytes(typed)
        except (FormatError, AttributeError, TypeError):
            raise DriverFault(Code.PIN_LENGTH) from None
        return typed

    def choose(self) -> str:
        """A new PIN, entered twice. -34 when the two entries differ."""
        new = self.enter(PinPrompt.NEW)
        if self.enter(PinPrompt.AGAIN) != new:
            raise DriverFault(Code.PINS_DIFFER)
        return new


@contextmanager
def about_the_pin() -> Iterator[None]:
    """Inside, a wrong secret is the PIN: -51 with the tries left, -52 when there are none."""
    try:
        yield
    except PinWrong as wrong:
        left = wrong.tries_left
        tries = "1 try is left" if left == 1 else f"{left} tries are left"
        raise DriverFault(Code.PIN_WRONG, tries) from None
    except PinBlocked:
        raise DriverFault(Code.PIN_BLOCKED) from None
