# SPDX-License-Identifier: Apache-2.0
"""A card in a file: kept whole, kept to its owner, and refused by name when it is not one."""

from __future__ import annotations

import mmap
import os
import stat
import subprocess
import sys
from itertools import islice
from pathlib import Path
from zlib import crc32

import imageworker
import pytest
from benchplan import noise
from imageworker import INITIAL, PINS
from testbench import SELECT_HRSS, boot, command, sealed_cells, send_all, sw, tries, verify

from apdu.wire.iso7816 import READ_BINARY, UPDATE_BINARY, SfiOffset
from card_os.image import FLASH_AT, Durability, ImageError, ImageFlash, save
from card_os.nvm import JOURNAL_SIZE

ROOT = Path(__file__).parents[2]
MARK = b"\x89SSCARD\n"
COUNTER = command(READ_BINARY, SfiOffset(1), ne=4)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "card.img"
    save(path, memoryview(sealed_cells()))
    return path


def reason(path: Path) -> str:
    """Why an image is refused; the message begins with its name."""
    with pytest.raises(ImageError) as refused:
        ImageFlash(path)
    assert str(refused.value) == f"{path}: {refused.value.reason}"
    return refused.value.reason


def header(version: int = 1, size: int = len(sealed_cells())) -> bytes:
    body = MARK + version.to_bytes(2) + size.to_bytes(4)
    return body + crc32(body).to_bytes(4)


# Keeping


def test_an_image_holds_the_cells_it_was_made_of(image: Path) -> None:
    with ImageFlash(image) as flash:
        assert sealed_cells() == bytes(flash.cells)
        assert b"\x90\x00" == boot(flash).transmit(SELECT_HRSS)[-2:]


def test_what_a_chip_changes_is_there_when_the_image_is_opened_again(image: Path) -> None:
    for n in range(3):
        with ImageFlash(image) as flash:
            chip = boot(flash)
            send_all(chip, [SELECT_HRSS, verify("123456")])
            expected = noise("SSSE 1", 4) if n == 0 else n.to_bytes(4)
            assert expected + b"\x90\x00" == chip.transmit(COUNTER)
            new = command(UPDATE_BINARY, SfiOffset(1), (n + 1).to_bytes(4))
            send_all(chip, [new])
            digest = chip.snapshot()
    with ImageFlash(image) as flash:
        assert digest == boot(flash).snapshot()


def test_only_its_owner_may_read_an_image(image: Path) -> None:
    assert 0o600 == stat.S_IMODE(image.stat().st_mode)
    with ImageFlash(image) as flash:
        send_all(boot(flash), [SELECT_HRSS, verify("123456")])
    assert 0o600 == stat.S_IMODE(image.stat().st_mode)


def test_saving_leaves_nothing_beside_the_image(image: Path) -> None:
    assert [image] == list(image.parent.iterdir())


def test_an_image_is_never_written_over(image: Path) -> None:
    before = image.read_bytes()
    with pytest.raises(ImageError, match="exists already"):
        save(image, memoryview(bytes(8192)))
    assert before == image.read_bytes()
    assert [image] == list(image.parent.iterdir())


@pytest.mark.parametrize("there", ["no such directory", "a file in the way"])
def test_where_no_file_can_be_there_is_an_error_and_nothing_is_left(
    tmp_path: Path, there: str
) -> None:
    parent = tmp_path / "parent"
    if there == "a file in the way":
        parent.write_bytes(b"")
    before = list(tmp_path.iterdir())
    with pytest.raises(ImageError, match="cannot be written"):
        save(parent / "card.img", memoryview(bytes(8192)))
    assert before == list(tmp_path.iterdir())


def test_closing_twice_is_closing_once(image: Path) -> None:
    flash = ImageFlash(image)
    boot(flash)
    flash.close()
    flash.close()
    ImageFlash(image).close()


def test_reading_alone_does_not_change_the_file(image: Path) -> None:
    before = image.read_bytes()
    with ImageFlash(image) as flash:
        chip = boot(flash)
        send_all(chip, [SELECT_HRSS, command(READ_BINARY, SfiOffset(1), ne=4)])
    assert before == image.read_bytes()


