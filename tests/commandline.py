# SPDX-License-Identifier: Apache-2.0
"""Calling the command `sscard`, in this process or in one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from host.cli.main import cli

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.json"))
PLAIN = ROOT / "examples" / "zhang-san.json"
SELECT = "00A404000F7378312E73682EC9E7BBE1B1A3D5CF00"
WRONG = "0020000003000000"
ASK = "00200000"


def sscard(*words: object, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words], input=stdin, prog_name="sscard")


def in_a_process(*words: object, **settings: Any) -> subprocess.CompletedProcess[bytes]:
    environment = os.environ | settings.pop("env", {})
    return subprocess.run(
        [sys.executable, "-m", "host.cli.main", *map(str, words)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        **settings,
    )


def refusal(result: Result, status: int = 2) -> str:
    """The one sentence on standard error; nothing else was written."""
    assert status == result.exit_code, result.output
    assert "" == result.stdout
    (line,) = result.stderr.splitlines()
    assert line.startswith("sscard: ")
    return line.removeprefix("sscard: ")


def issued(directory: Path) -> Path:
    """A card image for a plain holder."""
    path = directory / "card.img"
    assert 0 == sscard("issue", PLAIN, "-o", path, "--seed", 7).exit_code
    return path
