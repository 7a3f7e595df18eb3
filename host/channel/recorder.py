# SPDX-License-Identifier: Apache-2.0
"""Recordings of channels as files: `apdu.recording`, written line by line while it happens.

    with recording(channel, Path("first-try.jsonl")) as channel:
        Card(channel)...

Every line is written whole and at once, so what a killed program leaves can be read. PINs and keys
are masked; what a card tells of its holder is not, so the file is for its owner's eyes (mode 0600).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from time import monotonic
from typing import Final

from apdu.atr import Interface
from apdu.errors import FormatError
from apdu.jsonline import LONGEST_LINE
from apdu.recording import (
    FIRST_SLOT,
    Event,
    Exchanged,
    Fault,
    Header,
    Recording,
    Remark,
    Reset,
    event_line,
    header_line,
)
from apdu.trace import Exchange, Masking
from apdu.transcript import read_transcript
from host.channel import Channel
from host.channel.layer import Layer
from host.faults import CardFault

TELLTALE: Final = "secrets"
"""What the name of a file that keeps PINs and keys must have in it, so that nobody hands it on
unawares (profile choice `recording-with-secrets`)."""
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL
Why = Callable[[], str]
"""Why the card refused what it was last sent; empty when it did not, or does not say."""


def _no_reason() -> str:
    return ""


class Recorder:
    """A new file, and the channels that are recorded in it, one after the other.

    A file that can no longer be written ends the recording, not the work of the card: `failure`
    says why then.
    """

    failure: OSError | None = None

    def __init__(
        self,
        path: Path,
        *,
        with_secrets: bool = False,
        remark: str = "",
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """`with_secrets`: keep PINs and keys, for cards under published test keys alone. `clock`:
        seconds, from any moment on.

        Raises FileExistsError for a file that exists, OSError for one that cannot be made, and
        FormatError for one with secrets whose name does not say so.
        """
        if with_secrets and TELLTALE not in path.name:
            raise FormatError(
                f'a recording that keeps PINs and keys must have "{TELLTALE}" in its name'
            )
        self._path = path
        self._kept = with_secrets
        self._remark = remark
        self._clock = clock
        self._begun = 0.0
        self._header_written = False
        self._file: int | None = new_file(path)

    def around(self, channel: Channel, why: Why = _no_reason, *, slot: str = FIRST_SLOT) -> Channel:
        """The channel, its card recorded from now on. `why`: asked after every answer. `slot`:
        which card of several it is; the first thing said of any but the first slot is its ATR."""
        first, self._header_written = not self._header_written, True
        if first:
            self._begun = self._clock()
            self._write(header_line(self._header(channel, slot)))
        if not first or slot != FIRST_SLOT:
            self.take(Reset(self.now(), channel.atr, channel.interface, slot))
        return _Recorded(channel, self, None if self._kept else Masking(), why, slot)

    def now(self) -> float:
        """Seconds since the recording began."""
        return self._clock() - self._begun

    def remark(self, text: str) -> None:
        """Say something of what comes next. For a recording that a channel has begun."""
        self.take(Remark(self.now(), text))

    def take(self, event: Event) -> None:
        """Write an event."""
        self._write(event_line(event))

    def close(self) -> None:
        """End the recording. One that no channel began leaves no file."""
        if self._file is None:
            return
        os.close(self._file)
        self._file = None
        if not self._header_written:
            with suppress(OSError):
                self._path.unlink()

    def _header(self, channel: Channel, slot: str) -> Header:
        about = self._kept, _made_by(), self._remark
        if slot != FIRST_SLOT:  # a header is about the card of the first one
            return Header(b"", Interface.CONTACT, "", *about)
        return Header(channel.atr, channel.interface, _protocol(channel), *about)

    def _write(self, line: str) -> None:
        if self._file is None or self.failure is not None:
            return
        rest = line.encode(errors="replace")  # names of files may have halves of characters
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError as error:
            self.failure = error


def _protocol(channel: Channel) -> str:
    """T=0 or T=1, as a reader agreed on it; empty where there is none, or nobody says."""
    agreed = getattr(getattr(channel, "protocol", None), "name", None)
    if agreed in ("T0", "T1"):
        return f"T={agreed[1]}"
    return "" if channel.le_with_data else "T=0"


def new_file(path: Path) -> int:
    """A new file for its owner alone, open for writing. Raises OSError, also if there is one."""
    try:
        return os.open(path, _CREATE, 0o600)
    except FileExistsError as error:
        raise FileExistsError(error.errno, f"{error.strerror}; name a new one", str(path)) from None


class _Recorded(Layer):
    """Takes down what the card is sent and says, resets and faults too."""

    def __init__(
        self,
        inner: Channel,
        recorder: Recorder,
        masking: Masking | None,
        why: Why,
        slot: str,
    ) -> None:
        super().__init__(inner)
        self._slot = slot
        self._recorder = recorder
        self._masking = masking
        self._why = why

    def _exchange(self, command: bytes) -> bytes:
        recorder = self._recorder
        at = recorder.now()
        try:
            answer = self._inner.transmit(command)
        except BaseException as error:
            self._unanswered(at, error, self._taken(command, b""))
            raise
        took = recorder.now() - at
        recorder.take(Exchanged(at, self._taken(command, answer), took, self._why(), self._slot))
        return answer

    def reset(self) -> bytes:
        at = self._recorder.now()
        try:
            super().reset()
        except BaseException as error:
            self._unanswered(at, error, None)
            raise
        self._recorder.take(Reset(at, self.atr, self.interface, self._slot))
        return self.atr

    def _taken(self, command: bytes, answer: bytes) -> Exchange:
        return self._masking.of(command, answer) if self._masking else Exchange(command, answer)

    def _unanswered(self, at: float, error: BaseException, exchange: Exchange | None) -> None:
        # Only the faults of this library promise that no secret is in their text.
        sentence = str(error) if isinstance(error, CardFault) else ""
        took = self._recorder.now() - at
        self._recorder.take(Fault(at, type(error).__name__, sentence, exchange, took, self._slot))


@contextmanager
def recording(
    channel: Channel, path: Path, *, with_secrets: bool = False, remark: str = ""
) -> Iterator[Channel]:
    """The channel, and what passes through it in a new file. The channel is not closed.

    Raises what `Recorder` does, and in the end OSError when the file could not be written to its
    end.
    """
    recorder = Recorder(path, with_secrets=with_secrets, remark=remark)
    try:
        yield recorder.around(channel)
    finally:
        recorder.close()
    if recorder.failure is not None:
        raise recorder.failure


@contextmanager
def reading(path: Path, *, keep: bool = False) -> Iterator[Recording]:
    """A recording in a file, or the text of a conversation (`apdu.transcript`), whose events are
    read as they are asked for. `keep`: do not mask what was kept.

    Raises OSError, and FormatError as `Recording.read` and `read_transcript` do.
    """
    with path.open("rb") as file:
        lines = iter(lambda: file.readline(LONGEST_LINE + 1), b"")
        if file.peek(1)[:1] in (b"{", b""):
            yield Recording.read(lines, keep=keep)
        else:
            yield read_transcript(lines, keep=keep)


@cache
def _made_by() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"sscard {version('sscard')}"
    except PackageNotFoundError:
        return "sscard"
