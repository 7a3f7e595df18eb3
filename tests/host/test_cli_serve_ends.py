# SPDX-License-Identifier: Apache-2.0
"""`sscard serve`: how it ends, what can be typed meanwhile, and what it refuses to begin with."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commandline import ROOT, refusal, sscard
from fakereader import DEADLINE, Reader
from servebench import (
    SELECT,
    at,
    serving,
    sockets_of,
)

from card_os.image import ImageFlash
from host.cli.virtual.running import signalled
from host.cli.virtual.steering import HELP

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")


def closed_properly(path: Path) -> bool:
    return path.read_bytes()[64] == 0


# How it ends


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_it_ends_well_on_each_of_these(image: Path, reader: Reader, name: str) -> None:
    with serving(image, *at(reader)) as process:
        reader.accept().transmit(SELECT)
        assert 0 == process.end(getattr(signal, name))
        assert reader.gone()
    assert closed_properly(image)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_a_signal_that_was_to_be_ignored_is(name: str) -> None:
    number, ends = getattr(signal, name), list[None]()
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with signalled(lambda: ends.append(None)):
            signal.raise_signal(number)
        assert signal.SIG_IGN is signal.getsignal(number)
    finally:
        signal.signal(number, before)
    assert [] == ends


def test_signals_mean_afterwards_what_they_did_before() -> None:
    names = ("SIGTERM", "SIGINT", "SIGHUP", "SIGTTIN")
    before = [signal.getsignal(getattr(signal, name)) for name in names]
    with signalled(lambda: None):
        assert before[0] != signal.getsignal(signal.SIGTERM)
    assert before == [signal.getsignal(getattr(signal, name)) for name in names]


def test_it_goes_on_when_its_output_is_gone(image: Path, reader: Reader) -> None:
    ours, theirs = os.pipe()
    words = (sys.executable, "-m", "host.cli.main", "serve", image, *map(str, at(reader)))
    with open(theirs, "wb") as output:
        process = subprocess.Popen(
            [*words, "--verbose"], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output
        )
    try:
        reader.accept()
        os.close(ours)
        for _ in range(3):
            assert reader.transmit(SELECT)
        process.terminate()
        assert 0 == process.wait(DEADLINE)
    finally:
        process.kill()
        process.wait(DEADLINE)
    assert closed_properly(image)


def test_it_listens_nowhere_and_speaks_to_its_reader_alone(image: Path, reader: Reader) -> None:
    if not Path("/proc/self/net/tcp").exists():
        pytest.skip("needs /proc, of Linux")
    with serving(image, *at(reader)) as process:
        assert reader.accept().atr()
        found = list(sockets_of(process.process.pid).values())
    ((own, other, listens),) = found
    assert not listens
    assert other == f"0100007F:{reader.address[1]:04X}"
    assert own.startswith("0100007F:")


# At a terminal


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    ours, theirs = pty.openpty()
    yield ours, theirs
    for each in ours, theirs:
        try:
            os.close(each)
        except OSError:
            pass  # closed by the test


def in_front(theirs: int) -> dict[str, Any]:
    """Starts a process whose terminal this is, in its foreground."""

    def take() -> None:
        import fcntl
        import termios

        os.setsid()
        fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

    return {"stdin": theirs, "preexec_fn": take}


def test_lines_can_be_typed(image: Path, reader: Reader, terminal: tuple[int, int]) -> None:
    ours, theirs = terminal
    with serving(image, *at(reader), **in_front(theirs)) as process:
        process.wait("`help` says what can be typed")
        assert reader.accept().atr()
        os.write(ours, b"list\n")
        process.wait(f"{image}  in the reader")
        os.write(ours, b"help\n")
        for line in HELP:
            process.until(line.__eq__, line)
        os.write(ours, b"remove 1\n")
        process.wait("is out")
        assert reader.gone()
        assert closed_properly(image)
        os.write(ours, b"insert 1\n")
        assert reader.accept().atr()
        os.write(ours, b"nonsense '\n")
        process.wait("not understood")
        os.write(ours, b"quit\n")
        assert 0 == process.ended()


def test_the_end_of_what_is_typed_is_not_the_end(
    image: Path, reader: Reader, terminal: tuple[int, int]
) -> None:
    ours, theirs = terminal
    with serving(image, *at(reader), **in_front(theirs)) as process:
        assert reader.accept().atr()
        os.write(ours, b"\x04list\n")
        assert reader.transmit(SELECT)
        assert 0 == process.end()


def test_a_terminal_that_is_closed_ends_it_well(
    image: Path, reader: Reader, terminal: tuple[int, int]
) -> None:
    ours, theirs = terminal
    with serving(image, *at(reader), **in_front(theirs)) as process:
        assert reader.accept().atr()
        os.close(theirs)
        os.close(ours)
        assert 0 == process.ended()
    assert closed_properly(image)


def test_what_is_no_terminal_is_not_read(image: Path, reader: Reader) -> None:
    with serving(image, *at(reader), stdin=subprocess.PIPE) as process:
        assert reader.accept().atr()
        pipe = process.process.stdin
        assert pipe is not None
        pipe.write("quit\n")
        pipe.close()
        assert reader.transmit(SELECT)
        assert 0 == process.end()
    assert not any("typed" in line for line in process.lines)


# Bad input


def test_an_image_of_the_wrong_kind_is_refused(image: Path, psam: Path) -> None:
    assert f"{psam} is a PSAM: give it with --psam" == refusal(sscard("serve", psam), 1)
    assert f"{image} is no PSAM" == refusal(sscard("serve", "--psam", image), 1)


def test_an_image_in_use_is_refused_by_name(image: Path) -> None:
    with ImageFlash(image):
        assert f"{image}: in use by another process" == refusal(sscard("serve", image))


def test_a_damaged_image_is_refused_and_the_good_ones_closed(image: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.img"
    raw = bytearray(image.read_bytes())
    raw[5000] ^= 1
    damaged.write_bytes(raw)
    assert "damaged" in refusal(sscard("serve", image, damaged))
    assert closed_properly(image)
    ImageFlash(image).close()


def test_an_image_given_twice_is_refused(image: Path, tmp_path: Path) -> None:
    link = tmp_path / "again.img"
    link.symlink_to(image)
    assert "given twice" in refusal(sscard("serve", image, link))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "Give a card image"),
        (("--port", "0"), "--port"),
        (("--port", "65536"), "--port"),
        (("a.img", "b.img", "--port", "65535"), "2 slots from there end above 65535"),
        (("a.img", "--atr-protocol", "T1", "--contactless"), "--contactless"),
        (("a.img", "--atr-protocol", "T2"), "T2"),
        (("a.img", "--chaos-seed", "1"), "--chaos PROFILE"),
        (("a.img", "--chaos", "no such profile"), "no such profile"),
        (("a.img", "--with-secrets"), "--record FILE"),
        (("missing.img",), "missing.img: cannot be opened"),
    ],
)
def test_what_cannot_be_is_refused(
    words: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert said in refusal(sscard("serve", *words))


def test_a_recording_that_exists_is_not_written_over(image: Path, tmp_path: Path) -> None:
    record = tmp_path / "there.jsonl"
    record.write_text("precious")
    said = refusal(sscard("serve", image, "--record", record))
    assert f"--record {record}: File exists; name a new one" in said
    assert "precious" == record.read_text()
    assert closed_properly(image)


def test_a_recording_with_secrets_says_so_in_its_name(image: Path, tmp_path: Path) -> None:
    place = tmp_path / "all.jsonl"
    assert "secrets" in refusal(sscard("serve", image, "--record", place, "--with-secrets"))
