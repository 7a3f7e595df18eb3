# SPDX-License-Identifier: Apache-2.0
"""`apdu`, `reset`, `atr`, `last`, `why`, and what is switched on and off."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from apdu.atr import Interface
from apdu.command import CommandAPDU
from host.cli.explanation import Explanation
from host.cli.reset_words import reset_words
from host.cli.shell.lines import BadLine
from host.cli.shell.report import Report
from host.cli.shell.session import Session
from host.cli.text import packed, spaced
from host.cli.typed import converse, typed_bytes

ON, OFF = "on", "off"


def apdu(session: Session, words: tuple[str, ...]) -> Report:
    """One command as it is typed; the digits may stand in several words."""
    follow = session.settings.auto
    command = typed_bytes(" ".join(words), "apdu")
    if follow:
        CommandAPDU.parse(command)  # whose lengths must make sense then
    (exchange,) = converse(session.cable, [command], follow=follow)
    hidden = bool(exchange.hidden_answer)
    data = None if hidden else exchange.answer[:-2]
    sw = int.from_bytes(exchange.answer[-2:])
    if session.answer is not None:
        session.answer = type(session.answer)(data, sw)
    items = session.last.got if session.last is not None else ()
    return Report(items=items, raw=data, remark="a secret answer, not shown" if hidden else "")


def reset(session: Session, words: tuple[str, ...]) -> Report:
    """Reset the card, or take up the one that is there now."""
    if not words:
        session.cable.reset()
    else:
        try:
            interface = Interface(words[0].lower())
        except ValueError:
            raise BadLine("reset: nothing, contact or contactless") from None
        session.cable.reset_as(interface)
    words_of_it = f"ATR {spaced(session.cable.atr)}"
    return Report((words_of_it,), told=_atr_told(session))


def atr(session: Session, words: tuple[str, ...]) -> Report:
    """What the answer to reset says."""
    found = session.cable.atr
    return Report((spaced(found),), tuple(reset_words(found)), told=_atr_told(session))


def _atr_told(session: Session) -> dict[str, str]:
    return {"atr": packed(session.cable.atr), "interface": session.cable.interface.value}


def last(session: Session, words: tuple[str, ...]) -> Report:
    """The last exchange, in hex and in words."""
    told = _the_last(session)
    return Report(told={"exchange": told.as_json()}, exchange=told)


def why(session: Session, words: tuple[str, ...]) -> Report:
    """Why the card refused what it was last sent."""
    told = _the_last(session)
    words_of_it = f"{told.sw or 0:04X} {told.sentence}"
    if session.reasons is None:
        remark = "the card does not say more: only images tell their reasons"
        return Report((words_of_it,), told={"why": None}, remark=remark)
    reason = session.why or "it gave no reason: nothing was refused"
    return Report((words_of_it, reason), told={"why": session.reasons.as_json()})


def _the_last(session: Session) -> Explanation:
    if session.last is None:
        raise BadLine("nothing was sent yet")
    return session.last


# Switches


def switch(name: str) -> Callable[[Session, tuple[str, ...]], Report]:
    """A line that switches one of the settings, or says how it is."""

    def switched(session: Session, words: tuple[str, ...]) -> Report:
        if words:
            word = words[0].lower()
            if word not in (ON, OFF):
                raise BadLine("must be on or off")
            setattr(session.settings, name, word == ON)
        state = ON if getattr(session.settings, name) else OFF
        called = name.removeprefix("as_")
        return Report((f"{called} {state}",), told={called: state == ON})

    return switched


# Recording


STOP: Final = "stop"


class Recording:
    """The recording that a line began, if one did."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._on = False

    def line(self, session: Session, words: tuple[str, ...]) -> Report:
        """Begin one in a new file, or stop it."""
        from host.cli.recording import recorded

        if words[0] == STOP:
            if not self._on:
                raise BadLine("nothing is being recorded")
            session.cable.record(None)
            self.close()
            return Report(("the recording has ended",))
        if self._on or session.cable.is_recorded:
            raise BadLine("one recording at a time: `record stop` ends it")
        path = Path(words[0])
        around = self._stack.enter_context(recorded(path, False))
        reason = session.reasons.words if session.reasons is not None else lambda: ""
        session.cable.record(lambda channel: around(channel, reason))
        self._on = True
        return Report((f"recording in {path}: `sscard trace show` reads it",))

    def close(self) -> None:
        self._stack.close()
        self._on = False
