# SPDX-License-Identifier: Apache-2.0
"""The Unix socket on which a running `sscard serve` takes lines, and the one who sends them.

A line in UTF-8 one way, an object in JSON on a line the other way: `Answer.as_json`.
"""

from __future__ import annotations

import json
import os
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Any, Final

import click

from host.cli.virtual.steering import Answer
from host.faults import CardMisspoke

LONGEST: Final = 8192
"""Bytes of a line to `sscard serve`."""
PATIENCE: Final = 5.0
"""Seconds for whoever connects to say a line, and to take the answer."""
_TAKES: Final = 30.0
"""Seconds that doing it may take: a card may have to finish a long command."""
_LONGEST_ANSWER: Final = 1 << 20


@contextmanager
def listening(path: Path) -> Iterator[socket.socket]:
    """A socket at a place where nothing is, or only what a killed `sscard serve` left behind; for
    its owner alone, and gone afterwards.

    Raises click.ClickException when that cannot be.
    """
    if not hasattr(socket, "AF_UNIX"):
        raise click.ClickException("--control needs Unix sockets, which this system has not")
    _make_room(path)
    with socket.socket(socket.AF_UNIX) as listener:
        before = os.umask(0o177)
        try:
            listener.bind(str(path))
        except OSError as error:
            raise click.ClickException(f"--control {path}: {error.strerror or error}") from None
        finally:
            os.umask(before)
        made = os.lstat(path)
        try:
            listener.listen()
            yield listener
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes whoever accepts
            with suppress(OSError):
                if os.path.samestat(made, os.lstat(path)):  # nobody else's by now
                    os.unlink(path)


def _make_room(path: Path) -> None:
    """Remove a socket at which nobody listens any more, and nothing else."""
    if not os.path.lexists(path):
        return
    if not stat.S_ISSOCK(os.lstat(path).st_mode):
        raise click.ClickException(f"--control {path}: exists already, and is no socket")
    with socket.socket(socket.AF_UNIX) as caller:
        caller.settimeout(PATIENCE)
        try:
            caller.connect(str(path))
        except ConnectionRefusedError:
            with suppress(FileNotFoundError):
                path.unlink()
            return
        except OSError as error:
            raise click.ClickException(f"--control {path}: {error.strerror or error}") from None
    raise click.ClickException(f"--control {path}: another `sscard serve` listens there")


def attend(listener: socket.socket, do: Callable[[str], Answer], end: Callable[[], None]) -> None:
    """Take lines, one caller after the other, in a thread of its own. `end` is called when an
    answer that ends all has been given."""
    Thread(target=_attend, args=(listener, do, end), daemon=True).start()


def _attend(listener: socket.socket, do: Callable[[str], Answer], end: Callable[[], None]) -> None:
    while True:
        try:
            caller, _ = listener.accept()
        except OSError:
            return  # closed
        answer = None
        with caller, suppress(OSError):
            caller.settimeout(PATIENCE)
            answer = _answer(caller, do)
            caller.sendall(json.dumps(answer.as_json()).encode() + b"\n")
        if answer is not None and answer.ends:
            end()


def _answer(caller: socket.socket, do: Callable[[str], Answer]) -> Answer:
    try:
        line = _line(caller, LONGEST)
        return do(line.decode())
    except UnicodeDecodeError:
        return Answer(False, ("not understood: not UTF-8",))
    except ValueError as error:
        return Answer(False, (f"not understood: {error}",))


def _line(connection: socket.socket, most: int) -> bytes:
    """Up to the first line end, or the end. Raises ValueError for more than `most` bytes."""
    got = b""
    while b"\n" not in got:
        if len(got) > most:
            raise ValueError(f"a line of more than {most} bytes")
        piece = connection.recv(most)
        if not piece:
            break
        got += piece
    return got.partition(b"\n")[0]


def send(path: Path, line: str) -> dict[str, Any]:
    """Say a line to the `sscard serve` at this place. Its answer: ok, lines, perhaps slots.

    Raises click.ClickException when nobody is there, CardMisspoke when that is somebody else.
    """
    if not hasattr(socket, "AF_UNIX"):
        raise click.ClickException("needs Unix sockets, which this system has not")
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(PATIENCE)
        try:
            connection.connect(str(path))
            connection.settimeout(_TAKES)
            connection.sendall(line.encode() + b"\n")
            raw = _line(connection, _LONGEST_ANSWER)
            if not raw:
                raise CardMisspoke(f"{path}: no answer")
            answer = json.loads(raw)
        except OSError as error:
            reason = error.strerror or str(error)
            raise click.ClickException(
                f"{path}: {reason}; is there `sscard serve --control {path}`?"
            ) from None
        except ValueError:
            answer = None
    lines = answer.get("lines") if isinstance(answer, dict) else None
    if not isinstance(lines, list) or not all(isinstance(each, str) for each in lines):
        raise CardMisspoke(f"{path}: the answer is not one of `sscard serve`")
    return answer  # type: ignore[no-any-return]
