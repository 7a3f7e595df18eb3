# SPDX-License-Identifier: Apache-2.0
"""`expect`, `let` and `set`: what a script holds the card to, and what it keeps of its answers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from host.cli.shell.expectations import Answer, Expectation, expectation, part_of
from host.cli.shell.lines import BadLine
from host.cli.shell.report import NOTHING, Report
from host.cli.shell.session import Session
from host.cli.text import packed

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
VALUE: Final = "value"


class Unexpected(Exception):
    """The card said something else than the script expected."""

    def __init__(self, wanted: str, came: str) -> None:
        super().__init__(f"expected {wanted}, and {came} came")
        self.wanted, self.came = wanted, came


def expected(words: Sequence[str]) -> Expectation | None:
    """What a line expects; None where it is about a value, or has names that are not known yet.
    Raises BadLine."""
    if words[0].lower() == VALUE:
        if len(words) != 3:
            raise BadLine("usage: expect value NAME VALUE")
        return None
    return None if any("$" in word for word in words) else expectation(words)


def expect(session: Session, words: tuple[str, ...]) -> Report:
    """Hold the last answer to a pattern. Raises Unexpected."""
    if words[0].lower() == VALUE:
        _value(session, *words[1:])
        return NOTHING
    pattern = expectation(words)
    wrong = pattern.wrong(_answer(session))
    if wrong is not None:
        raise Unexpected(*wrong)
    return NOTHING


def _value(session: Session, name: str, value: str) -> None:
    """Hold a decoded value to what it should be."""
    lower = name.lower()
    found = [
        item
        for item in session.items
        if lower in (item.english.lower(), item.tag.lower()) or name == item.chinese
    ]
    named = [item.value or "" for item in found]
    meant = [f"{item.value} {item.meaning}" for item in found if item.meaning]
    if value not in (*named, *meant):
        came = " and ".join(named) if named else "no such value"
        raise Unexpected(f"{name} {value or '(empty)'}", came or "(empty)")


def let(session: Session, words: tuple[str, ...]) -> Report:
    """Keep a part of the last answer."""
    name, which, start, stop = part_of(words)
    answer = _answer(session)
    if which == "sw":
        kept = f"{answer.sw:04X}"
    elif answer.data is None:
        raise BadLine("let: the answer is a secret")
    else:
        whole = answer.data
        if max(start or 0, stop or 0) > len(whole):
            raise BadLine(f"let: the answer has {len(whole)} bytes")
        kept = packed(whole[start:stop])
    session.settings.variables[name] = kept
    return Report((f"{name} = {kept}",), told={"name": name, "value": kept})


def assign(session: Session, words: tuple[str, ...]) -> Report:
    """Give a value a name, or show what has names."""
    variables = session.settings.variables
    if not words:
        said = tuple(f"{name} = {value}" for name, value in sorted(variables.items()))
        return Report(said or ("nothing has a name yet",), told={"names": dict(variables)})
    name = words[0]
    if not _NAME.fullmatch(name):
        raise BadLine("set: a name is letters, digits and _, no digit first")
    if len(words) == 2:
        variables[name] = words[1]
        return NOTHING
    if name not in variables:
        raise BadLine("set: nothing has this name")
    return Report((f"{name} = {variables[name]}",), told={"name": name, "value": variables[name]})


def _answer(session: Session) -> Answer:
    if session.answer is None:
        raise BadLine("nothing was sent yet")
    return session.answer
