# SPDX-License-Identifier: Apache-2.0
"""How a function runs: at once, or step by step with a program that carries lines to the HSM."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from host.channel import Channel
from host.ldt33.codes import Code, DriverFault, fault_of
from host.ldt33.desk import Desk
from host.ldt33.pinpad import PinPad
from host.ldt33.sources import Procedure, Request, Sources
from host.ldt33.syntax import Text, decoded

CARD_TYPES: Final = range(1, 5)
"""iType: 1 contact, 2 contactless, 3 whichever is there and contact first, 4 contactless first."""


def step_name(function: str, step: int) -> str:
    """How LD/T 33 calls the step of a function."""
    return f"{function}_HSM_Step{step}"


Take = Callable[[Text], None]
"""Takes a parameter that comes with a later step than the first."""


@dataclass
class _Begun:
    """A function that waits for the answer to its line."""

    function: str
    step: int
    desk: Desk
    procedure: Procedure
    request: Request
    take: Take | None

    def drop(self) -> None:
        self.procedure.close()
        self.desk.leave()


class Running:
    """The reader, and what was begun on it. All of it raises DriverFault."""

    def __init__(self, card: Callable[[int], Channel], pad: PinPad, sources: Sources) -> None:
        self._card = card
        self._pad = pad
        self._sources = sources
        self._begun: _Begun | None = None

    def run(self, iType: int, procedure: Callable[[Desk], Procedure], *, keys: bool = False) -> str:
        """All of a procedure. `keys`: it is not even begun when there is nobody to ask."""
        with _told():
            if keys:
                self._sources.require()
            desk = self._desk(iType)
            try:
                return self._sources.run(desk, procedure(desk))
            finally:
                desk.leave()

    def do(self, iType: int, action: Callable[[Desk], str]) -> str:
        """Something that asks for no key."""
        with _told():
            desk = self._desk(iType)
            try:
                return action(desk)
            finally:
                desk.leave()

    def begin(
        self,
        function: str,
        iType: int,
        procedure: Callable[[Desk], Procedure],
        take: Take | None = None,
    ) -> str:
        """The first step: the line of the first request. `take` is given what else comes with a
        later one."""
        with _told():
            desk = self._desk(iType, by_hand=True)
            running = procedure(desk)
            return self._step(function, 1, desk, running, take, lambda: next(running))

    def go_on(self, function: str, step: int, pKey: Text, more: Text | None = None) -> str:
        """A later step: the next line, or what the function gives. -14 for one out of order, or
        for an answer that is none; either way what was begun is over."""
        begun, self._begun = self._begun, None
        with _told():
            if begun is None or (begun.function, begun.step) != (function, step - 1):
                if begun is not None:
                    begun.drop()
                wanted = step_name(function, step - 1)
                raise DriverFault(Code.PARAMETER, f"{wanted} must come right before this step")
            desk, request, running, take = begun.desk, begun.request, begun.procedure, begun.take

            def resume() -> Request:
                if take is not None and more is not None:
                    take(more)
                answer = self._sources.answer(desk, request, decoded("pKey", pKey))
                return running.send(answer)

            return self._step(function, step, desk, running, take, resume)

    def drop(self) -> None:
        """Let go of what was begun."""
        begun, self._begun = self._begun, None
        if begun is not None:
            begun.drop()

    def _desk(self, iType: int, *, by_hand: bool = False) -> Desk:
        self.drop()
        if iType not in CARD_TYPES:
            raise DriverFault(Code.PARAMETER, "iType: must be 1 to 4")
        channel = self._card(iType)
        try:
            return Desk(channel, self._pad, by_hand=by_hand)
        except BaseException:
            channel.close()
            raise

    def _step(
        self,
        function: str,
        step: int,
        desk: Desk,
        running: Procedure,
        take: Take | None,
        resume: Callable[[], Request],
    ) -> str:
        """Let a procedure run to its next request, and give its line, or to its end."""
        try:
            request = resume()
            line = self._sources.line(desk, request)
        except StopIteration as done:
            desk.leave()
            return str(done.value)
        except BaseException:
            running.close()
            desk.leave()
            raise
        self._begun = _Begun(function, step, desk, running, request, take)
        return line


@contextmanager
def _told() -> Iterator[None]:
    """Inside, what goes wrong with card, key sources and input becomes a DriverFault."""
    try:
        yield
    except DriverFault:
        raise
    except Exception as error:
        fault = fault_of(error)
        if fault is None:
            raise
        raise fault from None
