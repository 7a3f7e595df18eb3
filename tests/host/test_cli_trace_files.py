# SPDX-License-Identifier: Apache-2.0
"""Files of `sscard trace` and of `--record` that cannot be used are named, with what to do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from commandline import refusal, sscard

GOOD = "> 0084000008\n< 00000000000000009000\n"


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.apdu"
    path.write_text(GOOD)
    return path


@pytest.mark.parametrize("verb", ["show", "replay", "pcap", "convert"])
def test_a_file_that_is_not_there_is_named(tmp_path: Path, verb: str) -> None:
    missing = tmp_path / "missing.jsonl"
    more = {"replay": ["--card", "card.img"], "show": []}.get(verb, ["-o", tmp_path / "out"])
    assert f"{missing}: No such file or directory" == refusal(sscard("trace", verb, missing, *more))


@pytest.mark.parametrize("what", ["missing", "empty", "a directory"])
@pytest.mark.parametrize("second", [False, True])
def test_of_two_files_the_one_that_is_no_recording_is_named(
    tmp_path: Path, good: Path, what: str, second: bool
) -> None:
    bad = tmp_path / "bad"
    if what == "empty":
        bad.touch()
    elif what == "a directory":
        bad.mkdir()
    words = [good, bad] if second else [bad, good]
    assert f"{bad}: " in refusal(sscard("trace", "diff", *words))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("verb", ["pcap", "convert"])
def test_a_full_disk_names_the_file_and_leaves_none(
    tmp_path: Path, good: Path, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"

    def full(path: Path) -> int:
        path.touch()
        return os.open("/dev/full", os.O_WRONLY)

    monkeypatch.setattr("host.channel.recorder.new_file", full)
    said = refusal(sscard("trace", verb, good, "-o", out), 1)
    assert f"--output {out}: No space left on device" == said
    assert not out.exists()


@pytest.mark.parametrize("verb", ["pcap", "convert"])
def test_a_file_that_exists_stays_and_a_new_one_is_asked_for(good: Path, verb: str) -> None:
    said = refusal(sscard("trace", verb, good, "-o", good))
    assert "File exists; name a new one" in said
    assert GOOD == good.read_text()


def test_a_profile_that_is_not_there_brings_up_those_that_are(tmp_path: Path) -> None:
    said = refusal(sscard("serve", tmp_path / "card.img", "--chaos", "nasty"))
    assert "--chaos nasty: No such file or directory; shipped are worn-contacts, slow" in said
