# SPDX-License-Identifier: Apache-2.0
"""Every function of LD/T 33 through the service's WebSocket, on cards with 3DES and with SM4."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import ClientWebSocketResponse
from driverbench import ADDRESSES, PIN, Line, Reader, numbers
from servicebench import in_a_loop, serving

from host.driver import FUNCTIONS, Driver
from host.service.functions import AskPin, leaves_more

NEW = "975310"
FILE = "DF01EF06|28|$"
DATA = "DF01EF06|0731-28|$"
READ = {"iAuthType": 1, "pFileAddr": FILE}


class Program:
    """Calls one function after the other on one WebSocket, and types the PINs that it is given."""

    def __init__(self, socket: ClientWebSocketResponse, centre: Line) -> None:
        self._socket = socket
        self._centre = centre
        self.called: list[str] = []
        self.info = ""

    async def call(self, function: str, pins: list[str], given: dict[str, Any]) -> Any:
        """What the function says; `pins` are typed, and taken away, as they are asked for."""
        known = {"iType": 1, "pCardInfo": self.info, **given}
        wanted = {name: known[name] for name in FUNCTIONS[function]}
        self.called.append(function)
        await self._socket.send_json({"function": function, **wanted})
        while "ask" in (message := await self._socket.receive_json()):
            await self._socket.send_json({"pin": pins.pop(0)})
        return message

    async def done(self, function: str, *pins: str, **given: Any) -> str:
        """pOutInfo of a function that goes well."""
        typed = list(pins)
        message = await self.call(function, typed, given)
        assert (0, []) == (message["code"], typed), message
        return str(message["pOutInfo"])

    async def steps(self, function: str, *pins: str, **given: Any) -> str:
        """The same step by step, the lines carried to the centre."""
        typed, step = list(pins), 1
        told: dict[str, Any] = {}
        while True:
            name = f"{function}_HSM_Step{step}"
            asked = {each: given[each] for each in FUNCTIONS[name] if each in given}
            message = await self.call(name, typed, asked | told)
            assert 0 == message["code"], message
            if not leaves_more(name):
                assert [] == typed
                return str(message["pOutInfo"])
            told, step = {"pKey": self._centre(message["pOutInfo"])}, step + 1


@pytest.mark.parametrize("generation", ["2.0", "3.0"])
@in_a_loop
async def test_every_function_does_over_the_websocket_what_it_does_in_python(
    generation: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    reader = Reader(generation)

    def hire(ask: AskPin | None) -> Driver:
        psam = reader.psam
        return Driver(lambda iType: reader.channel, psam, None, ask, numbers(), addresses=ADDRESSES)

    async with serving(hire=hire) as caller, caller.socket() as socket:
        program = Program(socket, Line(generation))
        basics = await program.done("iReadCardBas")
        assert hire(None).iReadCardBas(1) == basics
        fields = basics.split("|")
        program.info = f"{fields[3]}|{fields[2]}|"
        assert basics == await program.steps("iReadCardBas")

        assert "" == await program.done("iWriteCard", pFileAddr=FILE, pWriteData=DATA)
        assert DATA == await program.done("iReadCard", PIN, **READ)
        assert DATA == await program.done("iReadCard", **READ | {"iAuthType": 2})
        assert "" == await program.steps("iWriteCard", pFileAddr=FILE, pWriteData="DF01EF06||$")
        assert "DF01EF06||$" == await program.steps("iReadCard", pFileAddr=FILE)

        assert "" == await program.done("iVerifyPIN", PIN)
        assert "" == await program.done("iChangePIN", PIN, NEW, NEW)
        assert -51 == (await program.call("iVerifyPIN", [PIN], {}))["code"]
        assert "" == await program.done("iUnblockPIN")
        assert "" == await program.steps("iUnblockPIN")
        assert "" == await program.steps("iReloadPIN", PIN, PIN)
        assert "" == await program.done("iVerifyPIN", PIN)
        assert "" == await program.done("iReloadPIN", NEW, NEW)

        pay = {"pPayInfo": "0.00|1.50|20260105093000|"}
        assert await program.done("iDoDebit", NEW, **pay)
        assert await program.steps("iDoDebit", NEW, **pay)
        assert 2 == (await program.done("iReadDebitRecord", NEW)).count("20260105093000")
        assert set(FUNCTIONS) == set(program.called)
    assert not [pin for pin in (PIN, NEW) if pin in caplog.text]
