# SPDX-License-Identifier: Apache-2.0
"""The house keeps to its plan: who imports whom, what files are called, and what loads what."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHIPPED = ("apdu", "card_os", "host")
NOT_OURS = {"__pycache__", "build", "dist", "venv"}


def files(*folders: str, suffix: str = "") -> list[Path]:
    """The files below these folders, those left out that tools make."""
    found = []
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*" + suffix)):
            parts = path.relative_to(ROOT).parts
            made = any(p in NOT_OURS or p.startswith(".") or p.endswith("-info") for p in parts)
            if path.is_file() and not made:
                found.append(path)
    return found


MODULES = files(*SHIPPED, suffix=".py")
PYTHON = files("", suffix=".py")


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def imports(path: Path) -> Iterator[str]:
    """What a module imports anywhere in it, functions included; types alone do not count."""
    stack: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            stack += node.orelse
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        stack += ast.iter_child_nodes(node)


def inside(name: str, *roots: str) -> bool:
    return any(name == root or name.startswith(root + ".") for root in roots)


def offences(where: tuple[str, ...], what: tuple[str, ...], but: tuple[str, ...] = ()) -> list[str]:
    """Imports of `what` in modules of `where`, those in `but` left out."""
    return [
        f"{name_of(path)} imports {imported}"
        for path in MODULES
        if inside(name_of(path), *where) and not inside(name_of(path), *but)
        for imported in imports(path)
        if inside(imported, *what)
    ]


# Who imports whom

WITH_SOCKETS = (
    "card_os.plug",
    "host.network",
    "host.channel.vpcd",
    "host.cli.virtual",
    "host.doctor",
)
THE_WORLD = ("time", "random", "os", "socket", "secrets", "tempfile", "mmap")


@pytest.mark.parametrize(
    ("where", "what", "but"),
    [
        (("apdu",), ("card_os", "host"), ()),
        (("card_os",), ("host",), ()),
        (("host",), ("card_os",), ("host.cli",)),
        (SHIPPED, ("construct",), ("apdu.wire",)),
        (SHIPPED, ("cryptography",), ("apdu.crypto",)),
        (SHIPPED, ("smartcard",), ("host.channel.pcsc",)),
        (SHIPPED, ("aiohttp",), ("host.service.web", "host.service.conversation")),
        (SHIPPED, ("asyncio",), ("host.service",)),
        (SHIPPED, ("sqlalchemy",), ("host.issuer",)),
        (SHIPPED, ("iso8583",), ("host.network.iso8583",)),
        (SHIPPED, ("socket",), WITH_SOCKETS),
        (("apdu", "card_os"), THE_WORLD, ("card_os.image", "card_os.plug")),
    ],
    ids=lambda found: "-".join(found) or "nobody",
)
def test_packages_keep_to_their_neighbours(
    where: tuple[str, ...], what: tuple[str, ...], but: tuple[str, ...]
) -> None:
    assert [] == offences(where, what, but)


def test_the_clock_is_not_asked() -> None:
    asked = re.compile(r"\b(datetime|date)\.(now|utcnow|today)\b")
    agreed = files("apdu", "card_os", suffix=".py")
    assert [] == [path for path in agreed if asked.search(path.read_text(encoding="utf-8"))]


FLOORS = {
    "card_os": (
        ("plug", "image", "chip"),
        ("apps",),
        ("commands",),
        ("gates",),
        ("dispatch",),
        ("session", "refusal"),
        ("files", "secrets"),
        ("nvm", "access", "world", "naming"),
    ),
    "host": (
        ("cli",),
        ("service",),
        ("driver",),
        ("ldt33",),
        ("issuer",),
        ("terminal",),
        ("network",),
        ("clients",),
        ("card", "doctor"),
        ("channel",),
    ),
}
"""From the roof down. Rooms of one floor do not lean on each other, but for files and secrets:
a directory knows its PINs and keys, and their headers are laid out with those of the files."""


@pytest.mark.parametrize("package", FLOORS)
def test_imports_go_downwards(package: str) -> None:
    floor = {room: at for at, rooms in enumerate(FLOORS[package]) for room in rooms}
    upwards = []
    for path in MODULES:
        name = name_of(path)
        for imported in imports(path):
            mine, theirs = (f"{each}..".split(".")[:2] for each in (name, imported))
            if mine[0] != package or theirs[0] != package or mine[1] == theirs[1]:
                continue
            here, there = floor.get(mine[1]), floor.get(theirs[1])
            if here is None or there is None or {mine[1], theirs[1]} == {"files", "secrets"}:
                continue
            if there <= here:
                upwards.append(f"{name} imports {imported}")
    assert [] == upwards


def test_every_room_of_the_chip_has_its_floor() -> None:
    rooms = {path.relative_to(ROOT).parts[1].removesuffix(".py") for path in files("card_os")}
    known = {room for rooms in FLOORS["card_os"] for room in rooms}
    assert set() == rooms - known - {"__init__", "py.typed"}


@pytest.mark.parametrize("family", ["card_os.apps", "host.clients"])
def test_siblings_do_not_import_one_another(family: str) -> None:
    """A sibling is a file, or a package: within one, files may lean on each other."""
    depth = family.count(".") + 2

    def sibling(name: str) -> list[str]:
        return name.split(".")[:depth]

    across = [
        f"{name_of(path)} imports {imported}"
        for path in MODULES
        if inside(name_of(path), family)
        for imported in imports(path)
        if inside(imported, family) and sibling(imported) != sibling(name_of(path))
    ]
    assert [] == across


# Files


def test_no_file_has_a_name_without_meaning() -> None:
    forbidden = re.compile(r"(utils?|helpers?|commons?|misc|managers?|base_.*|.*_impl)(\.\w+)?")
    names = [path for path in files("") if forbidden.fullmatch(path.name.lower())]
    folders = [path for path in files("") if forbidden.fullmatch(path.parent.name.lower())]
    assert [] == names + folders


def test_no_python_file_has_more_than_400_lines() -> None:
    sizes = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in PYTHON}
    assert {} == {name: size for name, size in sizes.items() if size > 400}


def test_every_python_file_begins_with_its_licence() -> None:
    line = "# SPDX-License-Identifier: Apache-2.0\n"
    assert [] == [
        name_of(path) for path in PYTHON if not path.read_text(encoding="utf-8").startswith(line)
    ]


def test_no_two_tests_have_the_same_name() -> None:
    names = [path.name for path in files("tests", suffix=".py") if path.name != "conftest.py"]
    assert sorted(set(names)) == sorted(names)


def test_no_text_names_a_place_on_one_machine() -> None:
    # The words are taken apart here, or this file would be the first to be found.
    place = re.compile(r"(?<![\w.}])/(wor" r"k|roo" r"t|tm" r"p)/|(\.\./|\b)shar" r"ed/")
    found = []
    for path in files(""):
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}: {hit[0]}" for hit in place.finditer(text)]
    assert [] == found


# What loads what


@pytest.mark.parametrize(
    "module",
    ["apdu", "apdu.flow", "apdu.wire.hrss.generations", "card_os", "card_os.chip", "host.card"],
)
def test_an_import_loads_no_library_that_it_may_not_need(module: str) -> None:
    heavy = "construct", "cryptography", "smartcard", "rich", "click"
    program = f"import sys, {module}; print([name for name in {heavy} if name in sys.modules])"
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "[]\n" == ran.stdout
