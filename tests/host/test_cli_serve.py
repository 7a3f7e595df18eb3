# SPDX-License-Identifier: Apache-2.0
"""`sscard serve`: cards of images in readers, and what it says of them."""

from __future__ import annotations

import signal
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from fakereader import Reader, two_readers
from servebench import (
    CHALLENGE,
    SELECT,
    TRIES,
    VERIFY,
    WRONG,
    at,
    serving,
)

from apdu.atr import Atr, Interface, Transmission
from card_os.chip import Chip
from card_os.image import ImageFlash
from card_os.world import World
from host.cli.testcard import TEST_DAY

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")


def chip_of(path: Path, *how: Any) -> bytes:
    """The ATR of the card in an image."""
    with ImageFlash(path) as flash:
        return Chip.boot(flash, World(bytes, lambda: TEST_DAY)).reset(*how)


def tries_left(path: Path) -> int:
    with ImageFlash(path) as flash:
        chip = Chip.boot(flash, World(bytes, lambda: TEST_DAY))
        chip.transmit(SELECT)
        return chip.transmit(TRIES)[1] & 0x0F


def closed_properly(path: Path) -> bool:
    return path.read_bytes()[64] == 0


# In the reader


def test_a_card_answers_in_the_reader_and_keeps_what_it_is_told(
    image: Path, reader: Reader
) -> None:
    atr, before = chip_of(image), tries_left(image)
    with serving(image, *at(reader)) as process:
        assert atr == reader.accept().atr()
        reader.transmit(SELECT)
        assert (0x63C0 | before - 1).to_bytes(2) == reader.transmit(WRONG)
        assert 0 == process.end()
    assert closed_properly(image)
    assert before - 1 == tries_left(image)


def test_what_was_answered_survives_being_killed(image: Path, reader: Reader) -> None:
    before = tries_left(image)
    with serving(image, *at(reader)) as process:
        reader.accept().transmit(SELECT)
        reader.transmit(WRONG)
        process.end(signal.SIGKILL)
    assert not closed_properly(image)
    with serving(image, *at(reader)) as process:
        reader.accept().transmit(SELECT)
        assert (0x63C0 | before - 1).to_bytes(2) == reader.transmit(TRIES)
        assert 0 == process.end()
    assert before - 1 == tries_left(image)


@pytest.mark.parametrize("name", [each.name for each in Transmission])
def test_the_protocol_in_the_atr_can_be_chosen(image: Path, reader: Reader, name: str) -> None:
    expected = chip_of(image, Interface.CONTACT, Transmission[name])
    with serving(image, *at(reader), "--atr-protocol", name):
        atr = reader.accept().atr()
        reader.signal(1)
        assert expected == atr == reader.atr()
    assert (Transmission[name].value,) == Atr.parse(atr).protocols


def test_a_card_can_be_held_to_a_contactless_reader(image: Path, reader: Reader) -> None:
    expected = chip_of(image, Interface.CONTACTLESS)
    with serving(image, *at(reader), "--contactless"):
        assert expected == reader.accept().atr()


def test_the_psam_stands_in_the_slot_behind_the_cards(image: Path, psam: Path) -> None:
    expected = [chip_of(image), chip_of(psam)]
    first, second = two_readers()
    with first, second, serving(image, "--psam", psam, *at(first)) as process:
        assert expected == [first.accept().atr(), second.accept().atr()]
        assert 0 == process.end()
    assert closed_properly(image) and closed_properly(psam)


def test_slots_do_not_wait_for_one_another(image: Path, psam: Path) -> None:
    first, second = two_readers()
    with first, second, serving(image, "--psam", psam, *at(first)):
        second.accept()
        assert 10 == len(second.transmit(CHALLENGE))


def test_a_late_reader_finds_the_card(image: Path) -> None:
    with Reader(there=False) as reader, serving(image, *at(reader)) as process:
        port = reader.address[1]
        line = process.wait("vpcd is not there yet")
        assert f"127.0.0.1:{port}" in line
        assert "apt-get install vsmartcard-vpcd pcscd" in line
        reader.come()
        assert reader.accept().atr()
        process.wait("connected to the reader")


# What it says


def test_it_says_what_happens_in_words(image: Path, reader: Reader) -> None:
    with serving(image, *at(reader)) as process:
        said = process.wait("Note: vpcd takes any card from anybody on 0.0.0.0:")
        assert str(reader.address[1]) in said
        process.wait("slot 1  card.img: for the reader at 127.0.0.1:")
        process.wait("slot 1  card.img: connected to the reader")
        reader.accept().signal(1, 2, 0)
        for words in ("power on", "reset", "power off"):
            assert f"slot 1  card.img: {words}" == process.wait(words)
        reader.drop()
        process.wait("slot 1  card.img: the reader went away")
        reader.accept()
        assert 0 == process.end()
    assert "slot 1  card.img: removed, its image is closed" == process.lines[-1]


