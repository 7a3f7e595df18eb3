# SPDX-License-Identifier: Apache-2.0
"""What the README says is so."""

from __future__ import annotations

import doctest
import subprocess
import sys
from pathlib import Path

import pytest
from commandline import sscard

ROOT = Path(__file__).resolve().parent.parent


def test_the_examples_in_the_readme_run_as_shown() -> None:
    failed, tried = doctest.testfile(str(ROOT / "README.md"), module_relative=False)
    assert tried > 0
    assert 0 == failed


def test_the_tables_in_the_readme_are_what_the_code_says() -> None:
    done = subprocess.run(
        [sys.executable, "docs/tables.py", "--check"], cwd=ROOT, capture_output=True, text=True
    )
    assert "" == done.stdout + done.stderr
    assert 0 == done.returncode


def test_every_link_of_the_readme_leads_to_a_file() -> None:
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for part in page.read_text(encoding="utf-8").split("](")[1:]:
            target = part.partition(")")[0]
            if not target.startswith("http"):
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_payments_of_the_readme_go_as_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("sqlalchemy")
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = text.partition("```sh\nsscard issue")[2].partition("```")[0]
    monkeypatch.chdir(tmp_path)
    statuses = []
    for line in f"sscard issue{block}".strip().splitlines():
        for command in line.partition("#")[0].split("&&"):
            words = command.replace("examples/", f"{ROOT}/examples/").split()[1:]
            statuses.append(sscard(*words, stdin="246810\n246810\n").exit_code)
    assert [0] * (len(statuses) - 1) + [1] == statuses
    assert 16 == len(statuses)
