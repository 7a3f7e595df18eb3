# SPDX-License-Identifier: Apache-2.0
"""The table of files, keys and rules (读写权限) in vectors/cards/hrss_access.json, as values.

Nothing here comes from the code that issues cards: what the two agree on is what tests find.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import chain, combinations
from typing import Any

from books import book

BOOK = "cards/hrss_access.json"
GENERATIONS = ("1.0", "2.0", "3.0")
LABELS = ("SSSE", "DF01", "DF02", "DF03", "DF04", "DF05", "DF06", "DF07")
PLACES = [(generation, label) for generation in GENERATIONS for label in LABELS]
Proofs = frozenset[str]
"""Names of keys, and PIN."""
Rule = frozenset[Proofs]
"""Sets of proofs of which one must be wholly there: none, never; an empty one, free."""
PROVABLE = ("RK", "UK", "PUK", "DSK")
"""How the names of keys begin by which a terminal proves itself."""


@dataclass(frozen=True)
class TableItem:
    """An item of a TLV file, or a field of a cyclic one (then without a tag)."""

    tag: int
    coding: str
    """an, cn, b, dec; B-TLV for a group."""
    size: int
    times: int = 1
    inner: tuple[TableItem, ...] = ()

    def blank(self) -> bytes:
        """The value of which nothing was written."""
        if self.inner:
            return b"".join(each.record(each.blank()) for each in self.inner)
        return (b"\xff" if self.coding == "cn" else b"\x00") * self.size

    def record(self, value: bytes) -> bytes:
        return bytes((self.tag, self.size)) + value


@dataclass(frozen=True)
class TableFile:
    """An EF of one generation."""

    label: str
    ef: str
    structure: str
    read: Rule
    update: Rule
    items: tuple[TableItem, ...] = ()
    size: int = 0
    """Bytes: of a record of a cyclic file, of all of another one."""
    records: int = 0
    issued: str | dict[str, str] = field(default_factory=dict, hash=False)

    @property
    def sfi(self) -> int:
        return int(self.ef[2:], 16)

    @property
    def involved(self) -> Proofs:
        """All that its rules name."""
        return frozenset(chain.from_iterable((*self.read, *self.update)))

    def contents(self) -> list[bytes]:
        """The records of a file in which nobody has filled anything in, or its bytes as one."""
        if self.structure == "transparent":
            return [bytes.fromhex(str(self.issued or "00" * self.size))]
        if self.structure != "tlv":
            return []
        assert isinstance(self.issued, dict)
        return [
            each.record(bytes.fromhex(self.issued.get(f"{each.tag:02X}", each.blank().hex())))
            for each in self.items
            for _ in range(each.times)
        ]


@dataclass(frozen=True)
class TableKey:
    label: str
    name: str
    kid: int
    psam: str | None

    @property
    def provable(self) -> bool:
        return self.name.startswith(PROVABLE)


def _cases(generation: str, label: str, what: str) -> Iterator[dict[str, Any]]:
    for case in book(BOOK)["cases"]:
        if case["df"] == label and generation in case["generations"]:
            yield from case.get(what, ())


def _rule(found: Any) -> Rule:
    match found:
        case "free":
            return frozenset({frozenset()})
        case "never":
            return frozenset()
        case {"all": names}:
            return frozenset({frozenset(names)})
        case {"any": names}:
            return frozenset(frozenset({name}) for name in names)
        case str():
            return frozenset({frozenset({found})})
    raise TypeError(f"not a rule: {found}")


def _item(found: Any) -> TableItem:
    if isinstance(found, dict):
        inner = tuple(map(_item, found["inner"]))
        return TableItem(int(found["tag"], 16), "B-TLV", found["length"], found["times"], inner)
    *tag, coding, size = found.split()
    return TableItem(int(tag[0], 16) if tag else 0, coding, int(size))


@cache
def files(generation: str, label: str) -> tuple[TableFile, ...]:
    """The files of a directory."""
    return tuple(
        TableFile(
            label,
            each["ef"],
            each["structure"],
            _rule(each["read"]),
            _rule(each["update"]),
            tuple(map(_item, each.get("items", each.get("fields", ())))),
            each.get("size", 0),
            each.get("records", 0),
            each.get("issued", {}),
        )
        for each in _cases(generation, label, "files")
    )


@cache
def keys(generation: str, label: str) -> tuple[TableKey, ...]:
    """The keys of a directory."""
    return tuple(
        TableKey(label, each["name"], int(each["kid"], 16), each.get("psam"))
        for each in _cases(generation, label, "keys")
    )


def provable(generation: str, label: str) -> Proofs:
    """All keys that can be proven while a directory is current: its own and the application's."""
    here = keys(generation, label) + (keys(generation, "SSSE") if label != "SSSE" else ())
    return frozenset(key.name for key in here if key.provable)


def is_open(rule: Rule, proven: Iterable[str]) -> bool:
    return any(way <= frozenset(proven) for way in rule)


def subsets(names: Proofs) -> list[Proofs]:
    """All of them, from the empty one to the whole."""
    each = sorted(names)
    ways = chain.from_iterable(combinations(each, n) for n in range(len(each) + 1))
    return [frozenset(way) for way in ways]


# What is to be tried


@dataclass(frozen=True)
class Situation:
    """What is proven when a file of a directory is tried."""

    proven: Proofs
    elsewhere: tuple[str, str] | None = None
    """A key that was proven before in another DF (its label, the key's name)."""


def namesakes(generation: str, label: str, name: str) -> list[tuple[str, str]]:
    """The keys of other DFs that can be proven and have the KID of this one."""
    (kid,) = (key.kid for key in keys(generation, label) if key.name == name)
    others = chain.from_iterable(keys(generation, other) for other in LABELS if other != label)
    return [(key.label, key.name) for key in others if key.provable and key.kid == kid]


def situations_of(generation: str, file: TableFile) -> set[Situation]:
    """Every combination of what a file's rules name: by itself, with the PIN where they do not
    name it, with all other keys at hand, and with keys of other DFs that have the same numbers."""
    label, involved = file.label, file.involved
    crowd = provable(generation, label) - involved
    local = {key.name for key in keys(generation, label) if key.kid & 0x80}
    found = set()
    for proven in subsets(involved):
        found |= {Situation(proven), Situation(proven | {"PIN"}), Situation(proven | crowd)}
        for name in sorted(involved & local - proven):
            others = namesakes(generation, label, name)
            found |= {Situation(proven, other) for other in others}
    return found


@cache
def situations(generation: str, label: str) -> tuple[Situation, ...]:
    """Those of all files of a directory, each once; every file is tried in all of them."""
    found = set().union(*(situations_of(generation, file) for file in files(generation, label)))
    return tuple(sorted(found, key=lambda each: (sorted(each.proven), each.elsewhere or ())))
