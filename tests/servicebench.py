# SPDX-License-Identifier: Apache-2.0
"""The local service on a real port, a driver that does what a test wants, and callers."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse

from apdu.secret import Secret
from host.driver import Answer, PinPrompt
from host.service.conversation import Patience
from host.service.functions import AskPin
from host.service.web import Service

TOKEN = "a-token-for-tests-only"  # noqa: S105 - which is true
BEARER = {"Authorization": f"Bearer {TOKEN}"}
PIN = "871403"
PAGE = "https://window.example"
"""A page that may call."""


@dataclass
class Bench:
    """What all drivers of one service share: the card they would talk to, and what happened."""

    calls: list[tuple[int, str, dict[str, str | int]]] = field(default_factory=list)
    """The driver's number, the function and its parameters, in the order they were begun."""
    hired: int = 0
    closed: int = 0
    slow: threading.Event = field(default_factory=threading.Event)
    """What a slow card waits for: iReadDebitRecord, and whatever is given the word slow."""
    begun: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    """Released when the slow card waits."""
    working: int = 0
    most: int = 0
    """How many calls were ever made at the same time."""

    def hire(self, ask: AskPin | None) -> FakeDriver:
        self.hired += 1
        return FakeDriver(self, ask, self.hired)


class FakeDriver:
    """Answers like a driver, and keeps one operation between its steps."""

    def __init__(self, bench: Bench, ask: AskPin | None, number: int) -> None:
        self.bench, self.ask, self.number = bench, ask, number
        self.step = 0

    def close(self) -> None:
        self.step = 0
        self.bench.closed += 1

    def call(self, function: str, **parameters: str | int) -> Answer:
        bench = self.bench
        bench.calls.append((self.number, function, parameters))
        bench.working += 1
        bench.most = max(bench.most, bench.working)
        try:
            if function == "iReadDebitRecord" or "slow" in parameters.values():
                bench.begun.release()
                assert bench.slow.wait(20)
            return self._call(function, parameters)
        finally:
            bench.working -= 1

    def _call(self, function: str, parameters: dict[str, str | int]) -> Answer:
        if "_HSM_Step" in function:
            before, self.step = self.step, int(function[-1])
            if self.step not in (1, before + 1):
                self.step = 0
                return Answer(-14, "out of order")
            return Answer(0, f"step {self.step}")
        if function == "iDoDebit":  # refused before anything is done, so nothing is dropped
            return Answer(-13, "unsupported")
        self.step = 0
        match function:
            case "iReadCardBas":
                return Answer(0, f"430200|张三|{parameters.get('iType')}|")
            case "iVerifyPIN":
                return self._pin()
            case "iReadDebitRecord":
                return Answer(0, "slow")
            case "iChangePIN":
                raise RuntimeError(f"broken with {PIN}")
        raise AssertionError(function)

    def _pin(self) -> Answer:
        if self.ask is None:
            return Answer(-13, "there is no way to enter a PIN")
        try:
            typed = self.ask(PinPrompt.OLD)
        except TimeoutError:
            return Answer(-32, "timeout")
        if typed is None:
            return Answer(-31, "cancelled")
        return Answer(0, "") if typed == PIN else Answer(-51, "wrong")


@dataclass
class Caller:
    """Whoever calls the service: programs, and pages with the headers that browsers send."""

    session: ClientSession
    port: int
    bench: Bench
    stop: Callable[[], Awaitable[None]]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def post(
        self, message: object = None, *, raw: bytes | None = None, **headers: str
    ) -> tuple[int, Any]:
        """The status and the body; `headers` with _ for -, and the token unless one is given."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        what: dict[str, Any] = {"json": message} if raw is None else {"data": raw}
        kind = {} if raw is None else {"Content-Type": "application/json"}
        async with self.session.post(
            f"{self.url}/call", headers={**BEARER, **kind, **named}, **what
        ) as answer:
            return answer.status, await answer.json()

    async def get(self, path: str, **headers: str) -> tuple[int, str]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.get(self.url + path, headers=named) as answer:
            return answer.status, await answer.text()

    @asynccontextmanager
    async def socket(self, **settings: Any) -> AsyncIterator[ClientWebSocketResponse]:
        settings.setdefault("headers", BEARER)
        async with self.session.ws_connect(f"{self.url}/ws", **settings) as found:
            yield found


async def told(socket: ClientWebSocketResponse, message: dict[str, Any]) -> Any:
    """Say something on a WebSocket and hear what comes next."""
    await socket.send_json(message)
    return await socket.receive_json()


async def slow_call_begun(bench: Bench) -> None:
    """Wait until a driver is busy with a slow card."""
    assert await asyncio.to_thread(bench.begun.acquire, timeout=20)


@asynccontextmanager
async def serving(
    *,
    hire: Callable[[AskPin | None], Any] | None = None,
    pad: AskPin | None = None,
    **patience: Any,
) -> AsyncIterator[Caller]:
    """A service on a free port; it allows the page `PAGE`."""
    bench = Bench()
    service = Service(hire or bench.hire, Secret(TOKEN.encode()), [PAGE], pad, Patience(**patience))
    port = await service.start(0)
    try:
        async with ClientSession() as session:
            yield Caller(session, port, bench, service.stop)
    finally:
        bench.slow.set()
        await service.stop()


def in_a_loop(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """A test with await in it, ended after half a minute."""

    @functools.wraps(test)
    def run(*given: Any, **named: Any) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(30):
                await test(*given, **named)

        asyncio.run(bounded())

    return run
