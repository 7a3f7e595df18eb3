# SPDX-License-Identifier: Apache-2.0
"""No key and no PIN is in a recording, nor in anything that is made of one, unless it was asked
for; and where it was, nothing shows it.

Keys and PINs here are none that the program's text has, and the clock of the recordings is none.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
from commandline import sscard
from keybench import GENERATION_OF
from recordings import ticking
from secretscan import Watch, logged

from apdu.crypto.suite import BlockKey, Suite
from apdu.crypto.suites import SUITES
from apdu.recording import Exchanged, Recording
from apdu.secret import Secret
from card_os import image
from card_os.chip import Chip
from card_os.world import seeded
from host.card import Card
from host.channel.memory import MemoryChannel
from host.channel.recorder import Recorder, reading
from host.channel.replay import ReplayCard, Strayed
from host.cli.testcard import TEST_DAY, TEST_HOLDER, blank_chip, issue_test_psam
from host.clients.hrss import HrssClient
from host.faults import PinWrong
from host.keys import CardIdentity, MemoryKeys
from host.psam import PsamKeys
from host.terminal import authentication
from host.terminal.hrss import activate, log_in
from host.terminal.personalise import personalise

KEY_ROOT = bytes.fromhex("D3719C05E84A2F6BB0173E92C8651DFA")
PIN, CHOSEN, WRONG, RELOADED = "739158", "48026713", "951736", "6190385"
PINS = (PIN, CHOSEN, WRONG, RELOADED)


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[Watch]:
    """Listens to everybody while cards get keys and PINs of our own."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr("host.keys.TEST_ROOT", KEY_ROOT)
    for where in ("host.terminal.personalise", "host.terminal.hrss"):
        monkeypatch.setattr(f"{where}.INITIAL_PIN", PIN)
    found = Watch(monkeypatch, Secret, BlockKey)
    yield found
    found.hear(*logged(caplog))
    assert [] == found.leaks(*PINS)


def lived(suite: Suite, card: Path, psam: Path, *, with_secrets: bool) -> Chip:
    """A card's life so far, recorded: personalised, read, mistyped, its PIN chosen and reloaded."""
    keys = MemoryKeys(suite=suite)
    chip = blank_chip(seeded(7, TEST_DAY))
    recorders = [
        Recorder(path, with_secrets=with_secrets, clock=ticking()) for path in (card, psam)
    ]
    personalise(
        Card(recorders[0].around(MemoryChannel(chip))),
        TEST_HOLDER,
        keys,
        GENERATION_OF[suite.number],
    )
    client = HrssClient(Card(recorders[0].around(MemoryChannel(chip))))
    source = PsamKeys(Card(recorders[1].around(MemoryChannel(issue_test_psam(keys)))))
    identity = CardIdentity(TEST_HOLDER.region, client.card.channel.atr[-8:], suite)
    with pytest.raises(PinWrong):
        client.verify(WRONG)
    activate(client, PIN, CHOSEN)
    authentication.prove_card(client, source, identity, seeded(3, TEST_DAY).random)
    authentication.reload_pin(client, source, identity, RELOADED)
    log_in(client, RELOADED)
    for each in recorders:
        each.close()
    return chip


def told(watch: Watch, *words: object) -> int:
    """What a command says is heard, whatever becomes of it."""
    result = sscard(*words)
    watch.hear(result.stdout, result.stderr)
    if result.exception is not None:
        watch.hear(*traceback.format_exception(result.exception))
    return result.exit_code


def all_is_made_of(watch: Watch, recording: Path, card: Path, directory: Path) -> None:
    """Everything that can be made of a recording."""
    stem = recording.name.partition(".")[0]
    for words in (("show", recording), ("diff", recording, recording)):
        assert 0 == told(watch, "trace", *words)
        assert 0 == told(watch, "trace", *words, "--json")
    for verb in ("pcap", "convert"):
        out = directory / f"{stem}.{verb}"
        assert 0 == told(watch, "trace", verb, recording, "-o", out)
        watch.hear(out.read_bytes())
    for more in ((), ("--keep-going",), ("--keep-going", "--json")):
        told(watch, "trace", "replay", recording, "--card", card, *more)


@pytest.mark.parametrize("suite", SUITES.values(), ids=repr)
def test_a_recording_has_no_secret(watch: Watch, suite: Suite, tmp_path: Path) -> None:
    card, psam = tmp_path / "card.jsonl", tmp_path / "psam.jsonl"
    chip = lived(suite, card, psam, with_secrets=False)
    path = tmp_path / "card.img"
    image.save(path, chip._flash.cells)
    for recording in (card, psam):
        watch.hear(recording.read_bytes())
        assert "••" in recording.read_text(encoding="utf-8")
        all_is_made_of(watch, recording, path, tmp_path)


@pytest.mark.parametrize("suite", SUITES.values(), ids=repr)
def test_what_was_kept_is_shown_nowhere(watch: Watch, suite: Suite, tmp_path: Path) -> None:
    card, psam = tmp_path / "card.secrets.jsonl", tmp_path / "psam.secrets.jsonl"
    chip = lived(suite, card, psam, with_secrets=True)
    path = tmp_path / "card.img"
    image.save(path, chip._flash.cells)
    assert "••" not in card.read_text(encoding="utf-8")
    for recording in (card, psam):
        all_is_made_of(watch, recording, path, tmp_path)


def test_broken_lines_and_strayed_programs_do_not_repeat_what_was_kept(
    watch: Watch, tmp_path: Path
) -> None:
    suite = next(iter(SUITES.values()))
    card = tmp_path / "card.secrets.jsonl"
    lived(suite, card, tmp_path / "psam.secrets.jsonl", with_secrets=True)
    lines = card.read_bytes().splitlines(keepends=True)
    for line in lines[1:]:
        if b'"command"' not in line:
            continue
        for broken in (line.replace(b'"command":"', b'"command":"X'), line[:-5] + b"\n"):
            watch.refused(list, Recording.read((lines[0], broken), keep=True))
    with reading(card, keep=True) as recording:
        events = list(recording)
    replayed = ReplayCard(Recording(recording.header, events), resets_at_will=True)
    strange = bytes.fromhex("00B2011400")
    for event in events:
        if isinstance(event, Exchanged):
            assert isinstance(watch.refused(replayed.transmit, strange), Strayed)
            replayed.transmit(event.exchange.command)
    replayed.finish()
