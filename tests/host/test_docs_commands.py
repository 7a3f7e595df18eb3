# SPDX-License-Identifier: Apache-2.0
"""Every command line that the pages about readers show is one that `sscard` knows."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
from commandline import ROOT

from host.cli.main import cli

PAGES = sorted((ROOT / "docs").glob("readers*.md"))
_SPAN = re.compile(r"`(sscard [^`\n]+)`")
_LINE = re.compile(r"(?:^|[|$;&] )(sscard [^\n]+)", re.MULTILINE)
_BEYOND = re.compile(r"\s(?:#.*|&.*|;.*|>.*)$")


def shown(page: Path) -> list[str]:
    """The command lines of a page, without what a shell makes of their ends."""
    text = page.read_text(encoding="utf-8")
    outside, inside = [], []
    for at, part in enumerate(text.split("```")):
        (inside if at % 2 else outside).append(part)
    found = _SPAN.findall("".join(outside)) + _LINE.findall("\n".join(inside))
    return [_BEYOND.sub("", line.partition(" &")[0].partition("; ")[0]) for line in found]


def understood(line: str) -> None:
    """Raises where a verb or an option is not one of ours."""
    words = shlex.split(line, comments=True)[1:]
    verb: click.Command = cli
    while isinstance(verb, click.Group) and words:
        name = words.pop(0)
        found = verb.get_command(click.Context(verb), name)
        assert found is not None, f"no command {name}"
        verb = found
    known = {option for each in verb.params for option in each.opts + each.secondary_opts}
    for word in words:
        if word.startswith("-"):
            assert word.partition("=")[0] in known, f"{verb.name} has no option {word}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_line_that_is_shown_is_understood(page: Path) -> None:
    lines = shown(page)
    assert len(lines) > 20
    for line in lines:
        understood(line)


def test_the_pages_of_both_languages_show_the_same_options() -> None:
    english, chinese = (
        {word for line in shown(page) for word in line.split() if word.startswith("-")}
        for page in PAGES
    )
    assert chinese <= english
