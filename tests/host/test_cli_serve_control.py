# SPDX-License-Identifier: Apache-2.0
"""`sscard control`: words over a socket to the `sscard serve` that is running."""

from __future__ import annotations

import json
import os
import socket
import stat
import sys
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from commandline import refusal, sscard
from fakereader import DEADLINE, Reader
from servebench import at, serving, sockets_of

from card_os.image import ImageError, ImageFlash
from host.cli.virtual.control import LONGEST

pytestmark = pytest.mark.skipif(
    not hasattr(socket, "AF_UNIX") or sys.platform == "win32", reason="needs Unix sockets"
)
_CLOSED_AT = 64


def free(path: Path) -> bool:
    """Whether nobody has the image open, and it was closed properly."""
    try:
        ImageFlash(path).close()
    except ImageError:
        return False
    return path.read_bytes()[_CLOSED_AT] == 0


# Over the socket


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path("control")  # a socket's path has 108 bytes, and that of a test may have more


def test_lines_are_taken_on_a_socket(
    images: tuple[Path, Path], readers: tuple[Reader, Reader], place: Path
) -> None:
    reader, (first, second) = readers[0], images
    with serving(first, *at(reader), "--control", place.absolute()) as process:
        before = reader.accept().atr()
        process.wait("connected")
        listed = sscard("control", place, "list", "--json")
        assert 0 == listed.exit_code
        (only,) = json.loads(listed.stdout)["slots"]
        assert (1, str(first)) == (only["slot"], only["card"])
        result = sscard("control", place, "swap", "1", second.name)  # from where we are
        assert 0 == result.exit_code, result.output
        assert f"slot 1: {second.absolute()}\n" == result.stdout
        assert reader.gone()
        assert before != reader.accept().atr()
        wrong = sscard("control", place, "remove", "2")
        assert (1, "slot 2 has no card\n", "") == (wrong.exit_code, wrong.stderr, wrong.stdout)
        assert 0 == sscard("control", place, "quit").exit_code
        assert 0 == process.ended()
    assert not os.path.lexists(place)
    assert free(first) and free(second)


def test_cards_can_all_come_later(
    images: tuple[Path, Path], readers: tuple[Reader, Reader], place: Path
) -> None:
    with serving(*at(readers[0]), "--control", place.absolute()) as process:
        process.wait("Ctrl-C")
        assert 0 == sscard("control", place, "insert", "1", images[0]).exit_code
        assert readers[0].accept().atr()


def test_the_socket_is_for_its_owner_alone_and_all_that_listens(
    images: tuple[Path, Path], readers: tuple[Reader, Reader], place: Path
) -> None:
    with serving(images[0], *at(readers[0]), "--control", place.absolute()) as process:
        assert readers[0].accept().atr()
        mode = os.lstat(place).st_mode
        assert stat.S_ISSOCK(mode) and 0o600 == stat.S_IMODE(mode)
        if Path("/proc/self/net/unix").exists():
            found = sockets_of(process.process.pid).values()
            assert [str(place.absolute())] == [own for own, _, listens in found if listens]


@pytest.mark.parametrize(
    "garbage",
    [b"", b"\n", b"\xff\xfe\n", b"\0\n", b"x" * (LONGEST + 100), b"list"],
    ids=["nothing", "empty", "not UTF-8", "null", "long", "unfinished"],
)
def test_a_caller_may_say_anything(
    images: tuple[Path, Path], readers: tuple[Reader, Reader], place: Path, garbage: bytes
) -> None:
    with serving(images[0], *at(readers[0]), "--control", place.absolute()) as process:
        assert readers[0].accept().atr()
        with socket.socket(socket.AF_UNIX) as caller:
            caller.settimeout(DEADLINE)
            caller.connect(str(place))
            try:
                caller.sendall(garbage)
                caller.shutdown(socket.SHUT_WR)
                answer = caller.recv(65_536)
            except ConnectionError:
                answer = b""  # it did not read all of it
        if answer:
            assert set(json.loads(answer)) >= {"ok", "lines"}
        assert 0 == sscard("control", place, "list").exit_code
        assert 0 == process.end()


@pytest.mark.parametrize("what", ["file", "directory", "link"])
def test_a_place_where_something_is_stays_as_it_is(
    images: tuple[Path, Path], place: Path, what: str
) -> None:
    if what == "file":
        place.write_text("precious")
    elif what == "directory":
        place.mkdir()
    else:
        place.symlink_to("nowhere")
    before = os.lstat(place)
    assert "exists already" in refusal(sscard("serve", images[0], "--control", place), 1)
    assert before.st_mtime_ns == os.lstat(place).st_mtime_ns
    assert free(images[0])


def test_what_a_killed_one_left_behind_is_used_again(
    images: tuple[Path, Path], readers: tuple[Reader, Reader], place: Path
) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place))
    with serving(images[0], *at(readers[0]), "--control", place.absolute()) as process:
        assert readers[0].accept().atr()
        assert 0 == sscard("control", place, "list").exit_code
        assert 0 == process.end()
    assert not os.path.lexists(place)


def test_a_place_where_another_listens_stays_its_own(
    images: tuple[Path, Path], place: Path
) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place))
        listener.listen()
        said = refusal(sscard("serve", images[0], "--control", place), 1)
        assert "another `sscard serve` listens there" in said
        assert os.path.lexists(place)


def test_a_place_that_cannot_be_is_refused(images: tuple[Path, Path], place: Path) -> None:
    assert "too long" in refusal(sscard("serve", images[0], "--control", "x" * 200), 1)
    missing = Path("missing") / "control"
    assert "No such file" in refusal(sscard("serve", images[0], "--control", missing), 1)


def test_what_somebody_else_put_there_meanwhile_is_left(
    images: tuple[Path, Path], readers: tuple[Reader, Reader], place: Path
) -> None:
    with serving(images[0], *at(readers[0]), "--control", place.absolute()) as process:
        assert readers[0].accept().atr()
        place.unlink()
        place.write_text("precious")
        assert 0 == process.end()
    assert "precious" == place.read_text()


def answering(place: Path, answer: bytes) -> Any:
    """Somebody else at this place, who says this to the first line."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(place))
    listener.listen()

    def talk() -> None:
        with listener, listener.accept()[0] as caller:
            caller.recv(1000)
            caller.sendall(answer)

    Thread(target=talk, daemon=True).start()
    return listener


def test_nobody_there_is_told(place: Path) -> None:
    assert "is there `sscard serve --control" in refusal(sscard("control", place, "list"), 1)


@pytest.mark.parametrize(
    "answer",
    [b"", b"nonsense\n", b"[]\n", b'{"ok": true}\n', b'{"ok": 1, "lines": [2]}\n', b"\xff\n"],
)
def test_somebody_else_there_is_told(place: Path, answer: bytes) -> None:
    answering(place, answer)
    assert f"{place}: " in refusal(sscard("control", place, "list"), 1)


def test_an_answer_cannot_steer_the_terminal(place: Path) -> None:
    answering(place, b'{"ok": true, "lines": ["\\u001b[2J"]}\n')
    assert "\\x1b[2J\n" == sscard("control", place, "list").stdout


def test_words_are_needed() -> None:
    assert "WORDS" in refusal(sscard("control", "place"))
