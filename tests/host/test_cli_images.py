# SPDX-License-Identifier: Apache-2.0
"""`sscard issue` and the images it makes; images that nobody should use."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from commandline import (
    ASK,
    PLAIN,
    ROOT,
    SELECT,
    WRONG,
    issued,
    refusal,
    sscard,
)

from card_os import image
from card_os.chip import FLASH_SIZE, Chip
from card_os.nvm import JOURNAL_SIZE


@pytest.fixture
def card(tmp_path: Path) -> Path:
    return issued(tmp_path)


@pytest.fixture
def holder() -> dict[str, str]:
    found: dict[str, str] = json.loads(PLAIN.read_text(encoding="utf-8"))
    return found


# issue


def test_what_was_issued_can_be_looked_at_and_keeps_what_it_is_told(card: Path) -> None:
    assert "A12345674" in sscard("info", "--card", card).stdout
    assert "6 tries left" in sscard("info", "--card", card).stdout
    told = sscard("apdu", "--card", card, SELECT, WRONG, WRONG)
    assert ["63 C5", "63 C4"] == told.stdout.splitlines()[1:]
    assert "4 tries left" in sscard("info", "--card", card).stdout
    assert ["63 C4"] == sscard("apdu", "--card", card, SELECT, ASK).stdout.splitlines()[1:]


def test_an_image_is_for_its_owner_alone(card: Path) -> None:
    assert 0o600 == stat.S_IMODE(card.stat().st_mode)


def test_issuing_says_what_was_made_and_with_which_keys(tmp_path: Path) -> None:
    result = sscard("issue", PLAIN, "-o", tmp_path / "card.img")
    assert "A12345674" in result.stdout
    assert "TEST KEYS" in result.stdout
    made = json.loads(sscard("issue", PLAIN, "-o", tmp_path / "other.img", "--json").stdout)
    assert ("A12345674", True) == (made["card_number"], made["test_keys"])
    assert made["atr"].startswith("3B6D0000008154")


def test_two_cards_are_alike_only_with_the_same_seed(tmp_path: Path) -> None:
    images = [tmp_path / f"{n}.img" for n in range(4)]
    for path, seed in zip(images, ((), (), ("--seed", "5"), ("--seed", "5")), strict=True):
        assert 0 == sscard("issue", PLAIN, "-o", path, *seed).exit_code
    assert images[0].read_bytes() != images[1].read_bytes()
    assert images[2].read_bytes() == images[3].read_bytes()


def test_a_file_is_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "thesis.txt"
    path.write_text("three years of work")
    assert f"{path}: exists already" in refusal(sscard("issue", PLAIN, "-o", path))
    assert "three years of work" == path.read_text()


@pytest.mark.parametrize(
    ("changes", "field", "rule"),
    [
        ({"number": "430200199001010010"}, "number", "check character"),
        ({"sex": "female"}, "sex", "disagrees with the number"),
        ({"birth_date": "1990-02-30"}, "birth_date", "not a date"),
        ({"name": "阿" * 26}, "name", "30 and 20"),
        ({"name": "\x1b[31m"}, "name", "no visible character"),
        ({"card_number": "A12345675"}, "card_number", "check character"),
        ({"colour": "red"}, "colour", "unknown field"),
    ],
)
def test_a_broken_holder_leaves_no_image_behind(
    tmp_path: Path, holder: dict[str, str], changes: dict[str, str], field: str, rule: str
) -> None:
    source = tmp_path / "holder.json"
    source.write_text(json.dumps(holder | changes), encoding="utf-8")
    said = refusal(sscard("issue", source, "-o", tmp_path / "card.img"))
    assert said.startswith(f"{source}: ")
    assert field in said
    assert rule in said
    assert [source] == list(tmp_path.iterdir())
    assert said == refusal(sscard("demo", source))


def test_a_holder_that_cannot_be_personalised_leaves_no_image_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Chip, "transmit", lambda chip, command: b"\x6a\x84")
    assert "6A84" in refusal(sscard("issue", PLAIN, "-o", tmp_path / "card.img"), status=1)
    assert [] == list(tmp_path.iterdir())


def test_a_generation_that_cannot_be_issued_is_refused(tmp_path: Path) -> None:
    said = refusal(sscard("issue", PLAIN, "-o", tmp_path / "c.img", "--generation", "9"))
    assert "there are 1.0, 2.0, 3.0" in said
    assert [] == list(tmp_path.iterdir())


# Images that cannot be used


def _changed(at: int) -> Any:
    def change(raw: bytes) -> bytes:
        return raw[:at] + bytes((raw[at] ^ 1,)) + raw[at + 1 :]

    return change


def _newer(raw: bytes) -> bytes:
    head = image.ImageHeader(9, FLASH_SIZE, image._check(9, FLASH_SIZE))
    return bytes(head) + raw[len(bytes(head)) :]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_changed(image.FLASH_AT + JOURNAL_SIZE), "damaged: the content"),
        (_changed(10), "damaged: the header"),
        (_changed(0), "not a card image"),
        (lambda raw: raw[:5000], "damaged: the length"),
        (lambda raw: raw[:20], "damaged"),
        (lambda raw: raw + b"\0", "damaged: the length"),
        (lambda raw: b"", "not a card image"),
        (lambda raw: b"{}\n", "not a card image"),
        (_newer, "image version 9"),
    ],
)
@pytest.mark.parametrize("verb", [("info",), ("apdu", SELECT)])
def test_an_image_that_is_not_whole_is_refused_by_name(
    card: Path, verb: tuple[str, ...], change: Any, reason: str
) -> None:
    changed = change(card.read_bytes())
    card.write_bytes(changed)
    said = refusal(sscard(*verb, "--card", card))
    assert said.startswith(f"{card}: ")
    assert reason in said
    assert changed == card.read_bytes()


def test_an_image_of_something_else_than_a_chip_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "strange.img"
    image.save(path, memoryview(b"\x5a" * FLASH_SIZE))
    assert refusal(sscard("info", "--card", path)).startswith(f"{path}: damaged: ")


def test_an_image_in_use_by_another_process_is_refused(card: Path) -> None:
    held = "import sys; from pathlib import Path; from card_os.image import ImageFlash\n"
    held += "flash = ImageFlash(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", held, str(card)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert b"held" == other.stdout.readline().strip()
        said = refusal(sscard("apdu", "--card", card, SELECT))
        assert f"{card}: in use by another process" == said
        other.stdin.close()
    assert 0 == sscard("apdu", "--card", card, SELECT).exit_code


@pytest.mark.parametrize("where", ["missing.img", "."])
def test_an_image_that_cannot_be_opened_is_refused_by_name(tmp_path: Path, where: str) -> None:
    path = tmp_path / where
    assert f"{path}: cannot be opened" in refusal(sscard("info", "--card", path))


def test_a_card_killed_between_two_calls_keeps_what_it_acknowledged(card: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(card), SELECT, WRONG],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert b"63c5" == process.stdout.readline().strip()
        process.kill()
    assert ["63 C5"] == sscard("apdu", "--card", card, SELECT, ASK).stdout.splitlines()[1:]


_HOLD = """
import sys, time
from pathlib import Path
from host.cli.opening import Where, opened
with opened(Where(Path(sys.argv[1]))) as channel:
    for word in sys.argv[2:]:
        answer = channel.transmit(bytes.fromhex(word))
    print(answer.hex(), flush=True)
    time.sleep(60)
"""
