# SPDX-License-Identifier: Apache-2.0
"""The recorded journeys again, with every function called over the WebSocket of the service.

The holder's PINs are asked for on it, too. What passes at the slots must be, byte for byte, what
was recorded with the driver in memory.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

from aiohttp import ClientWebSocketResponse
from journeybench import Desk, Recorder, Wire
from journeyfiles import every_journey, recorded, written
from journeys import Journey
from servicebench import Caller, in_a_loop, serving

from host.driver import Answer, PinPrompt


class OverWebSocket(Desk):
    """The program is in another place, and calls the service. A terminal is a connection."""

    def __init__(self, wire: Wire, generation: str) -> None:
        super().__init__(wire, generation)
        self._loop = asyncio.get_running_loop()
        self._open = AsyncExitStack()
        self._socket: ClientWebSocketResponse
        self.caller: Caller

    def _wait(self, what: Any) -> Any:
        """The journey runs in a thread of its own."""
        return asyncio.run_coroutine_threadsafe(what, self._loop).result()

    def _begin(self) -> None:
        self._wait(self._connect())

    async def _connect(self) -> None:
        await self.leave()
        self._socket = await self._open.enter_async_context(self.caller.socket())

    async def leave(self) -> None:
        await self._open.aclose()

    def _call(self, function: str, parameters: dict[str, int | str]) -> Answer:
        found: Answer = self._wait(self._say(function, parameters))
        return found

    async def _say(self, function: str, parameters: dict[str, int | str]) -> Answer:
        await self._socket.send_json({"function": function, **parameters})
        while "ask" in (heard := await self._socket.receive_json()):
            typed = self.pad(PinPrompt[heard["which"]])
            await self._socket.send_json({"cancel": True} if typed is None else {"pin": typed})
        assert heard.pop("function") == function
        return Answer(**heard)


@every_journey
@in_a_loop
async def test_a_journey_is_the_same_over_the_service(journey: Journey, generation: str) -> None:
    wire = Recorder(generation)
    desk = OverWebSocket(wire, generation)
    async with serving(hire=desk.hire) as desk.caller:
        await asyncio.to_thread(journey.play, desk)
        await desk.leave()
    assert recorded(journey, generation) == written(journey, generation, wire.entries)