def test_it_says_what_happens_as_objects(image: Path, reader: Reader) -> None:
    atr = chip_of(image)
    with serving(image, *at(reader), "--json") as process:
        inserted = process.event("inserted")
        reader.accept().signal(1)
        process.event("connected")
        assert {"event": "on", "slot": 1, "card": str(image)} == process.event("on")
        assert 0 == process.end()
    about = {"host": "127.0.0.1", "port": reader.address[1], "atr": atr.hex().upper()}
    assert {"event": "inserted", "slot": 1, "card": str(image)} | about == inserted
    assert '"event": "removed"' in process.lines[-1]


def test_commands_are_not_shown_unless_asked_for(image: Path, reader: Reader) -> None:
    with serving(image, *at(reader), "--json") as process:
        reader.accept().transmit(SELECT)
        reader.transmit(VERIFY)
        assert 0 == process.end()
    assert ["inserted", "connected", "on", "removed"] == [
        line.split('"')[3] for line in process.lines
    ]


def test_commands_are_shown_in_words_and_without_the_pin(image: Path, reader: Reader) -> None:
    with serving(image, *at(reader), "--verbose", "--explain") as process:
        reader.accept().transmit(SELECT)
        process.wait("SELECT, SSSE 社会保障环境")
        reader.transmit(VERIFY)
        process.wait("VERIFY, the PIN, hidden: 9000")
        reader.transmit(WRONG)
        process.wait("5 of 6 tries left")
        reader.transmit(bytes.fromhex("0102"))
        process.wait("01 02: 6700")
        assert 0 == process.end()
    assert not any("123456" in line or "999999" in line for line in process.lines)


def test_reasons_can_be_shown_alone(image: Path, reader: Reader) -> None:
    with serving(image, *at(reader), "--explain", "--json") as process:
        reader.accept().transmit(SELECT)
        reader.transmit(bytes.fromhex("00D6850001FF"))
        said = process.event("why")
        assert 0 == process.end()
    assert "6982" == said["sw"]
    assert "UPDATE BINARY of EF05 needs" in said["why"]
    assert not any('"command"' in line for line in process.lines)


def test_an_object_of_a_command_hides_the_pin(image: Path, reader: Reader) -> None:
    with serving(image, *at(reader), "--verbose", "--json") as process:
        reader.accept().transmit(SELECT)
        reader.transmit(VERIFY)
        process.event("command")
        said = process.event("command")
    assert ("VERIFY", "0020000003••••••", "9000") == (said["name"], said["command"], said["sw"])
    assert said["microseconds"] >= 0


def test_what_passes_can_be_recorded_slot_by_slot(image: Path, psam: Path, tmp_path: Path) -> None:
    record = tmp_path / "all.jsonl"
    first, second = two_readers()
    words = (image, "--psam", psam, *at(first), "--record", record)
    with first, second, serving(*words) as process:
        first.accept().transmit(SELECT)
        first.transmit(VERIFY)
        second.accept().transmit(CHALLENGE)
        assert 0 == process.end()
    text = record.read_text()
    assert SELECT.hex().upper() in text and "0020000003••••••" in text
    assert CHALLENGE.hex() in (tmp_path / "all.jsonl.2").read_text()
    assert 0o600 == stat.S_IMODE(record.stat().st_mode)


def test_faults_can_be_brought_about_and_a_pulled_card_comes_back(
    image: Path, reader: Reader, tmp_path: Path
) -> None:
    profile = tmp_path / "pulls.toml"
    profile.write_text('[[fault]]\nkind = "remove-before"\non = "VERIFY"\nat = [1]\n')
    before = tries_left(image)
    with serving(image, *at(reader), "--chaos", profile, "--chaos-seed", 1) as process:
        reader.accept().transmit(SELECT)
        reader.say(WRONG)
        assert reader.gone()
        process.wait("chaos: command 2, VERIFY: remove-before")
        process.wait("left the reader")
        reader.accept().transmit(SELECT)
        assert (0x63C0 | before).to_bytes(2) == reader.transmit(TRIES)
        assert 0 == process.end()


def test_a_mute_card_can_be_taken_out(image: Path, reader: Reader, tmp_path: Path) -> None:
    profile = tmp_path / "mute.toml"
    profile.write_text('[[fault]]\nkind = "mute"\nat = [1]\n')
    with serving(image, *at(reader), "--chaos", profile) as process:
        process.wait("--chaos-seed")
        reader.accept().say(SELECT)
        process.wait("chaos: command 1")
        assert 0 == process.end()
    assert closed_properly(image)
