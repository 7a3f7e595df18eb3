# SPDX-License-Identifier: Apache-2.0
"""The local service: calls over WebSocket and HTTP, PINs, and its page."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from servicebench import PIN, TOKEN, in_a_loop, serving, told

import host.service
from host.driver import FUNCTIONS, PinPrompt

BASIC = {"function": "iReadCardBas", "iType": 3}
READ = {"function": "iReadCardBas", "code": 0, "pOutInfo": "430200|张三|3|"}
VERIFY = {"id": 5, "function": "iVerifyPIN", "iType": 1}


# Calls


@in_a_loop
async def test_a_function_is_called_over_http() -> None:
    async with serving() as caller:
        assert (200, READ) == await caller.post(BASIC)
        assert (200, {"id": "a", **READ}) == await caller.post({"id": "a", **BASIC})
        assert (1, "iReadCardBas", {"iType": 3}) == caller.bench.calls[0]


@in_a_loop
async def test_functions_are_called_over_one_websocket_and_answered_in_their_order() -> None:
    async with serving() as caller, caller.socket() as socket:
        for number in range(8):
            await socket.send_json({"id": number, "function": "iReadCardBas", "iType": number})
        for number in range(8):
            heard = await socket.receive_json()
            assert (number, f"430200|张三|{number}|") == (heard["id"], heard["pOutInfo"])


@in_a_loop
async def test_what_the_driver_refuses_comes_as_its_code_and_sentence() -> None:
    async with serving() as caller:
        refused = {"function": "iDoDebit", "code": -13, "pOutInfo": "unsupported"}
        assert (200, refused) == await caller.post({"function": "iDoDebit"})


@in_a_loop
async def test_a_fault_of_the_driver_is_a_code_and_neither_ends_the_service_nor_tells_its_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving() as caller:
        status, body = await caller.post({"function": "iChangePIN", "iType": 1})
        assert (200, -99) == (status, body["code"])
        assert (200, READ) == await caller.post(BASIC)
        assert "RuntimeError in FakeDriver._call" in caplog.text
        assert PIN not in caplog.text + str(body)


@in_a_loop
async def test_after_a_fault_the_caller_gets_a_new_driver() -> None:
    async with serving() as caller, caller.socket() as socket:
        await told(socket, BASIC)
        await told(socket, {"function": "iChangePIN"})
        await told(socket, BASIC)
        assert [1, 1, 2] == [number for number, *_ in caller.bench.calls]
        assert 3 == caller.bench.closed


# The PIN


@pytest.mark.parametrize(
    ("reply", "code"),
    [({"pin": PIN}, 0), ({"pin": "111111"}, -51), ({"cancel": True}, -31), ({"pin": ""}, -51)],
)
@in_a_loop
async def test_a_pin_is_asked_for_on_the_socket_of_the_call(
    reply: dict[str, object], code: int
) -> None:
    async with serving() as caller, caller.socket() as socket:
        prompt = "Enter the old PIN 请输入原密码"
        question = {"id": 5, "ask": "PIN", "which": "OLD", "prompt": prompt}
        assert question == await told(socket, VERIFY)
        assert code == (await told(socket, reply))["code"]
        await told(socket, VERIFY)
        assert code == (await told(socket, {"id": 5, **reply}))["code"]


@in_a_loop
async def test_a_pin_that_nobody_asked_for_is_not_kept() -> None:
    async with serving() as caller, caller.socket() as socket:
        why = "a parameter is wrong: no PIN was asked for (参数错误)"
        refused = {"code": -14, "pOutInfo": why}
        assert refused == await told(socket, {"pin": PIN})
        assert "ask" in await told(socket, VERIFY)
        assert -14 == (await told(socket, {"id": 6, "pin": PIN}))["code"]
        assert -14 == (await told(socket, {"pin": 871403}))["code"]
        assert -14 == (await told(socket, {"pin": PIN, "cancel": True}))["code"]
        assert -14 == (await told(socket, {"cancel": False}))["code"]
        assert 0 == (await told(socket, {"pin": PIN}))["code"]
        assert refused == await told(socket, {"pin": PIN})


@in_a_loop
async def test_calls_sent_while_a_pin_is_asked_for_wait_for_their_turn() -> None:
    async with serving() as caller, caller.socket() as socket:
        await told(socket, VERIFY)
        await socket.send_json(BASIC)
        assert 0 == (await told(socket, {"pin": PIN}))["code"]
        assert READ == await socket.receive_json()


@in_a_loop
async def test_a_person_who_types_nothing_lets_the_call_time_out() -> None:
    async with serving(pin=0.05) as caller, caller.socket() as socket:
        assert "ask" in await told(socket, VERIFY)
        assert -32 == (await socket.receive_json())["code"]
        assert -14 == (await told(socket, {"pin": PIN}))["code"]


@in_a_loop
async def test_a_caller_that_leaves_while_a_pin_is_asked_for_has_cancelled() -> None:
    async with serving() as caller:
        async with caller.socket() as socket:
            assert "ask" in await told(socket, VERIFY)
        assert (200, READ) == await caller.post(BASIC)


@in_a_loop
async def test_over_http_a_pin_needs_a_pad() -> None:
    async with serving() as caller:
        _, body = await caller.post(VERIFY)
        assert (5, -13) == (body["id"], body["code"])
    asked = []

    def pad(prompt: PinPrompt) -> str:
        asked.append(prompt)
        return PIN

    async with serving(pad=pad) as caller:
        assert 0 == (await caller.post(VERIFY))[1]["code"]
        async with caller.socket() as socket:
            assert 0 == (await told(socket, VERIFY))["code"]
            assert -14 == (await told(socket, {"pin": PIN}))["code"]
    assert [PinPrompt.OLD] * 2 == asked


@in_a_loop
async def test_a_pin_is_in_no_log_and_no_answer(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    asyncio.get_running_loop().set_debug(True)
    asyncio.get_running_loop().slow_callback_duration = 0  # so that each callback is logged
    heard = []
    async with serving() as caller:
        async with caller.socket() as socket:
            heard.append(await told(socket, VERIFY))
            heard.append(await told(socket, {"pin": PIN}))
            heard.append(await told(socket, {"pin": PIN, "id": [PIN]}))
            heard.append(await told(socket, {"function": "iVerifyPIN", PIN: PIN}))
            heard.append(await told(socket, {"function": "iChangePIN", "pKey": PIN}))
            await socket.send_str(f'{{"pin": "{PIN}"')
            heard.append(await socket.receive_json())
            await socket.send_bytes(f'{{"pin": "{PIN}"}}'.encode())
            heard.append(await socket.receive())
        heard.append(await caller.post({"pin": PIN}))
        heard.append(await caller.post(raw=f'{{"pin": "{PIN}'.encode()))
        heard.append(await caller.get(f"/ws?pin={PIN}"))
        heard.append(await caller.get(f"/{PIN}"))
        reader, writer = await asyncio.open_connection("127.0.0.1", caller.port)
        writer.write(f"GET / HTTP/1.1\r\n{PIN}\r\n{TOKEN} :\r\n\r\n".encode())
        await reader.read()
        writer.close()
    logged = "\n".join(f"{record.getMessage()} {record.exc_text}" for record in caplog.records)
    assert "iVerifyPIN: 0" in logged
    assert PIN not in logged + str(heard)
    assert TOKEN not in logged


# The page


@in_a_loop
async def test_the_page_loads_nothing_from_elsewhere_and_may_do_nothing_else() -> None:
    async with serving() as caller:
        for path, kind in {"/": "html", "/page.js": "javascript", "/page.css": "css"}.items():
            async with caller.session.get(caller.url + path) as answer:
                policy = answer.headers["Content-Security-Policy"]
                assert (200, f"text/{kind}") == (answer.status, answer.content_type)
                assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
                assert f" ws://127.0.0.1:{caller.port} " in policy
                assert "frame-ancestors 'none'" in policy
                assert "nosniff" == answer.headers["X-Content-Type-Options"]
                assert "no-store" == answer.headers["Cache-Control"]
                text = await answer.text()
                assert [] == re.findall(r"https?://|<style|<script>|\son[a-z]+=|style=", text)


def test_the_page_knows_the_functions_and_their_steps() -> None:
    text = (Path(host.service.__file__).parent / "page" / "page.js").read_text(encoding="utf-8")
    listed = re.findall(r'^  \["(i\w+)", "[^"]+", \[(.+)\]\],$', text, re.MULTILINE)
    wanted = {name: tuple(re.findall(r'"(\w+)"', given)) for name, given in listed}
    assert FUNCTIONS == wanted
