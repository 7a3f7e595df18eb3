# SPDX-License-Identifier: Apache-2.0
"""Nothing of ours can be connected to unless somebody has asked for that."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from commandline import ROOT, issued, sscard

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/net/tcp").exists(), reason="this system has no /proc"
)
LISTENING = {"tcp": "0A", "tcp6": "0A", "udp": "07", "udp6": "07"}
"""The states in /proc/net of sockets that take what comes."""


def listens_on(process: int | str) -> list[str]:
    """The addresses on which a process takes connections or datagrams, as /proc has them."""
    own = set()
    for each in Path(f"/proc/{process}/fd").iterdir():
        try:
            own.add(str(each.readlink()))
        except FileNotFoundError:
            pass  # closed meanwhile
    found = []
    for name, state in LISTENING.items():
        for line in Path(f"/proc/{process}/net/{name}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == state and f"socket:[{fields[9]}]" in own:
                found.append(fields[1])
    for line in Path(f"/proc/{process}/net/unix").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[3], 16) & 0x10000 and f"socket:[{fields[6]}]" in own:
            found.append(" ".join(fields[7:]))
    return found


def test_who_listens_is_found() -> None:
    before = listens_on("self")
    with socket.create_server(("127.0.0.1", 0)) as server:
        address, port = server.getsockname()
        raw = bytes(reversed(socket.inet_aton(address))).hex()
        assert [*before, f"{raw}:{port:04X}".upper()] == listens_on("self")


def test_a_served_card_listens_nowhere(tmp_path: Path) -> None:
    image = issued(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as reader:
        port = reader.getsockname()[1]
        words = [sys.executable, "-m", "host.cli.main", "serve", "--port", str(port), str(image)]
        with subprocess.Popen(
            words, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        ) as process:
            try:
                reader.settimeout(60)
                card, _ = reader.accept()  # it is at work
                assert [] == listens_on(process.pid)
                card.close()
            finally:
                process.terminate()
                process.communicate()
        assert 0 == process.returncode


@pytest.mark.parametrize(
    ("words", "stdin"),
    [
        (("shell", "--card", "IMAGE"), "select HRSS\n"),
        (("trace", "replay", "FILE", "--card", "IMAGE"), ""),
        (("doctor",), ""),
        (("readers",), ""),
    ],
    ids=["shell", "trace replay", "doctor", "readers"],
)
def test_other_commands_listen_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], stdin: str
) -> None:
    image, conversation = issued(tmp_path), tmp_path / "conversation"
    conversation.write_text("> 00 84 00 00 08\n")
    asked: list[object] = []
    monkeypatch.setattr(socket.socket, "listen", lambda *given: asked.append(given))
    places = {"IMAGE": str(image), "FILE": str(conversation)}
    done = sscard(*(places.get(word, word) for word in words), stdin=stdin)
    assert "" != done.output
    assert done.exception is None or isinstance(done.exception, SystemExit)
    assert [] == asked
