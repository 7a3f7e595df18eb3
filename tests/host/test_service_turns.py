# SPDX-License-Identifier: Apache-2.0
"""The line before the reader: who has it, who waits, and what happens to who leaves."""

from __future__ import annotations

import asyncio
import threading

import pytest
from aiohttp import WSMsgType
from servicebench import PIN, TOKEN, in_a_loop, serving, slow_call_begun, told

from host.driver import FUNCTIONS
from host.service.functions import in_steps, leaves_more

BASIC = {"function": "iReadCardBas", "iType": 3}
READ = {"function": "iReadCardBas", "code": 0, "pOutInfo": "430200|张三|3|"}
VERIFY = {"id": 5, "function": "iVerifyPIN", "iType": 1}
SLOW = {"function": "iReadDebitRecord", "iType": 1}
STEP1 = {"function": "iReloadPIN_HSM_Step1", "iType": 1, "pCardInfo": "x|y|"}
STEP2 = {"function": "iReloadPIN_HSM_Step2", "pKey": "00"}
STEP3 = {"function": "iReloadPIN_HSM_Step3", "pKey": "00"}
SLOW_ANSWER = {"function": "iReadDebitRecord", "code": 0, "pOutInfo": "slow"}


@in_a_loop
async def test_one_call_is_made_at_a_time_in_the_order_they_came() -> None:
    async with serving() as caller:
        first = asyncio.create_task(caller.post({"id": 0, **SLOW}))
        await slow_call_begun(caller.bench)
        async with caller.socket() as one, caller.socket() as two:
            await one.send_json({"id": 1, **BASIC})
            await two.send_json({"id": 2, **BASIC})
            assert [(1, "iReadDebitRecord")] == [call[:2] for call in caller.bench.calls]
            caller.bench.slow.set()
            assert (0, "slow") == ((await first)[1]["id"], (await first)[1]["pOutInfo"])
            assert 1 == (await one.receive_json())["id"]
            assert 2 == (await two.receive_json())["id"]
        assert 1 == caller.bench.most


@in_a_loop
async def test_the_service_answers_while_a_card_is_slow() -> None:
    async with serving() as caller, caller.socket() as socket:
        await socket.send_json(SLOW)
        await slow_call_begun(caller.bench)
        assert (200, '{"ready": true}') == await caller.get("/health")
        assert 200 == (await caller.get("/"))[0]
        assert -14 == (await told(socket, {"pin": PIN}))["code"]
        caller.bench.slow.set()
        assert SLOW_ANSWER == await socket.receive_json()


@in_a_loop
async def test_a_caller_that_leaves_the_line_has_its_call_not_made() -> None:
    async with serving() as caller:
        slow = asyncio.create_task(caller.post(SLOW))
        await slow_call_begun(caller.bench)
        async with caller.socket() as leaving:
            await leaving.send_json({"function": "iDoDebit"})
            await told(leaving, {"pin": PIN})  # so the call before it was read
        posted = asyncio.create_task(caller.post({"function": "iDoDebit"}))
        async with caller.socket() as staying:
            await staying.send_json(BASIC)
            await told(staying, {"pin": PIN})
            posted.cancel()
            await asyncio.gather(posted, return_exceptions=True)
            await told(staying, {"pin": PIN})
            caller.bench.slow.set()
            assert READ == await staying.receive_json()
        await slow
        made = [function for _, function, _ in caller.bench.calls]
        assert ["iReadDebitRecord", "iReadCardBas"] == made


@in_a_loop
async def test_a_call_that_has_begun_is_made_to_its_end_though_the_caller_is_gone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    async with serving() as caller:
        async with caller.socket() as socket:
            await socket.send_json(SLOW)
            await slow_call_begun(caller.bench)
        waiting = asyncio.create_task(caller.post(BASIC))
        caller.bench.slow.set()
        assert (200, READ) == await waiting
        assert 1 == caller.bench.most
    done = [line for line in caplog.messages if "iRead" in line]
    assert ["iReadDebitRecord: 0", "iReadCardBas: 0"] == [line.split(" after")[0] for line in done]


@in_a_loop
async def test_who_is_between_two_steps_keeps_the_reader() -> None:
    async with serving() as caller, caller.socket() as stepping, caller.socket() as other:
        for steps in range(2):
            assert 0 == (await told(stepping, STEP1))["code"]
            await other.send_json(BASIC)
            assert -14 == (await told(other, {"pin": PIN}))["code"]  # answered, the call waits
            assert 0 == (await told(stepping, STEP2))["code"]
            assert steps == sum(call[1] == "iReadCardBas" for call in caller.bench.calls)
            assert 0 == (await told(stepping, STEP3))["code"]
            assert READ == await other.receive_json()


@in_a_loop
async def test_a_step_that_goes_wrong_gives_the_reader_back() -> None:
    async with serving() as caller, caller.socket() as stepping:
        assert 0 == (await told(stepping, STEP1))["code"]
        assert -14 == (await told(stepping, STEP3))["code"]
        assert (200, READ) == await caller.post(BASIC)


