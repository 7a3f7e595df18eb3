# SPDX-License-Identifier: Apache-2.0
"""An image that holds a PSAM is opened as one."""

from __future__ import annotations

from pathlib import Path

import pytest
from commandline import sscard
from psambench import SELECT_PSAM, psam_flash, purchase

from card_os import image


@pytest.fixture
def psam_image(tmp_path: Path) -> Path:
    path = tmp_path / "psam.img"
    image.save(path, psam_flash().cells)
    return path


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


def test_info_says_of_a_psam_what_it_can(psam_image: Path) -> None:
    said = sscard("info", "--card", psam_image)
    assert 0 == said.exit_code
    assert "READ RECORD: 6A82" in said.stdout


def test_what_is_enciphered_is_hidden(psam_image: Path) -> None:
    said = sscard(
        "apdu", "--json", "--card", psam_image, SELECT_PSAM.hex(), "80FA000008" + "5A" * 8
    )
    assert "5A5A" not in said.stdout.replace(" ", "").upper()
