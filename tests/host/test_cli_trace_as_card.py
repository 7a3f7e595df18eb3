# SPDX-License-Identifier: Apache-2.0
"""`sscard trace replay --as-card`: a recording answers a reader as its card did."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from commandline import SELECT, refusal, sscard
from fakereader import Reader

from apdu.recording import Exchanged
from apdu.vpcd import Signal
from host.channel.recorder import reading

READ = "00B2012C00"
VERIFY = "0020000003123456"


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """A card that was selected, read and asked for its PIN."""
    image, file = tmp_path / "card.img", tmp_path / "a.jsonl"
    examples = Path(__file__).parents[2] / "examples"
    assert 0 == sscard("issue", examples / "zhang-san.json", "-o", image, "--seed", 7).exit_code
    done = sscard("apdu", "--card", image, "--record", file, SELECT, READ, VERIFY)
    assert 0 == done.exit_code
    return file


def played(file: Path, reader: Reader, program: Callable[[Reader], None], *words: Any) -> Any:
    """The command, while a program talks to the card that it is."""

    def talk() -> None:
        reader.accept().signal(Signal.ON)
        program(reader)

    with ThreadPoolExecutor(1) as pool:
        talked = pool.submit(talk)
        port = reader.address[1]
        done = sscard("trace", "replay", file, "--as-card", "--port", port, *words)
        talked.result()
    return done


def then(file: Path) -> list[tuple[bytes, bytes]]:
    with reading(file) as recording:
        return [
            (each.exchange.command, each.exchange.answer)
            for each in recording
            if isinstance(each, Exchanged)
        ]


def test_who_does_what_was_done_gets_what_was_got(recorded: Path, reader: Reader) -> None:
    exchanges = then(recorded)
    heard: list[bytes] = []

    def program(reader: Reader) -> None:
        assert reader.atr()[:1] == b"\x3b"
        heard.extend(reader.transmit(command) for command, _ in exchanges)
        reader.signal(Signal.OFF)

    done = played(recorded, reader, program)
    assert (0, "") == (done.exit_code, done.stderr)
    assert "all was asked for, as it was then" in done.stdout
    assert [answer for _, answer in exchanges] == heard


@pytest.mark.parametrize("asked", ["18", "00", "05"])
def test_a_program_without_le_fetches_what_was_answered_at_once(
    recorded: Path, reader: Reader, asked: str
) -> None:
    """What was recorded of an image, over T=0: no Le stands behind data there."""
    (select, whole), (read, record), (verify, done) = then(recorded)

    def program(reader: Reader) -> None:
        assert bytes((0x61, len(whole) - 2)) == reader.transmit(select[:-1])
        fetched = reader.transmit(bytes.fromhex("00C00000" + asked))
        while fetched[-2] == 0x61:
            fetched = fetched[:-2] + reader.transmit(bytes((0, 0xC0, 0, 0, fetched[-1])))
        assert whole == fetched
        assert record == reader.transmit(read)
        assert done == reader.transmit(verify)
        reader.signal(Signal.OFF)

    assert 0 == played(recorded, reader, program).exit_code


def test_what_waits_is_lost_at_the_next_command(recorded: Path, reader: Reader) -> None:
    (select, _), (read, record), *_ = then(recorded)

    def program(reader: Reader) -> None:
        reader.transmit(select[:-1])
        assert record == reader.transmit(read)
        reader.say(bytes.fromhex("00C0000018"))
        assert reader.gone()

    assert 1 == played(recorded, reader, program).exit_code


def test_resets_come_when_the_reader_likes(recorded: Path, reader: Reader) -> None:
    def program(reader: Reader) -> None:
        for command, answer in then(recorded):
            reader.signal(Signal.RESET)
            assert answer == reader.transmit(command)
        reader.signal(Signal.OFF)

    assert 0 == played(recorded, reader, program).exit_code


def test_at_another_command_the_card_leaves_and_it_is_said(recorded: Path, reader: Reader) -> None:
    def program(reader: Reader) -> None:
        reader.transmit(bytes.fromhex(SELECT))
        reader.say(bytes.fromhex("00B2013400"))
        assert reader.gone()

    done = played(recorded, reader, program)
    assert 1 == done.exit_code
    assert "00 B2 01 34 00 was sent, but the recording goes on with 00 B2 01 2C 00" in done.stderr


def test_programs_get_it_as_an_object(recorded: Path, reader: Reader) -> None:
    def program(reader: Reader) -> None:
        reader.say(bytes.fromhex(READ))
        assert reader.gone()

    done = played(recorded, reader, program, "--json")
    said = json.loads(done.stdout)
    assert (1, False) == (done.exit_code, said["same"])
    assert said["strayed"].startswith("00 B2 01 2C 00 was sent")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--as-card", "--card", "x"], "neither a card nor --keep-going"),
        (["--as-card", "--keep-going"], "neither a card nor --keep-going"),
        (["--port", 35963], "--port is about --as-card"),
    ],
    ids=["a card", "keep going", "a port"],
)
def test_what_does_not_go_together_is_refused(recorded: Path, words: list[Any], why: str) -> None:
    assert why in refusal(sscard("trace", "replay", recorded, *words))
