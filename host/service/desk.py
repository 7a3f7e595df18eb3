# SPDX-License-Identifier: Apache-2.0
"""One reader, its worker and the line before it: a call at a time, in the order they came.

A caller between two steps of one operation keeps the reader, since the card's challenge would not
outlive another's call. It keeps it for so many seconds only: then its operation is dropped, and its
next step is out of order. So nobody can break what another has half done, and nobody can keep the
reader by doing nothing.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from time import perf_counter
from typing import Final

from host.driver import Answer
from host.service.functions import AskPin, Functions, Hire, leaves_more
from host.service.messages import FAILED, Call

log: Final = logging.getLogger("host.service")


class Visitor:
    """A caller at the desk: its way to be asked for a PIN, and its own driver.

    With a driver of its own nobody can go on with another's operation.
    """

    def __init__(self, ask: AskPin | None) -> None:
        self.ask = ask
        self.driver: Functions | None = None
        self.gone = False


class Desk:
    """The one place where calls reach the reader. `hold` is in seconds.

    `hire` makes a driver for a caller; it and the driver's calls run in the worker, all others
    in the event loop.
    """

    def __init__(self, hire: Hire, hold: float) -> None:
        self._hire = hire
        self._hold = hold
        self._turn = asyncio.Lock()
        self._worker = ThreadPoolExecutor(1, "sscard-reader")
        self._holder: Visitor | None = None
        self._lapse: asyncio.TimerHandle | None = None
        self._working: asyncio.Task[Answer] | None = None

    async def call(self, visitor: Visitor, call: Call) -> Answer:
        """What the function says, once it is this caller's turn.

        Cancelled in the line the call is never made; cancelled later it is made to its end.
        """
        if self._holder is not visitor:
            await self._turn.acquire()
        self._keep(visitor)
        self._working = asyncio.create_task(self._work(visitor, call))
        return await asyncio.shield(self._working)

    def leave(self, visitor: Visitor) -> None:
        """The caller went away: what it had half done is dropped."""
        visitor.gone = True
        if self._holder is visitor and self._lapse is not None:
            self._drop(visitor)

    async def close(self) -> None:
        """Once all have left: wait for the call that is being made, and let the worker go."""
        if self._working is not None:
            with suppress(asyncio.CancelledError):
                await asyncio.wait([self._working])
        self._worker.shutdown()

    async def _work(self, visitor: Visitor, call: Call) -> Answer:
        answer = Answer(FAILED, "the service failed at this call; its log says where")
        began = perf_counter()
        try:
            run = asyncio.get_running_loop().run_in_executor
            answer = await run(self._worker, self._perform, visitor, call)
        except Exception as error:  # a fault of ours must not end the service
            self._dismiss(visitor)
            log.error("%s: %s", call.function, where(error))
        finally:
            took = round((perf_counter() - began) * 1000)
            log.info("%s: %d after %d ms", call.function, answer.code, took)
            if _goes_on(call, answer) and not visitor.gone:
                loop = asyncio.get_running_loop()
                self._lapse = loop.call_later(self._hold, self._drop, visitor)
            else:
                if visitor.gone:
                    self._dismiss(visitor)
                self._holder = None
                self._turn.release()
        return answer

    def _perform(self, visitor: Visitor, call: Call) -> Answer:
        if visitor.driver is None:
            visitor.driver = self._hire(visitor.ask)
        answer = visitor.driver.call(call.function, **call.parameters)
        if not _goes_on(call, answer):
            visitor.driver.close()  # a call that was refused may have left an operation begun
        return answer

    def _keep(self, visitor: Visitor) -> None:
        self._holder = visitor
        if self._lapse is not None:
            self._lapse.cancel()
            self._lapse = None

    def _drop(self, visitor: Visitor) -> None:
        """End an operation between two of its steps, before the next in the line has its turn."""
        self._dismiss(visitor)
        if self._lapse is not None:
            self._lapse.cancel()
            self._lapse = None
        self._holder = None
        self._turn.release()

    def _dismiss(self, visitor: Visitor) -> None:
        """Let a driver go, and with it the card, before the next call is made."""
        if visitor.driver is not None:
            self._worker.submit(visitor.driver.close)
            visitor.driver = None


def _goes_on(call: Call, answer: Answer) -> bool:
    return answer.code == 0 and leaves_more(call.function)


def where(error: BaseException) -> str:
    """The kind of an error and the line that raised it: its text may hold what nobody may see."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return type(error).__name__
    code = trace.tb_frame.f_code
    return f"{type(error).__name__} in {code.co_qualname}, line {trace.tb_lineno}"
