# SPDX-License-Identifier: Apache-2.0
"""Whom the local service does not let in, and what it does not take."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from aiohttp import WSMsgType, WSServerHandshakeError
from servicebench import BEARER, PAGE, TOKEN, in_a_loop, serving, slow_call_begun, told

from apdu.errors import FormatError
from apdu.secret import Secret
from host.service.admission import Door, Refused, checked_origin, checked_token

BASIC = {"function": "iReadCardBas", "iType": 3}
LONG = 64 * 1024


# Hosts and pages


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1:1", "", "[::1]"]
)
@pytest.mark.parametrize("path", ["/", "/health", "/ws", "/call"])
@in_a_loop
async def test_another_host_is_refused(host: str, path: str) -> None:
    async with serving() as caller:
        named = host.format(port=caller.port)
        if path == "/call":
            status, body = await caller.post(BASIC, Host=named)
        else:
            status, text = await caller.get(path, Host=named, **BEARER)
            body = json.loads(text)
        assert (403, -12) == (status, body["code"])
        assert body["pOutInfo"].startswith("Host: ")
        assert [] == caller.bench.calls


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LocalHost", "[::1]"])
@in_a_loop
async def test_the_service_knows_its_own_names(name: str) -> None:
    async with serving() as caller:
        host = f"{name}:{caller.port}"
        own = f"http://{host.lower()}"
        assert 200 == (await caller.post(BASIC, Host=host, Origin=own))[0]


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        "*",
        "file://",
        "http://window.example",
        "https://window.example.evil.example",
        "https://window.example:8443",
        "https://WINDOW.example",
        "https://window.example/",
        "http://127.0.0.1",
        "http://127.0.0.1:1",
    ],
)
@in_a_loop
async def test_another_page_is_refused(origin: str) -> None:
    async with serving() as caller:
        status, body = await caller.post(BASIC, Origin=origin)
        assert (403, -12) == (status, body["code"])
        with pytest.raises(WSServerHandshakeError) as caught:
            async with caller.socket(headers={**BEARER, "Origin": origin}):
                pass
        assert 403 == caught.value.status
        assert [] == caller.bench.calls


@in_a_loop
async def test_a_request_of_two_pages_is_refused() -> None:
    async with serving() as caller:
        headers = [*BEARER.items(), ("Origin", PAGE), ("Origin", "https://evil.example")]
        async with caller.session.post(f"{caller.url}/call", json=BASIC, headers=headers) as answer:
            assert 403 == answer.status


@in_a_loop
async def test_a_page_that_was_named_may_call_and_read_the_answer() -> None:
    async with serving() as caller:
        async with caller.session.options(
            f"{caller.url}/call",
            headers={"Origin": PAGE, "Access-Control-Request-Private-Network": "true"},
        ) as asked:
            assert (204, PAGE) == (asked.status, asked.headers["Access-Control-Allow-Origin"])
            assert "authorization" in asked.headers["Access-Control-Allow-Headers"]
            assert "true" == asked.headers["Access-Control-Allow-Private-Network"]
        for headers, status in (({**BEARER, "Origin": PAGE}, 200), ({"Origin": PAGE}, 401)):
            async with caller.session.post(
                f"{caller.url}/call", json=BASIC, headers=headers
            ) as answer:
                assert status == answer.status
                assert PAGE == answer.headers["Access-Control-Allow-Origin"]
                assert "Origin" == answer.headers["Vary"]
        async with caller.socket(headers={**BEARER, "Origin": PAGE}) as socket:
            assert 0 == (await told(socket, BASIC))["code"]


@in_a_loop
async def test_no_other_page_may_read_an_answer() -> None:
    async with serving() as caller:
        for origin in (None, "https://evil.example"):
            headers = {**BEARER, **({"Origin": origin} if origin else {})}
            for ask in (caller.session.post, caller.session.options):
                async with ask(f"{caller.url}/call", headers=headers) as answer:
                    assert "Access-Control-Allow-Origin" not in answer.headers


# The token


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer x", f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}"],
)
@in_a_loop
async def test_nobody_calls_without_the_token(authorization: str | None) -> None:
    async with serving() as caller:
        headers = {} if authorization is None else {"Authorization": authorization}
        async with caller.session.post(f"{caller.url}/call", json=BASIC, headers=headers) as answer:
            assert (401, "Bearer") == (answer.status, answer.headers["WWW-Authenticate"])
            assert -12 == (await answer.json())["code"]
        if authorization is not None:
            with pytest.raises(WSServerHandshakeError) as caught:
                async with caller.socket(headers=headers):
                    pass
            assert 401 == caught.value.status
        assert [] == caller.bench.calls


@in_a_loop
async def test_the_token_may_be_the_first_message() -> None:
    async with serving() as caller, caller.socket(headers={}) as socket:
        assert {"ready": True} == await told(socket, {"token": TOKEN})
        assert 0 == (await told(socket, BASIC))["code"]


@pytest.mark.parametrize(
    "first",
    [
        json.dumps({"token": TOKEN + "x"}),
        json.dumps({"token": ""}),
        json.dumps({"token": None}),
        json.dumps({"token": TOKEN, "function": "iReadCardBas"}),
        json.dumps(BASIC),
        "[]",
        "",
        b"\x00",
    ],
)
@in_a_loop
async def test_a_first_message_without_the_token_ends_the_connection(first: str | bytes) -> None:
    async with serving() as caller, caller.socket(headers={}) as socket:
        await (socket.send_bytes(first) if isinstance(first, bytes) else socket.send_str(first))
        last = await socket.receive()
        assert (WSMsgType.CLOSE, 1008) == (last.type, last.data)
        assert TOKEN not in last.extra
        assert [] == caller.bench.calls


@in_a_loop
async def test_who_says_nothing_is_not_waited_for_long() -> None:
    async with serving(token=0.05) as caller, caller.socket(headers={}) as socket:
        assert 1008 == (await socket.receive()).data


@pytest.mark.parametrize(
    ("protocols", "status"),
    [
        (["sscard.v1", "token.wrong"], 401),
        ([f"token.{TOKEN}"], 400),
        (["other"], 400),
        (["sscard.v1", f"token.{TOKEN}", "token.wrong"], 401),
    ],
)
@in_a_loop
async def test_websocket_protocols_are_looked_at(protocols: list[str], status: int) -> None:
    async with serving() as caller:
        with pytest.raises(WSServerHandshakeError) as caught:
            async with caller.session.ws_connect(f"{caller.url}/ws", protocols=protocols):
                pass
        assert status == caught.value.status


@in_a_loop
async def test_nothing_goes_behind_a_question_mark() -> None:
    async with serving() as caller:
        for path in (f"/ws?token={TOKEN}", f"/?{TOKEN}", "/health?a=b"):
            status, text = await caller.get(path, **BEARER)
            assert (400, -14) == (status, json.loads(text)["code"])
            assert TOKEN not in text


def test_a_wrong_token_takes_as_long_as_the_right_one(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []

    def spy(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return False

    monkeypatch.setattr("host.service.admission.compare_digest", spy)
    door = Door(Secret(TOKEN.encode()), 1)
    with pytest.raises(Refused):
        door.brought(f"Bearer {TOKEN}", ["token.a", "token.b"])
    assert [b"a", b"b", TOKEN.encode()] == [given for _, given in compared]


@pytest.mark.parametrize("text", ["", "short", "a" * 15, "a" * 257, "a" * 16 + " ", "令" * 16])
def test_a_token_can_stand_in_a_header(text: str) -> None:
    with pytest.raises(FormatError, match=r"^token: ") as caught:
        checked_token(text)
    assert text == "" or text not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "*",
        "null",
        "window.example",
        "https://window.example/",
        "https://window.example/page",
        "https://*.example",
        "https://Window.example",
        "https://window.example:443",
        "http://window.example:80",
        "https://a b",
        "https://",
    ],
)
def test_an_origin_is_written_as_browsers_write_it(text: str) -> None:
    with pytest.raises(FormatError, match=r"^origin "):
        checked_origin(text)


def test_an_origin_has_a_port_only_where_it_is_not_the_usual_one() -> None:
    for text in ("https://a.example", "http://10.0.0.1:8080", "http://[::1]:5", "app-x://a-b_c"):
        assert text == checked_origin(text)


# Messages


@in_a_loop
async def test_a_message_that_is_too_long_is_refused() -> None:
    async with serving() as caller:
        fits: dict[str, Any] = {"function": "iDoDebit", "pPayInfo": "x" * (LONG - 100)}
        over = {"function": "iDoDebit", "pPayInfo": "x" * LONG}
        assert 200 == (await caller.post(fits))[0]
        assert 413 == (await caller.post(over))[0]
        async with caller.socket() as socket:
            assert "unsupported" == (await told(socket, fits))["pOutInfo"]
            await socket.send_json(over)
            last = await socket.receive()
            assert (WSMsgType.CLOSE, 1009) == (last.type, last.data)
        async with caller.socket(headers={}, compress=15) as socket:
            assert not socket.compress
            await socket.send_json(over)
            assert 1009 == (await socket.receive()).data


@in_a_loop
async def test_a_binary_message_ends_the_connection() -> None:
    async with serving() as caller, caller.socket() as socket:
        await socket.send_bytes(json.dumps(BASIC).encode())
        last = await socket.receive()
        assert (WSMsgType.CLOSE, 1003) == (last.type, last.data)
        assert [] == caller.bench.calls


@in_a_loop
async def test_requests_of_another_kind_are_refused() -> None:
    async with serving() as caller:
        assert (
            415 == (await caller.post(raw=json.dumps(BASIC).encode(), Content_Type="text/plain"))[0]
        )
        assert 400 == (await caller.post({"pin": "123456"}))[0]
        assert 404 == (await caller.get("/elsewhere"))[0]
        assert 404 == (await caller.get("/page.js/../web.py"))[0]
        assert 405 == (await caller.get("/call"))[0]
        assert 426 == (await caller.get("/ws", **BEARER))[0]


@in_a_loop
async def test_a_body_that_does_not_come_is_not_waited_for_long() -> None:
    async with serving(token=0.05) as caller:
        reader, writer = await asyncio.open_connection("127.0.0.1", caller.port)
        head = [
            "POST /call HTTP/1.1",
            f"Host: 127.0.0.1:{caller.port}",
            f"Authorization: Bearer {TOKEN}",
            "Content-Type: application/json",
            "Content-Length: 100",
        ]
        writer.write("\r\n".join([*head, "", "{"]).encode())
        assert b"HTTP/1.1 408" in await reader.readline()
        writer.close()


@in_a_loop
async def test_only_so_many_connections_and_calls_are_taken() -> None:
    async with serving(connections=2, queue=2) as caller:
        async with caller.socket() as one, caller.socket(headers={}):
            status, body = await caller.post(BASIC)
            assert (503, -12) == (status, body["code"])
            with pytest.raises(WSServerHandshakeError) as caught:
                async with caller.socket():
                    pass
            assert 503 == caught.value.status
            await one.send_json({"function": "iReadDebitRecord"})
            await slow_call_begun(caller.bench)
            for _ in range(3):
                await one.send_json(BASIC)
            last = await one.receive()
            assert (WSMsgType.CLOSE, 1008) == (last.type, last.data)
        caller.bench.slow.set()
        for _ in range(3):
            assert 200 == (await caller.post(BASIC))[0]
        assert ["iReadDebitRecord", *["iReadCardBas"] * 3] == [
            each[1] for each in caller.bench.calls
        ]
