# SPDX-License-Identifier: Apache-2.0
"""The service on its port: which address does what, and what every answer says beside its body."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from importlib.resources import files
from time import perf_counter
from typing import Final

from aiohttp import WSCloseCode, web

from apdu.secret import Secret
from host.driver import Code
from host.service.admission import PROTOCOL, Door, Refused
from host.service.conversation import Conversation, Patience
from host.service.desk import Desk, Visitor, where
from host.service.functions import AskPin, Hire, in_steps
from host.service.messages import (
    FAILED,
    LONGEST,
    Call,
    Malformed,
    Reply,
    Typed,
    answer,
    as_json,
    parse,
    refusal,
    refused,
)

log: Final = logging.getLogger("host.service")
PORT: Final = 18733
"""Where the service listens unless told otherwise (profile choice `service port`)."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_PAGE: Final = {
    "/": ("index.html", "text/html"),
    "/page.js": ("page.js", "text/javascript"),
    "/page.css": ("page.css", "text/css"),
}
_ALWAYS: Final = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Server": "sscard",
}


class Service:
    """The functions behind a port of this machine. One for one event loop.

    `hire` makes a driver that asks for PINs as it is told; `pad` is a PIN pad of the service's own.
    """

    def __init__(
        self,
        hire: Hire,
        token: Secret,
        origins: Iterable[str] = (),
        pad: AskPin | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._patience = patience or Patience()
        self._pad = pad
        self._desk = Desk(hire, self._patience.hold)
        self._door = Door(token, 0, frozenset(origins))
        self._sockets: set[web.WebSocketResponse] = set()
        self._visits = 0
        self._runner: web.AppRunner | None = None

    async def start(self, port: int = PORT, also_ipv6: bool = False) -> int:
        """Listen on 127.0.0.1, and on ::1 if wanted; 0 takes any free port. Returns the port.

        Raises OSError for a port in use.
        """

        async def gate(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._gate(request, handler)

        app = web.Application(client_max_size=LONGEST, middlewares=[web.middleware(gate)])
        for path in _PAGE:
            app.router.add_get(path, self._page)
        app.router.add_get("/health", self._health)
        app.router.add_get("/ws", self._socket)
        app.router.add_post("/call", self._call)
        app.router.add_options("/call", self._preflight)
        app.on_shutdown.append(self._say_goodbye)
        # The library's own log would hold lines of the request where they are malformed.
        quiet = logging.getLogger("host.service.http")
        quiet.addFilter(_without_details)
        self._runner = web.AppRunner(
            app, access_log=None, logger=quiet, handler_cancellation=True, shutdown_timeout=5
        )
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, "127.0.0.1", port).start()
            port = self._runner.addresses[0][1]
            if also_ipv6:
                await web.TCPSite(self._runner, "::1", port).start()
        except OSError:
            await self.stop()
            raise
        self._door = replace(self._door, port=port)
        return port

    async def stop(self) -> None:
        """Close what is open, and wait for the call that is being made."""
        if self._runner is not None:
            await self._runner.cleanup()
        await self._desk.close()

    async def _gate(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Before every address: who asks, from which page. Behind it: the log and the headers."""
        began = perf_counter()
        origin = None
        try:
            headers = request.headers
            origin = self._door.check(
                headers.get("Host"),
                headers.getall("Origin", []),
                request.raw_path.partition("?")[2],
            )
            response = await handler(request)
        except Refused as error:
            response = _reply(error.status, {"code": error.code, "pOutInfo": str(error)})
            if error.status == 401:
                response.headers["WWW-Authenticate"] = "Bearer"
        except Malformed as error:
            response = _reply(400, refusal(error))
        except web.HTTPRequestEntityTooLarge:
            response = _reply(413, refused(Code.PARAMETER, f"at most {LONGEST} bytes a message"))
        except web.HTTPException as error:
            response = _reply(
                error.status, refused(Code.UNSUPPORTED, "there is nothing of this kind here")
            )
        except Exception as error:
            log.error("%s: %s", request.match_info.route.name, where(error))
            failed = "the service failed; its log says where"
            response = _reply(500, {"code": FAILED, "pOutInfo": failed})
        if not response.prepared:
            response.headers.update(_ALWAYS)
            if origin is not None:
                response.headers["Access-Control-Allow-Origin"] = origin
                response.headers["Vary"] = "Origin"
        known = request.match_info.route.resource  # of other addresses nothing is repeated
        took = round((perf_counter() - began) * 1000)
        log.info(
            "%s %s: %d after %d ms",
            request.method if known else "?",
            known.canonical if known else "?",
            response.status,
            took,
        )
        return response

    async def _page(self, request: web.Request) -> web.StreamResponse:
        name, kind = _PAGE[request.path]
        body = (files("host.service") / "page" / name).read_bytes()
        named = [host for host in self._door.hosts if "[" not in host]  # which it cannot name
        policy = (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:;"
            f" connect-src 'self' {' '.join(f'ws://{host}' for host in named)};"
            " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        return web.Response(
            body=body,
            content_type=kind,
            charset="utf-8",
            headers={
                "Content-Security-Policy": policy,
                "Cross-Origin-Resource-Policy": "same-origin",
                "Cross-Origin-Opener-Policy": "same-origin",
            },
        )

    async def _health(self, request: web.Request) -> web.StreamResponse:
        return _reply(200, {"ready": True})

    async def _preflight(self, request: web.Request) -> web.StreamResponse:
        """A browser asks whether a page may send what it wants to send."""
        allowed = {
            "Access-Control-Allow-Methods": "POST",
            "Access-Control-Allow-Headers": "authorization, content-type",
            "Access-Control-Max-Age": "600",
        }
        if request.headers.get("Access-Control-Request-Private-Network") == "true":
            allowed["Access-Control-Allow-Private-Network"] = "true"
        return web.Response(status=204, headers=allowed)

    async def _call(self, request: web.Request) -> web.StreamResponse:
        if not self._door.brought(request.headers.get("Authorization")):
            raise Refused(401, "Authorization: must be Bearer and the token")
        if request.content_type != "application/json":
            raise Refused(415, "Content-Type: must be application/json", Code.PARAMETER)
        self._enter()
        try:
            try:
                async with asyncio.timeout(self._patience.token):
                    body = await request.read()
            except TimeoutError:
                raise Refused(408, "the message did not come", Code.PARAMETER) from None
            found = parse(body)
            if isinstance(found, Typed):
                raise Malformed("pin, cancel: only on the WebSocket that was asked", found.id)
            return _reply(200, await self._called(found))
        finally:
            self._visits -= 1

    async def _called(self, call: Call) -> Reply:
        if in_steps(call.function):
            raise Malformed("functions in steps need a WebSocket", call.id, Code.UNSUPPORTED)
        said = await self._desk.call(Visitor(self._pad), call)
        return answer(call, said.code, said.pOutInfo)

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        wanted = [
            each.strip()
            for header in request.headers.getall("Sec-WebSocket-Protocol", [])
            for each in header.split(",")
        ]
        if wanted and PROTOCOL not in wanted:  # the library would log them, and with them the token
            raise Refused(400, f"Sec-WebSocket-Protocol: must name {PROTOCOL}", Code.PARAMETER)
        known = self._door.brought(request.headers.get("Authorization"), wanted)
        socket = web.WebSocketResponse(
            timeout=self._patience.token,
            heartbeat=self._patience.alive,
            protocols=[PROTOCOL],
            compress=False,
            max_msg_size=LONGEST,
        )
        if not socket.can_prepare(request):
            raise Refused(426, "this address is for a WebSocket", Code.UNSUPPORTED)
        self._enter()
        self._sockets.add(socket)
        try:
            await socket.prepare(request)
            talk = Conversation(socket, self._desk, self._patience, self._pad)
            if known or await talk.admitted(self._door.knows):
                await talk.hold()
        finally:
            self._sockets.discard(socket)
            self._visits -= 1
        return socket

    def _enter(self) -> None:
        if self._visits >= self._patience.connections:
            raise Refused(503, "too many connections at once")
        self._visits += 1

    async def _say_goodbye(self, _: web.Application) -> None:
        for socket in set(self._sockets):
            await socket.close(code=WSCloseCode.GOING_AWAY, message=b"the service ends")


def _reply(status: int, body: Reply) -> web.Response:
    return web.Response(text=as_json(body), status=status, content_type="application/json")


def _without_details(record: logging.LogRecord) -> bool:
    record.exc_info = record.exc_text = None
    return True
