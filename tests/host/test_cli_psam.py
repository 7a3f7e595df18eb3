# SPDX-License-Identifier: Apache-2.0
"""PSAMs from the command line: `sscard issue --psam`, and an image that holds a PSAM."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commandline import PLAIN, refusal, sscard
from psambench import IN_PSAM, SELECT_PSAM, derive, psam_flash, purchase

from apdu.crypto.suites import SUITES
from apdu.wire.hrss.generations import GENERATIONS
from apdu.wire.psam_commands import MasterRef
from card_os import image
from card_os.chip import Chip
from card_os.world import seeded
from host.cli.psam_words import master_words
from host.cli.testcard import TEST_DAY, TEST_SERIAL, TEST_TERMINAL, issue_test_psam
from host.keys import MemoryKeys
from host.psam_region import region_named

REGIONS = {"national": "national", "000000": "national", "430000": "province", "430281": "city"}
"""What --psam takes, and the level that it is."""


@pytest.fixture
def psam_image(tmp_path: Path) -> Path:
    path = tmp_path / "psam.img"
    image.save(path, psam_flash().cells)
    return path


def made(path: Path, region: str, *words: object) -> Path:
    assert 0 == sscard("issue", "--psam", region, "-o", path, *words).exit_code
    return path


def told(path: Path) -> dict[str, object]:
    """What `sscard info` tells a program of a PSAM."""
    result = sscard("info", "--json", "--card", path)
    assert 0 == result.exit_code
    found: dict[str, object] = json.loads(result.stdout)["psam"]
    return found


def test_an_image_says_itself_that_it_is_a_psam(psam_image: Path) -> None:
    said = sscard("apdu", "--card", psam_image, "00B0960006", SELECT_PSAM.hex(), "00B09C0001")
    assert 0 == said.exit_code
    terminal, fci, index = said.stdout.splitlines()
    assert "99 00 00 00 00 01 90 00" == terminal
    assert fci.endswith("90 00")
    assert "01 90 00" == index


def test_a_number_that_a_purchase_took_is_gone_from_the_image(psam_image: Path) -> None:
    for number in ("00 00 00 01", "00 00 00 02"):
        said = sscard("apdu", "--card", psam_image, SELECT_PSAM.hex(), purchase().hex())
        assert said.stdout.splitlines()[-1].startswith(number)


def test_what_is_enciphered_is_hidden(psam_image: Path) -> None:
    said = sscard(
        "apdu", "--json", "--card", psam_image, SELECT_PSAM.hex(), "80FA000008" + "5A" * 8
    )
    assert "5A5A" not in said.stdout.replace(" ", "").upper()


# Making one


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize("region", REGIONS)
def test_what_was_made_says_what_was_asked_for(
    tmp_path: Path, region: str, generation: str
) -> None:
    path = tmp_path / "p.img"
    options = ("--generation", generation, "--terminal", "000000000042", "--serial", "7")
    result = sscard("issue", "--psam", region, "-o", path, "--json", *options)
    assert (0, "") == (result.exit_code, result.stderr)
    said = json.loads(result.stdout)
    atr = said.pop("atr")
    assert atr.startswith("3B6D0000008154")
    algorithm = SUITES[GENERATIONS[generation].algorithm].name
    assert {
        "image": str(path),
        "region": "000000" if region == "national" else region,
        "level": REGIONS[region],
        "generation": generation,
        "algorithm": algorithm,
        "terminal": "000000000042",
        "serial": "7",
        "test_keys": True,
    } == said
    assert {
        "terminal": "000000000042",
        "serial": "7",
        "algorithm": algorithm,
        "level": REGIONS[region],
        "region": None if REGIONS[region] == "national" else region[:4],
        "next_sequence": 1,
        "key_index": 1,
    } == told(path)
    assert 0o600 == path.stat().st_mode & 0o777


def test_it_is_made_in_words_too(tmp_path: Path) -> None:
    said = sscard("issue", "--psam", "430000", "-o", tmp_path / "p.img").stdout
    for words in ("430000 (province)", "3DES", TEST_TERMINAL, TEST_SERIAL, "TEST KEYS"):
        assert words in said


@pytest.mark.parametrize("region", REGIONS)
def test_it_is_the_psam_that_programs_are_given(tmp_path: Path, region: str) -> None:
    for name, suite in (("2.0", SUITES[1]), ("3.0", SUITES[2])):
        path = made(tmp_path / f"{name}.img", region, "--seed", 8, "--generation", name)
        chip = issue_test_psam(region=region, generation=name)
        assert chip.snapshot() == issue_test_psam(MemoryKeys(suite=suite), region=region).snapshot()
        with image.ImageFlash(path) as flash:
            assert chip.snapshot() == Chip.boot(flash, seeded(8, TEST_DAY)).snapshot()


def test_two_psams_are_alike_only_with_the_same_seed(tmp_path: Path) -> None:
    paths = [
        made(tmp_path / f"{n}.img", "430200", *seed)
        for n, seed in enumerate(((), (), ("--seed", 5), ("--seed", 5)))
    ]
    cells = [path.read_bytes() for path in paths]
    assert cells[0] != cells[1]
    assert cells[2] == cells[3]


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        ((), "either HOLDER.json or --psam"),
        (("--psam", "430200", PLAIN), "either HOLDER.json or --psam"),
        ((PLAIN, "--terminal", "123456789012"), "need --psam"),
        ((PLAIN, "--serial", "1"), "need --psam"),
        (("--psam", ""), "region: must be the 6 digits"),
        (("--psam", "4302"), "region: must be the 6 digits"),
        (("--psam", "National"), "or `national`"),
        (("--psam", "四三零二零零"), "region: must be the 6 digits"),
        (("--psam", "990000"), "not a province"),
        (("--psam", "000100"), "not a province"),
        (("--psam", "430200", "--terminal", ""), "terminal: must be 12 digits"),
        (("--psam", "430200", "--terminal", "12345678901"), "terminal: must be 12 digits"),
        (("--psam", "430200", "--terminal", "12345678901A"), "terminal: must be 12 digits"),
        (("--psam", "430200", "--terminal", "1234567890123"), "terminal: must be 12 digits"),
        (("--psam", "430200", "--serial", ""), "serial: must be 1 to 20 digits"),
        (("--psam", "430200", "--serial", "1" * 21), "serial: must be 1 to 20 digits"),
        (("--psam", "430200", "--serial", "１"), "serial: must be 1 to 20 digits"),
        (("--psam", "430200", "--generation", "4.0"), "there are 1.0, 2.0, 3.0"),
        (("--psam", "430200", "--generation", ""), "there are 1.0, 2.0, 3.0"),
    ],
    ids=str,
)
def test_what_cannot_be_made_is_refused_and_leaves_nothing(
    tmp_path: Path, words: tuple[object, ...], rule: str
) -> None:
    assert rule in refusal(sscard("issue", *words, "-o", tmp_path / "p.img"))
    assert [] == list(tmp_path.iterdir())


def test_a_psam_that_cannot_be_personalised_leaves_no_image_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Chip, "transmit", lambda chip, command: b"\x6a\x84")
    assert "6A84" in refusal(sscard("issue", "--psam", "national", "-o", tmp_path / "p"), status=1)
    assert [] == list(tmp_path.iterdir())


def test_a_file_is_never_written_over_by_a_psam(tmp_path: Path) -> None:
    path = tmp_path / "thesis.txt"
    path.write_text("three years of work")
    assert "exists already" in refusal(sscard("issue", "--psam", "national", "-o", path))
    assert "three years of work" == path.read_text()


# Looking at one


def test_info_tells_of_a_psam_what_a_person_must_know(tmp_path: Path) -> None:
    path = made(tmp_path / "p.img", "430200", "--generation", "3.0")
    said = sscard("info", "--card", path)
    assert 0 == said.exit_code
    for words in (
        "PSAM  终端安全存取模块",
        TEST_TERMINAL,
        TEST_SERIAL,
        "SM4",
        "city 市级: for cards of one city",
        "4302 its first four digits",
        "终端交易序号",
    ):
        assert words in said.stdout


def test_looking_takes_no_number_and_changes_nothing(psam_image: Path) -> None:
    before = psam_image.read_bytes()
    for words in ((), ("--json",)):
        assert 0 == sscard("info", "--card", psam_image, *words).exit_code
    assert before == psam_image.read_bytes()
    assert 1 == told(psam_image)["next_sequence"]
    sscard("apdu", "--card", psam_image, SELECT_PSAM.hex(), purchase().hex())
    assert 2 == told(psam_image)["next_sequence"]


@pytest.mark.parametrize("region", REGIONS)
def test_no_key_is_in_what_is_shown(tmp_path: Path, region: str) -> None:
    path = made(tmp_path / "p.img", region)
    said = "".join(
        sscard(*words).output
        for words in (
            ("info", "--card", path),
            ("info", "--json", "--card", path),
            ("issue", "--psam", region, "-o", tmp_path / "q.img"),
        )
    )
    said = said.replace(" ", "").lower()
    for slot in IN_PSAM:
        assert slot.psam is not None
        value = region_named(region).master(MemoryKeys(), slot.psam).reveal()
        assert value[:4].hex() not in said


@pytest.mark.parametrize(
    ("prefix", "answer", "trouble"),
    [
        ("00B09500", "6A82", "READ BINARY: 6A82"),
        ("00B09500", "00" * 13 + "9000", "13 bytes"),
        ("00B09600", "0A" * 6 + "9000", "TerminalNumber"),
        ("00B09900", "6982", "READ BINARY: 6982"),
        ("00B09C00", "9000", "0 bytes"),
        ("00A4040006", "6F108406D15600000590A5069F0C030201009000", "is for another algorithm"),
    ],
)
def test_a_psam_that_answers_otherwise_is_shown_with_its_trouble(
    psam_image: Path, monkeypatch: pytest.MonkeyPatch, prefix: str, answer: str, trouble: str
) -> None:
    truth = Chip.transmit
    start, other = bytes.fromhex(prefix), bytes.fromhex(answer)
    monkeypatch.setattr(
        Chip,
        "transmit",
        lambda chip, command: other if command.startswith(start) else truth(chip, command),
    )
    said = sscard("info", "--card", psam_image)
    assert 1 == said.exit_code
    assert trouble in said.stdout
    found = json.loads(sscard("info", "--json", "--card", psam_image).stdout)
    assert found["psam"] is None
    assert trouble in found["trouble"]


def test_the_level_is_not_told_without_the_key_that_shows_it(
    psam_image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = Chip.transmit
    monkeypatch.setattr(
        Chip,
        "transmit",
        lambda chip, command: b"\x6a\x88" if command[0] == 0xBF else truth(chip, command),
    )
    assert told(psam_image)["level"] is None
    assert "it has no IRK" in sscard("info", "--card", psam_image).stdout


def test_a_master_is_named_whatever_its_level() -> None:
    for slot in IN_PSAM:
        assert slot.psam is not None
        for region in REGIONS:
            stored = region_named(region).stored(slot.psam)
            assert slot.name == master_words(MasterRef(stored.usage, stored.id)).split()[-1]


def test_an_apdu_to_a_province_psam_is_understood(tmp_path: Path) -> None:
    path = made(tmp_path / "p.img", "430000")
    said = sscard("apdu", "--card", path, SELECT_PSAM.hex(), derive(0x67, 8).hex())
    assert "6A 88" == said.stdout.splitlines()[-1]
    said = sscard("apdu", "--card", path, SELECT_PSAM.hex(), derive(0x47, 8).hex())
    assert "90 00" == said.stdout.splitlines()[-1]
