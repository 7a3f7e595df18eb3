# SPDX-License-Identifier: Apache-2.0
"""One WebSocket: calls one after the other, and between them the question for a PIN."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from aiohttp import ClientError, WSCloseCode, WSMsgType, web

from apdu.secret import Secret
from host.driver import PinPrompt
from host.service.desk import Desk, Visitor
from host.service.functions import AskPin
from host.service.messages import (
    Call,
    Malformed,
    Reply,
    Typed,
    answer,
    as_json,
    parse,
    parse_token,
    question,
    refusal,
)

log: Final = logging.getLogger("host.service")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the service waits, in seconds, and how much at once (profile choices `service
    pin seconds`, `hold seconds`, `token seconds`, `connections`, `queue`)."""

    pin: float = 60
    """For a person to type a PIN."""
    hold: float = 60
    """For the next step of an operation, before its reader goes to the next in the line."""
    token: float = 5
    """For the first message of a WebSocket that brought no token, and for the body of a POST."""
    alive: float = 20
    """Between two looks whether the caller is still there."""
    connections: int = 32
    """WebSockets and POSTs at the same time."""
    queue: int = 16
    """Calls of one WebSocket that wait for those before them."""


class Conversation:
    """What is said on one WebSocket that is open."""

    def __init__(
        self, socket: web.WebSocketResponse, desk: Desk, patience: Patience, pad: AskPin | None
    ) -> None:
        self._socket = socket
        self._desk = desk
        self._patience = patience
        self._calls: asyncio.Queue[Call] = asyncio.Queue(patience.queue)
        self._loop = asyncio.get_running_loop()
        self._visitor = Visitor(pad or self._ask)
        self._current: Call | None = None
        self._open: asyncio.Future[Secret | None] | None = None

    async def admitted(self, knows: Callable[[Secret], bool]) -> bool:
        """Whether the first message is the token."""
        try:
            async with asyncio.timeout(self._patience.token):
                first = await self._socket.receive()
            if first.type is not WSMsgType.TEXT:
                raise Malformed("the first message must be text")
            if not knows(parse_token(first.data)):
                raise Malformed("the token is wrong")
        except TimeoutError:
            await self._refuse("no token came")
            return False
        except Malformed as error:
            await self._refuse(str(error))
            return False
        await self._say({"ready": True})
        return True

    async def hold(self) -> None:
        """Listen until the caller leaves or breaks the rules."""
        answering = asyncio.create_task(self._answer())
        try:
            await self._listen()
        finally:
            if self._open is not None and not self._open.done():
                self._open.set_result(None)
            self._desk.leave(self._visitor)
            answering.cancel()
            with suppress(asyncio.CancelledError):
                await answering

    async def _listen(self) -> None:
        async for message in self._socket:
            if message.type is WSMsgType.BINARY:
                await self._close(WSCloseCode.UNSUPPORTED_DATA, "messages are text")
                return
            if message.type is not WSMsgType.TEXT:
                return
            try:
                found = parse(message.data)
                if isinstance(found, Typed):
                    self._typed(found)
                else:
                    self._calls.put_nowait(found)
            except Malformed as error:
                await self._say(refusal(error))
            except asyncio.QueueFull:
                await self._refuse("too many calls at once")
                return

    async def _answer(self) -> None:
        """Make the calls in their order."""
        while True:
            call = self._current = await self._calls.get()
            said = await self._desk.call(self._visitor, call)
            self._current = None
            await self._say(answer(call, said.code, said.pOutInfo))

    def _ask(self, prompt: PinPrompt) -> str | None:
        """Ask on this WebSocket; runs in the thread of the call."""
        typed = asyncio.run_coroutine_threadsafe(self._ask_here(prompt), self._loop).result()
        return None if typed is None else typed.reveal().decode()

    async def _ask_here(self, prompt: PinPrompt) -> Secret | None:
        if self._visitor.gone or self._current is None:
            return None
        self._open = self._loop.create_future()
        try:
            async with asyncio.timeout(self._patience.pin):
                await self._say(question(self._current, prompt))
                return await self._open
        finally:
            self._open = None

    def _typed(self, reply: Typed) -> None:
        """A PIN, or no PIN, for the question that is open; a PIN is never kept for a later one."""
        asked = self._open
        if asked is None or asked.done():
            raise Malformed("no PIN was asked for", reply.id)
        if reply.id is not None and (self._current is None or reply.id != self._current.id):
            raise Malformed("no PIN was asked for by the call of this id", reply.id)
        asked.set_result(reply.pin)

    async def _say(self, reply: Reply) -> None:
        with suppress(ClientError, ConnectionError):  # gone; the listening end hears of it
            await self._socket.send_str(as_json(reply))

    async def _refuse(self, why: str) -> None:
        await self._close(WSCloseCode.POLICY_VIOLATION, why)

    async def _close(self, code: int, why: str) -> None:
        await self._socket.close(code=code, message=why.encode())
