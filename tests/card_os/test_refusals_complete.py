# SPDX-License-Identifier: Apache-2.0
"""No status word is raised without its reason, and every reason can be put into words."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

ROOT = Path(__file__).parents[2]
RAISING = (
    *sorted(ROOT.glob("card_os/**/*.py")),
    *(ROOT / "apdu" / name for name in ("flow.py", "messaging.py", "secure_channel.py")),
)
GIVEN = {"command", "place", "cvr"}
"""What `card_os.refusal` knows by itself, or makes of a fact."""


def trees() -> Iterator[tuple[str, ast.Module]]:
    for path in RAISING:
        yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def errors(tree: ast.Module) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("StatusError", "cls"):
            if ast.unparse(node.func) == "StatusError":
                yield node


def test_every_status_word_is_raised_with_its_reason() -> None:
    bare = [
        f"{name}:{call.lineno}"
        for name, tree in trees()
        for call in errors(tree)
        if len(call.args) < 2 and not any(isinstance(each, ast.Starred) for each in call.args)
    ]
    assert [] == bare


def test_there_are_more_than_a_hundred_reasons() -> None:
    assert sum(1 for _, tree in trees() for _ in errors(tree)) > 100


def named_in(text: str) -> set[str]:
    try:
        return {name for _, name, _, _ in Formatter().parse(text) if name}
    except ValueError:
        return set()


def plain_texts(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """String constants that are neither a docstring nor part of an f-string."""
    inside = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part in ast.walk(node)
    }
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if id(node) not in inside | said:
                yield node.lineno, node.value


def facts(tree: ast.Module) -> set[str]:
    """Names under which a module hands facts on."""
    found = set(GIVEN)
    for node in ast.walk(tree):
        match node:
            case ast.keyword(arg=str(name)):
                found.add(name)
            case ast.Dict(keys=keys):
                found |= {key.value for key in keys if isinstance(key, ast.Constant)}
            case ast.ClassDef(body=body):
                for each in body:
                    if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
                        found.add(each.target.id)
    return found


@pytest.mark.parametrize("name", [name for name, _ in trees()])
def test_what_a_reason_names_is_among_the_facts_of_its_module(name: str) -> None:
    tree = ast.parse((ROOT / name).read_text(encoding="utf-8"))
    known = facts(tree)
    missing = [
        f"{line}: {text!r}" for line, text in plain_texts(tree) if not named_in(text) <= known
    ]
    assert [] == missing
