# SPDX-License-Identifier: Apache-2.0
"""`sscard service` as a process of its own, called by plain clients, with images of cards."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from commandline import PLAIN, ROOT, issued, refusal, sscard
from servicebench import in_a_loop, told

BASIC = {"function": "iReadCardBas", "iType": 3}
VERIFY = {"function": "iVerifyPIN", "iType": 1}


@dataclass
class Served:
    """A running service."""

    process: subprocess.Popen[bytes]
    port: int
    token: str | None

    def call(self, message: dict[str, Any], bearer: str | None = None) -> tuple[int, Any]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        headers = {
            "Authorization": f"Bearer {bearer or self.token}",
            "Content-Type": "application/json",
        }
        connection.request("POST", "/call", json.dumps(message), headers)
        answer = connection.getresponse()
        body = json.loads(answer.read())
        connection.close()
        return answer.status, body

    def end(self, number: signal.Signals = signal.SIGINT) -> bytes:
        """End it as Ctrl-C does; what it said on standard error."""
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=20)
        assert 0 == self.process.returncode, said
        return said


@contextmanager
def served(*words: object, port: int = 0) -> Iterator[Served]:
    command = [sys.executable, "-m", "host.cli.main", "service", "--json", "--port", str(port)]
    process = subprocess.Popen(
        [*command, *map(str, words)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise AssertionError(process.communicate()[1].decode())
        said = json.loads(line)
        yield Served(process, said["port"], said["token"])
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def card(tmp_path: Path) -> Path:
    return issued(tmp_path)


@pytest.fixture
def psam(tmp_path: Path) -> Path:
    path = tmp_path / "psam.img"
    assert 0 == sscard("issue", "--psam", "national", "-o", path, "--seed", 8).exit_code
    return path


def test_a_plain_client_reads_a_card_with_its_psam(card: Path, psam: Path) -> None:
    with served("--card", card, "--psam", psam) as service:
        status, body = service.call(BASIC)
        assert (200, 0) == (status, body["code"])
        fields = body["pOutInfo"].split("|")
        holder = json.loads(PLAIN.read_text(encoding="utf-8"))
        assert [holder["region"], holder["number"]] == fields[:2]
        assert holder["name"] == fields[4]
        which = f"{fields[3]}|{fields[2]}|"
        file = {"iType": 1, "pCardInfo": which, "pFileAddr": "DF01EF06|23|28|$"}
        wrote = {"function": "iWriteCard", **file, "pWriteData": "DF01EF06|湖南省株洲市|0731-1|$"}
        assert (0, "") == (service.call(wrote)[1]["code"], service.call(wrote)[1]["pOutInfo"])
        read = {"function": "iReadCard", "iAuthType": 2, **file}
        assert "DF01EF06|湖南省株洲市|0731-1|$" == service.call(read)[1]["pOutInfo"]
        assert -13 == service.call(VERIFY)[1]["code"]
        service.end()
    with served("--card", card, "--psam", psam) as service:
        assert "DF01EF06|湖南省株洲市|0731-1|$" == service.call(read)[1]["pOutInfo"]


def test_what_is_logged_is_neither_data_nor_token(card: Path) -> None:
    with served("--card", card) as service:
        service.call(BASIC)
        service.call(BASIC, bearer="wrong")
        said = service.end().decode()
        assert "iReadCardBas: 0 after" in said
        assert "POST /call: 401" in said
        assert str(service.token) not in said
        assert "张三" not in said


@in_a_loop
async def test_a_pin_is_asked_for_over_the_websocket_and_tries_are_kept(card: Path) -> None:
    with served("--card", card) as service:
        async with (
            ClientSession() as session,
            session.ws_connect(
                f"http://127.0.0.1:{service.port}/ws",
                protocols=["sscard.v1", f"token.{service.token}"],
            ) as socket,
        ):
            assert "PIN" == (await told(socket, VERIFY))["which"]
            assert -51 == (await told(socket, {"pin": "871403"}))["code"]
            await told(socket, {"function": "iChangePIN", "iType": 1})
            for typed, which in (("123456", "NEW"), ("871403", "AGAIN")):
                assert which == (await told(socket, {"pin": typed}))["which"]
            assert 0 == (await told(socket, {"pin": "871403"}))["code"]
        said = service.end()
        assert b"871403" not in said
        assert b"123456" not in said
    assert "6 tries left" in sscard("info", "--card", card).stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_it_well_and_gives_the_card_back(card: Path, number: signal.Signals) -> None:
    with served("--card", card) as service:
        assert 0 == service.call(BASIC)[1]["code"]
        assert b"Traceback" not in service.end(number)
    assert 0 == sscard("info", "--card", card).exit_code


def test_the_token_may_come_from_a_file_and_is_then_not_shown(card: Path, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("a-token-of-my-own-choice\n")
    path.chmod(0o600)
    with served("--card", card, "--token-file", path) as service:
        assert service.token is None
        assert 401 == service.call(BASIC, bearer="another")[0]
        assert 200 == service.call(BASIC, bearer="a-token-of-my-own-choice")[0]
    path.chmod(0o640)
    assert "others can read" in refusal(sscard("service", "--card", card, "--token-file", path))
    path.chmod(0o600)
    path.write_bytes("令牌".encode() * 8)
    assert refusal(sscard("service", "--card", card, "--token-file", path)).startswith(
        "token: must"
    )
    path.unlink()
    assert "No such file" in refusal(sscard("service", "--card", card, "--token-file", path), 1)


def test_it_listens_on_this_machine_only(card: Path) -> None:
    with served("--card", card) as service:
        listening = Path("/proc/net/tcp").read_text().splitlines()[1:]
        ours = [line.split()[1] for line in listening if f":{service.port:04X} " in line]
        states = [line.split()[3] for line in listening]
        assert "0A" in states
        assert {"0100007F"} == {each.split(":")[0] for each in ours}


def test_ipv6_is_served_when_wanted(card: Path) -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6")
    with served("--card", card, "--ipv6") as service:
        connection = HTTPConnection("::1", service.port, timeout=20)
        connection.request("GET", "/health")
        assert 200 == connection.getresponse().status
        connection.close()


def test_a_port_in_use_is_a_sentence(card: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert "in use" in refusal(sscard("service", "--card", card, "--port", port), 1)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "Give either --card CARD.img, --reader NAME or --vpcd"),
        (("--reader", "a", "--psam", "b", "--psam-reader", "c"), "Give either --psam"),
        (("--reader", "a", "--origin", "*"), "origin '*': must be scheme://host"),
        (("--reader", "a", "--origin", "null"), "origin 'null'"),
        (("--reader", "a", "--port", "65536"), "65536"),
        (("--reader", "a", "--pin-pad", "page"), "--pin-pad"),
    ],
)
def test_what_cannot_be_served_is_told_before_anything_is_opened(
    words: tuple[str, ...], why: str
) -> None:
    assert why in refusal(sscard("service", *words))


def test_without_aiohttp_the_error_tells_how_to_get_it(
    card: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("host.service.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    assert "`pip install 'sscard[service]'`" in refusal(sscard("service", "--card", card), 1)


def test_the_card_of_one_service_is_not_served_by_another(card: Path) -> None:
    with served("--card", card) as service:
        assert str(card) in refusal(sscard("service", "--card", card, "--port", 0))
        assert 0 == service.call(BASIC)[1]["code"]