@in_a_loop
async def test_another_function_ends_the_steps_and_gives_the_reader_back() -> None:
    async with serving() as caller, caller.socket() as stepping:
        await told(stepping, STEP1)
        assert READ == await told(stepping, BASIC)
        assert (200, READ) == await caller.post(BASIC)


@in_a_loop
async def test_a_refused_function_ends_the_steps_too() -> None:
    async with serving() as caller, caller.socket() as stepping:
        assert 0 == (await told(stepping, STEP1))["code"]
        assert -13 == (await told(stepping, {"function": "iDoDebit"}))["code"]
        assert (200, READ) == await caller.post(BASIC)
        assert -14 == (await told(stepping, STEP2))["code"]


@in_a_loop
async def test_steps_that_do_not_go_on_lose_the_reader_and_their_operation() -> None:
    async with serving(hold=0.05) as caller, caller.socket() as stepping:
        assert 0 == (await told(stepping, STEP1))["code"]
        assert (200, READ) == await caller.post(BASIC)
        assert caller.bench.closed
        assert -14 == (await told(stepping, STEP2))["code"]
        assert 0 == (await told(stepping, STEP1))["code"]
        assert 0 == (await told(stepping, STEP2))["code"]


@in_a_loop
async def test_a_step_that_takes_long_does_not_lose_its_operation() -> None:
    async with serving(hold=0.02) as caller, caller.socket() as stepping, caller.socket() as other:
        assert 0 == (await told(stepping, STEP1))["code"]
        await stepping.send_json({**STEP2, "pKey": "slow"})
        await slow_call_begun(caller.bench)
        await other.send_json(BASIC)
        with pytest.raises(TimeoutError):
            await other.receive(timeout=0.1)
        caller.bench.slow.set()
        assert 0 == (await stepping.receive_json())["code"]
        assert 0 == (await told(stepping, STEP3))["code"]
        assert READ == await other.receive_json()


@in_a_loop
async def test_a_caller_that_leaves_during_a_step_gives_the_reader_back() -> None:
    async with serving() as caller:
        async with caller.socket() as stepping:
            await stepping.send_json({**STEP1, "pCardInfo": "slow"})
            await slow_call_begun(caller.bench)
        caller.bench.slow.set()
        assert (200, READ) == await caller.post(BASIC)
        assert 2 == caller.bench.closed  # the reader of the first, and that of the second


@in_a_loop
async def test_a_caller_that_leaves_between_two_steps_gives_the_reader_back() -> None:
    async with serving() as caller:
        async with caller.socket() as stepping:
            assert 0 == (await told(stepping, STEP1))["code"]
        assert (200, READ) == await caller.post(BASIC)


@in_a_loop
async def test_nobody_goes_on_with_the_steps_of_another() -> None:
    async with serving() as caller, caller.socket() as one, caller.socket() as two:
        assert 0 == (await told(one, STEP1))["code"]
        await two.send_json(STEP2)
        assert 0 == (await told(one, STEP2))["code"]
        assert 0 == (await told(one, STEP3))["code"]
        assert -14 == (await two.receive_json())["code"]


@in_a_loop
async def test_functions_in_steps_are_not_for_http() -> None:
    async with serving() as caller:
        status, body = await caller.post({"id": 1, **STEP1})
        assert (400, 1, -13) == (status, body["id"], body["code"])
        assert [] == caller.bench.calls


def test_the_steps_of_a_function_are_counted() -> None:
    for function in FUNCTIONS:
        name, _, step = function.partition("_HSM_Step")
        last = 3 if name in ("iReloadPIN", "iUnblockPIN") else 2
        assert bool(step) == in_steps(function)
        assert (bool(step) and int(step) < last) == leaves_more(function)


@in_a_loop
async def test_stopping_ends_connections_and_waits_for_the_card(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    async with serving() as caller:
        async with caller.socket() as socket:
            await socket.send_json(SLOW)
            await slow_call_begun(caller.bench)
            threading.Timer(0.01, caller.bench.slow.set).start()
    assert 0 == caller.bench.working
    assert "iReadDebitRecord: 0 after" in caplog.text


@in_a_loop
async def test_stopping_lets_go_of_a_card_between_two_steps() -> None:
    async with serving() as caller, caller.socket() as socket:
        await told(socket, STEP1)
        await caller.stop()
        assert 1 == caller.bench.closed


@in_a_loop
async def test_stopping_says_goodbye() -> None:
    async with serving() as caller:
        async with caller.session.ws_connect(
            f"{caller.url}/ws", protocols=["sscard.v1", f"token.{TOKEN}"]
        ) as socket:
            assert "sscard.v1" == socket.protocol
            assert "ask" in await told(socket, VERIFY)
            stopping = asyncio.create_task(caller.stop())
            last = await socket.receive()
            assert (WSMsgType.CLOSE, 1001) == (last.type, last.data)
        await stopping
