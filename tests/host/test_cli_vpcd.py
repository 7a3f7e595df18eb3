# SPDX-License-Identifier: Apache-2.0
"""`--vpcd`: the verbs of `sscard` on a card that plugs itself in."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from commandline import SELECT, refusal, sscard
from strangers import OK, Stranger

from apdu.vpcd import PORT, frame
from host.channel import vpcd


@pytest.fixture
def asked_for(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The ports that were asked for; a card comes to each, on a port that is free."""
    ports: list[int] = []

    class Reader(vpcd.VpcdChannel):
        def __init__(self, port: int, host: str, deadline: float, waiting: Any) -> None:
            def plug_in(host: str, port: int) -> None:
                waiting(host, ports[-1])
                Stranger(answers={bytes.fromhex(SELECT): frame(OK)}).plug_in(host, port)

            ports.append(port)
            super().__init__(0, host, deadline, plug_in)

    monkeypatch.setattr("host.channel.vpcd.VpcdChannel", Reader)
    return ports


@pytest.mark.parametrize(
    ("words", "port"), [(["--vpcd=12345"], 12_345), (["--vpcd"], PORT)], ids=["named", "default"]
)
def test_a_card_is_waited_for_on_a_port(asked_for: list[int], words: list[str], port: int) -> None:
    result = sscard("apdu", SELECT, *words)
    assert (0, "90 00") == (result.exit_code, result.stdout.strip()[-5:])
    assert [port] == asked_for
    assert f"waiting on 127.0.0.1:{port} for a card to plug itself in\n" == result.stderr


def test_a_function_of_the_driver_waits_for_its_card(asked_for: list[int]) -> None:
    result = sscard("driver", "iReadDebitRecord", "--vpcd", stdin="123456\n")
    assert 1 == result.exit_code
    assert [PORT] == asked_for
    assert f"waiting on 127.0.0.1:{PORT}" in result.stderr


@pytest.mark.parametrize("verb", ["info", "apdu"])
def test_a_card_is_in_one_place_only(verb: str) -> None:
    words = [SELECT] if verb == "apdu" else []
    for other in ("--card", "--reader"):
        said = refusal(sscard(verb, *words, other, "x", "--vpcd"))
        assert "either --card CARD.img, --reader NAME or --vpcd" in said


@pytest.mark.parametrize("port", ["65536", "x", SELECT])
def test_what_is_no_port_is_refused(port: str) -> None:
    assert "--vpcd" in refusal(sscard("info", f"--vpcd={port}"))


def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        said = refusal(sscard("info", f"--vpcd={port}"), status=1)
    assert said.startswith(f"127.0.0.1:{port}: cannot wait for a card here (")
    assert said.endswith("): is another reader there?")
    assert 1 == said.count("127.0.0.1")
