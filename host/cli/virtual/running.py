# SPDX-License-Identifier: Apache-2.0
"""`sscard serve`: puts the cards in and waits; lines, signals and readers do the rest."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any, Final

import click

from card_os.files.layout import Mark
from card_os.image import Durability
from host.cli.text import visible
from host.cli.virtual.control import attend, listening
from host.cli.virtual.faults import SlotError
from host.cli.virtual.recordings import Recordings
from host.cli.virtual.seat import Manner
from host.cli.virtual.slots import HIGHEST_PORT, Slots
from host.cli.virtual.steering import Answer, steer
from host.cli.virtual.watching import Board

LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
_ENDING: Final = ("SIGTERM", "SIGINT", "SIGHUP")
_TYPED: Final = 4096
"""Bytes of a line that a terminal gives."""
_BACKGROUND: Final = 1.0
"""Seconds between looks at a terminal that others have."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line says."""

    cards: tuple[Path, ...]
    psam: Path | None
    manner: Manner
    durability: Durability
    host: str
    port: int
    control: Path | None
    record: Path | None = None
    with_secrets: bool = False


def serve(wanted: Wanted, board: Board) -> None:
    """Serve until SIGTERM, SIGINT (Ctrl-C), SIGHUP or `quit`; then all images are closed.

    Raises ImageError, and click.ClickException for what cannot be.
    """
    images = [(path, Mark.CARD) for path in wanted.cards]
    if wanted.psam is not None:
        images.append((wanted.psam, Mark.PSAM))
    _check(images, wanted)
    recordings = Recordings(wanted.record, with_secrets=wanted.with_secrets)
    slots = Slots(
        wanted.host,
        wanted.port,
        wanted.manner,
        wanted.durability,
        board,
        recordings,
    )
    ended: SimpleQueue[None] = SimpleQueue()

    def end() -> None:
        ended.put(None)

    def do(line: str) -> Answer:
        return steer(line, slots)

    try:
        with ExitStack() as stack:
            stack.enter_context(signalled(end))
            listener = None
            if wanted.control is not None:
                listener = stack.enter_context(listening(wanted.control))
            stack.callback(_end_recordings, recordings)
            stack.callback(slots.close)
            _first(recordings)
            slots.fill(images, lambda: _greet(wanted, board))
            if listener is not None:
                attend(listener, do, end)
            if typed_at():
                Thread(target=_typing, args=(do, end, board), daemon=True).start()
            ended.get()
    except SlotError as error:
        raise click.ClickException(str(error)) from None


def _first(recordings: Recordings) -> None:
    """Make the file of slot 1 before anything is said or begun. Raises UsageError."""
    try:
        recordings.of(1)
    except SlotError as error:
        raise click.UsageError(f"{error}.") from None


def _end_recordings(recordings: Recordings) -> None:
    for sentence in recordings.close():
        click.echo(visible(sentence), err=True)


def _check(images: list[tuple[Path, Mark]], wanted: Wanted) -> None:
    if not images and wanted.control is None:
        raise click.UsageError("Give a card image, or --control to put cards in later.")
    if wanted.port + len(images) - 1 > HIGHEST_PORT:
        raise click.UsageError(
            f"--port {wanted.port}: {len(images)} slots from there end above {HIGHEST_PORT}."
        )
    if wanted.with_secrets and wanted.record is None:
        raise click.UsageError("--with-secrets is about --record FILE.")
    for at, (path, _) in enumerate(images):
        if any(path.exists() and path.samefile(other) for other, _ in images[:at]):
            raise click.UsageError(f"{path}: given twice; an image can be in one slot.")


def _greet(wanted: Wanted, board: Board) -> None:
    if board.as_json:
        return
    if wanted.host in LOOPBACK:
        click.echo(
            f"Note: vpcd takes any card from anybody on 0.0.0.0:{wanted.port};"
            " keep its ports closed to the network."
        )
    else:
        click.echo(f"Note: all that is said goes to {visible(wanted.host)} in the clear.")
    if wanted.with_secrets:
        click.echo("Note: PINs and keys go into the recordings: keep them to yourself.")
    if wanted.manner.chaos is not None:
        click.echo(f"Chaos: faults on purpose, with --chaos-seed {wanted.manner.seed}.")
    typed = "`help` says what can be typed. " if typed_at() else ""
    click.echo(f"{typed}Ctrl-C takes the cards out and ends.")


@contextmanager
def signalled(end: Callable[[], None]) -> Iterator[None]:
    """SIGTERM and its like end it; one that was ignored before, as by nohup, stays so. Reading a
    terminal from its background is an error, and does not stop us."""
    handlers: dict[str, Any] = dict.fromkeys(_ENDING, lambda *_: end())
    handlers["SIGTTIN"] = signal.SIG_IGN
    before = {}
    for name, handler in handlers.items():
        number = getattr(signal, name, None)  # Windows has not all of them
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def typed_at() -> bool:
    """Whether somebody types at standard input: a terminal, and we are in its foreground."""
    try:
        descriptor = sys.stdin.fileno()
        return os.isatty(descriptor) and os.tcgetpgrp(descriptor) == os.getpgrp()
    except (OSError, ValueError, AttributeError):  # closed, none, or a system without
        return False


def _typing(do: Callable[[str], Answer], end: Callable[[], None], board: Board) -> None:
    """Lines of the terminal, until its end; the cards stay in use then."""
    descriptor, patience = sys.stdin.fileno(), Event()
    while True:
        try:
            line = os.read(descriptor, _TYPED)  # a terminal gives one line at a time
        except OSError:
            patience.wait(_BACKGROUND)  # in the background, or gone
            continue
        if not line:
            return
        answer = do(line.decode("utf-8", "replace"))
        board.say_lines(answer.lines, answer.as_json())
        if answer.ends:
            end()