# Refusing


def test_an_image_in_use_is_refused_here_and_in_another_process(image: Path) -> None:
    open_it = f"from card_os.image import *\nImageFlash(Path({str(image)!r}))"
    with ImageFlash(image):
        assert "in use by another process" == reason(image)
        refused = subprocess.run(
            [sys.executable, "-c", open_it], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert f"{image}: in use by another process" in refused.stderr
    ImageFlash(image).close()


def test_a_missing_file_and_a_directory_are_refused(tmp_path: Path) -> None:
    assert reason(tmp_path / "none.img").startswith("cannot be opened")
    assert reason(tmp_path).startswith("cannot be opened")
    assert reason(tmp_path / "a\0b") == "cannot be opened: no name of a file"


@pytest.mark.parametrize(
    "content",
    [b"", b"\x89", b"\x89PNG\r\n\x1a\n" + bytes(9000), b"{}", MARK[:-1] + b"\r\n", bytes(20_000)],
    ids=["empty", "a byte", "a picture", "JSON", "another line end", "zeros"],
)
def test_a_foreign_file_is_refused_as_such(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "foreign.img"
    path.write_bytes(content)
    assert "not a card image" == reason(path)
    assert content == path.read_bytes()


def test_a_newer_version_is_refused_by_its_number(image: Path) -> None:
    raw = bytearray(image.read_bytes())
    raw[: len(header())] = header(version=2)
    image.write_bytes(raw)
    assert "image version 2; this program knows version 1" == reason(image)


@pytest.mark.parametrize("size", [0, 1, 8191, (1 << 24) + 1, 0xFFFFFFFF])
def test_an_impossible_size_is_refused(image: Path, size: int) -> None:
    raw = bytearray(image.read_bytes())
    raw[: len(header())] = header(size=size)
    image.write_bytes(raw)
    assert reason(image).startswith("damaged")


def test_an_image_cut_short_or_grown_is_refused_at_every_length(image: Path) -> None:
    whole = image.read_bytes()
    lengths = [*range(8, 200), *range(200, len(whole), 331), len(whole) - 1]
    for length in lengths:
        image.write_bytes(whole[:length])
        assert reason(image).startswith("damaged")
    for more in (b"\0", bytes(4096), whole):
        image.write_bytes(whole + more)
        assert reason(image).startswith("damaged")
    image.write_bytes(whole)
    ImageFlash(image).close()


def test_any_bit_that_flips_in_a_closed_image_is_noticed(image: Path) -> None:
    whole = image.read_bytes()
    header_bits = range(len(header()))
    digest, flash = range(65, 97), range(FLASH_AT, len(whole), 257)
    for at in (*header_bits, *digest, *flash, len(whole) - 1):
        for bit in (0, 7):
            raw = bytearray(whole)
            raw[at] ^= 1 << bit
            image.write_bytes(raw)
            why = reason(image)
            assert why.startswith("damaged") or (at < 8 and why == "not a card image")
            assert bytes(raw) == image.read_bytes()


def test_a_refused_image_is_not_left_locked(image: Path) -> None:
    whole = image.read_bytes()
    image.write_bytes(whole[:-1] + b"\x55")
    reason(image)
    image.write_bytes(whole)
    ImageFlash(image).close()


# Order of writes


class Recorder(ImageFlash):
    """Takes down the writes to the cells, and what the chip asks to be made safe."""

    def __init__(self, path: Path, durability: Durability, events: list[str]) -> None:
        self.events = events
        super().__init__(path, durability)

    def before_write(self, at: int, data: bytes) -> None:
        if at >= JOURNAL_SIZE:
            self.events.append("home")
        elif at:
            self.events.append("journal")
        else:
            self.events.append("commit" if data[0] else "clear")


@pytest.fixture
def flushes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Events; "sync" each time a mapping of memory to a file is flushed to the disk."""
    events: list[str] = []

    class Spy(mmap.mmap):
        def flush(self, *args: int) -> None:
            events.append("sync")
            super().flush(*args)

    monkeypatch.setattr(mmap, "mmap", Spy)
    return events


ONE_BLOCK = ["journal", "sync", "commit", "sync", "home", "sync", "clear", "sync"]


def test_a_power_safe_image_is_on_the_disk_at_every_step_of_a_commit(
    image: Path, flushes: list[str]
) -> None:
    flash = Recorder(image, Durability.POWER_SAFE, flushes)
    chip = boot(flash)
    send_all(chip, [SELECT_HRSS])
    assert [] == flushes
    send_all(chip, [verify("123456")])
    # The mark "in use", then the try that is paid, then the same try given back.
    assert ["sync", "home", "sync", "home", "sync"] == flushes
    flushes.clear()
    send_all(chip, [command(UPDATE_BINARY, SfiOffset(1), b"new!")])
    assert ONE_BLOCK == flushes
    flushes.clear()
    flash.close()
    assert ["sync"] == flushes


def test_a_kill_safe_image_waits_for_no_disk(image: Path, flushes: list[str]) -> None:
    flash = Recorder(image, Durability.KILL_SAFE, flushes)
    chip = boot(flash)
    send_all(chip, [SELECT_HRSS, verify("123456")])
    flushes.clear()
    send_all(chip, [command(UPDATE_BINARY, SfiOffset(1), b"new!")])
    assert [each for each in ONE_BLOCK if each != "sync"] == flushes
    flash.close()
    assert "sync" not in flushes


def test_an_image_is_marked_as_in_use_before_its_first_cell_changes(image: Path) -> None:
    flash = ImageFlash(image)
    chip = boot(flash)
    states: list[int] = []
    flash.before_write = lambda at, data: states.append(  # type: ignore[method-assign]
        image.read_bytes()[64]
    )
    send_all(chip, [SELECT_HRSS, verify("123456")])
    assert [1, 1] == states
    flash.close()
    assert 0 == image.read_bytes()[64]


# Killed


def holds_what_was_answered(image: Path, answered: int) -> None:
    """The image has the state after the last answered operation, or after the one behind it."""
    start = imageworker.Operation(b"", 0, INITIAL, False)
    done = [start, *islice(imageworker.operations(), answered + 1)][answered:]
    with ImageFlash(image) as flash:
        chip = boot(flash)
        send_all(chip, [SELECT_HRSS])
        left = sw(chip.transmit(tries())) - 0x63C0
        found = chip.transmit(COUNTER)[:4]
        counter = 0 if found == noise("SSSE 1", 4) else int.from_bytes(found)
        pins = [pin for pin in (INITIAL, *PINS) if sw(chip.transmit(verify(pin))) == 0x9000]
    assert (counter, pins) in [(each.counter, [each.pin]) for each in done]
    assert left == 6 or (left == 5 and done[1].uses_pin)


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}


@needs_fork
def test_a_process_killed_in_any_write_leaves_every_answered_change(image: Path) -> None:
    points = range(60)
    subprocess.run(
        [sys.executable, "-m", "imageworker", str(image), *map(str, points)],
        env=environment(),
        check=True,
    )
    seen = set()
    for point in points:
        copy = Path(f"{image}.{point}")
        answered = len(Path(f"{copy}.answered").read_bytes())
        seen.add(answered)
        holds_what_was_answered(copy, answered)
    assert len(seen) > 12  # the points are spread over many operations


@needs_fork
@pytest.mark.parametrize("wait_for", [1, 2, 5, 50, 400, 2000])
def test_a_process_killed_from_outside_leaves_every_answered_change(
    image: Path, wait_for: int
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "imageworker", str(image)],
        env=environment(),
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    answered = len(process.stdout.read(wait_for))
    process.kill()
    answered += len(process.stdout.read())
    process.stdout.close()
    process.wait()
    assert answered >= wait_for
    holds_what_was_answered(image, answered)
