# SPDX-License-Identifier: Apache-2.0
"""The README's way from nothing to a card that other programs see, as a new user goes it."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from threading import Thread

import pytest
from commandline import ROOT
from hermetic import PACKAGES, Pcscd, until
from programs import needs

pytestmark = [pytest.mark.outside, needs("pcsc_scan")]
SSCARD = (sys.executable, "-m", "host.cli.main")


def commands() -> list[list[str]]:
    """Of the block in the README in which a card is served, without their remarks."""
    parts = (ROOT / "README.md").read_text(encoding="utf-8").split("```sh\n")[1:]
    blocks = [part.partition("```")[0] for part in parts]
    found = [block for block in blocks if "sscard serve" in block]
    assert found, "the README does not say how a card gets into a virtual reader"
    return [shlex.split(line, comments=True) for line in found[0].splitlines() if line.strip()]


def test_the_card_is_seen_by_who_follows_the_readme(pcscd: Pcscd, tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    python = os.environ | {"PYTHONPATH": str(ROOT)}
    heard: list[str] = []
    installed: set[str] = set()
    with ExitStack() as stack:

        def start(words: list[str]) -> subprocess.Popen[str]:
            own = [*SSCARD, *words[1:]] if words[0] == "sscard" else words
            process: subprocess.Popen[str] = pcscd.inside(
                *own, cwd=tmp_path, env=python, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                text=True, errors="backslashreplace",
            )  # fmt: skip
            stack.callback(process.wait, 10)
            stack.callback(process.terminate)
            return process

        for words in commands():
            match [each for each in words if each not in ("sudo", "&")]:
                case ["apt-get", "install", *packages]:
                    installed.update(packages)
                case [".", ".venv/bin/activate"]:
                    pass  # ours is on its way already
                case ["systemctl", *_]:
                    pass  # the service is ours here
                case ["sscard", "serve", *_] as served:
                    start(served)
                case ["sscard", *_] as done:
                    process = start(done)
                    out, _ = process.communicate(timeout=30)
                    assert process.returncode == 0, out
                case ["pcsc_scan", *_] as looking:
                    scan = start(looking)
                    Thread(target=heard.extend, args=(scan.stdout,), daemon=True).start()
                    until("the card is seen", lambda: " ATR: 3B" in "".join(heard))
                case other:
                    pytest.fail(f"what to make of {other}?")
    assert heard, "the README lets nobody look for the card"
    assert {"vsmartcard-vpcd", PACKAGES["pcscd"], PACKAGES["pcsc_scan"]} <= installed
    until("the reader is empty", lambda: not pcscd.atr())
