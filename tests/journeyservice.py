# SPDX-License-Identifier: Apache-2.0
"""A desk whose program is in another place, and calls the local service over its WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

from aiohttp import ClientWebSocketResponse
from journeybench import PINS, Desk, Pins, Wire
from servicebench import Caller, serving

from host.driver import Answer, PinPrompt


class OverWebSocket(Desk):
    """The program is in another place, and calls the service. A terminal is a connection."""

    def __init__(self, wire: Wire, generation: str, pins: Pins = PINS) -> None:
        super().__init__(wire, generation, pins)
        self._loop = asyncio.get_running_loop()
        self._open = AsyncExitStack()
        self._socket: ClientWebSocketResponse
        self._caller: Caller

    async def through(self, play: Callable[[Desk], None]) -> None:
        """Go through a journey, from the start of the service to its end."""
        async with serving(hire=self.hire) as self._caller:
            try:
                await asyncio.to_thread(play, self)
            finally:
                await self._open.aclose()

    def _wait(self, what: Any) -> Any:
        """The journey runs in a thread of its own."""
        return asyncio.run_coroutine_threadsafe(what, self._loop).result()

    def _begin(self) -> None:
        self._wait(self._connect())

    async def _connect(self) -> None:
        await self._open.aclose()
        self._socket = await self._open.enter_async_context(self._caller.socket())

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
