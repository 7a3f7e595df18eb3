# SPDX-License-Identifier: Apache-2.0
"""Prints the tables of README.md from the code, between its `<!-- table: ... -->` marks.

python docs/tables.py            writes README.md and the pages in docs/ anew
python docs/tables.py --check    exit status 1 when that would change them
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VECTORS = ROOT / "vectors"
PAGES = (
    ROOT / "README.md",
    ROOT / "docs" / "README.zh.md",
    ROOT / "docs" / "keys.md",
    ROOT / "docs" / "files.md",
    ROOT / "docs" / "driver.md",
    ROOT / "docs" / "driver.zh.md",
    VECTORS / "README.md",
)
sys.path.insert(0, str(ROOT))

from apdu.atr import Atr  # noqa: E402
from apdu.wire.hrss.application import INITIAL_PIN, PIN_TRIES  # noqa: E402
from apdu.wire.hrss.generations import DIRECTORIES, FIRST, GENERATIONS, SECOND  # noqa: E402
from apdu.wire.hrss.spec import EfSpec, items  # noqa: E402
from apdu.wire.perso import FileKind  # noqa: E402
from apdu.wire.record import Record  # noqa: E402
from card_os.chip import ROM  # noqa: E402
from card_os.dispatch import Entry  # noqa: E402
from card_os.session import Stage  # noqa: E402
from host.cli.names import condition_words  # noqa: E402
from host.cli.testcard import TEST_HOLDER, issue_test_card  # noqa: E402
from host.driver import FUNCTIONS  # noqa: E402
from host.keys import MemoryKeys  # noqa: E402
from host.ldt33.codes import SENTENCES  # noqa: E402

SEED = 7


def table(heads: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A Markdown table."""
    heads = list(heads)
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join(lines)


def commands() -> str:
    """Every command: where it is, how it is coded, who may use it, when it exists."""
    offered: dict[tuple[str, ...], tuple[Entry, list[str]]] = {}
    unfinished = [each.personalisation for each in ROM if each.personalisation]
    for application in (*ROM, *unfinished):
        for entry in application.commands.entries.values():
            its_own = entry.life & Stage.PERSONALISATION and not entry.life & Stage.OPERATIONAL
            if application in unfinished and not its_own:
                continue
            key = (entry.form.name, entry.form.spec, _access(entry))
            same = offered.setdefault(key, (entry, []))
            same[1].append(application.label)
    rows = []
    for entry, where in sorted(offered.values(), key=lambda both: _order(both[0])):
        form = entry.form
        rows.append(
            (
                form.name,
                f"`{form.cla:02X} {form.ins:02X}`",
                " ".join(map(str, sorted(form.cases))),
                _access(entry),
                entry.messaging.value,
                _life(entry.life),
                " ".join(where),
                form.spec,
            )
        )
    heads = ("command", "CLA INS", "cases", "access", "secure messaging", "exists", "in", "source")
    return table(heads, rows)


def _order(entry: Entry) -> tuple[bool, str]:
    """What a card in use answers comes first."""
    return not entry.life & Stage.OPERATIONAL, entry.form.name


def _access(entry: Entry) -> str:
    if entry.access is None:
        return "free"
    return {
        "reading": "read rule of the file",
        "updating": "update rule of the file",
        "shown_puk": "key 06 (PUK)",
        "by_holder": "PIN",
        "blockable": "DF03 to DF07, not blocked for good",
        "by_user": "user PIN",
        "by_itself": "the PIN itself, by its messaging",
        "by_admin": "admin PIN, by its messaging",
        "by_master": "master key, by its messaging",
    }[entry.access.__name__]


def _life(life: int) -> str:
    stages = [stage for stage in Stage if life & stage]
    if stages == [Stage.INITIALISATION]:
        return "until the card is sealed"
    if Stage.OPERATIONAL not in stages:
        return "until the application is personalised"
    return "always" if Stage.BLOCKED in stages else "not when blocked"


def areas() -> str:
    """The directories of the HRSS application, and what is in them (generation 2.0)."""
    rows = []
    for directory in DIRECTORIES:
        inside = "; ".join(f"{file.sfi:02X} {file.chinese}" for file in directory.files)
        where = f"{directory.label} {directory.chinese}"
        rows.append((where, f"`{directory.name.hex().upper()}`", len(directory.keys), inside))
    return table(("directory", "name", "keys", "files (EF)"), rows)


def files() -> str:
    """The files of the HRSS application, in every generation that has them."""
    rows: dict[tuple[str, int], list[object]] = {}
    for generation in GENERATIONS.values():
        for directory in generation.directories:
            for file in directory.files:
                found = (
                    f"{directory.label} EF{file.sfi:02X}",
                    file.chinese,
                    file.english,
                    STRUCTURE[file.kind],
                    _what(file),
                    condition_words(file.read, directory),
                    condition_words(file.update, directory),
                )
                same = rows.setdefault((*found, directory.fid), [*found, []])
                same[-1].append(generation.name)
    ordered = sorted(rows.values(), key=lambda row: (row[0][:4] != "SSSE", row[0], row[-1]))
    heads = ("file", "名称", "content", "structure", "size", "read", "update", "generations")
    return table(heads, ((*row[:-1], " ".join(row[-1])) for row in ordered))


STRUCTURE = {
    FileKind.TRANSPARENT: "transparent",
    FileKind.LINEAR_VARIABLE: "variable records",
    FileKind.LINEAR_VARIABLE_TLV: "TLV records",
    FileKind.CYCLIC: "ring",
}


def _what(file: EfSpec) -> str:
    if file.kind is FileKind.CYCLIC and file.content is not None:
        return f"{file.records} records of {file.content.byte_length()} bytes"
    if file.kind is FileKind.LINEAR_VARIABLE_TLV and file.content is not None:
        return f"{sum(item.repeats for item in items(file.content))} items"
    if file.kind is FileKind.LINEAR_VARIABLE:
        return f"{file.records} records in {file.size} bytes"
    return f"{file.size} bytes"


def data() -> str:
    """The items of the files: those of generation 2.0, then what 1.0 has otherwise."""
    rows: list[tuple[object, ...]] = []
    seen = set()
    for generation in (SECOND, FIRST):
        for directory in generation.directories:
            for file in directory.files:
                if file.content is not None and (directory.fid, file.content) not in seen:
                    seen.add((directory.fid, file.content))
                    where = f"{directory.label} EF{file.sfi:02X}"
                    rows += _items(
                        where if generation is SECOND else f"{where} (1.0)", file.content
                    )
    heads = ("file", "record", "tag", "名称", "item", "bytes", "coding")
    return table(heads, rows)


def _items(where: str, content: type[Record], inside: str = "") -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    number = 1
    for item in items(content):
        last = number + item.repeats - 1
        numbers = f"{number}" if last == number else f"{number}–{last}"
        tag = "" if item.tag is None else f"`{inside}{item.tag:02X}`"
        coding = "B-TLV" if item.coding is None else item.coding.value
        name = item.name.replace("_", " ")
        in_record = "" if inside or item.tag is None else numbers
        rows.append((where, in_record, tag, item.chinese, name, item.size, coding))
        if item.layout is not None:
            rows += _items(where, item.layout, f"{item.tag:02X}.")
        number = last + 1
    return rows


def functions() -> str:
    """The functions of LD/T 33 and their parameters."""
    steps: dict[str, list[str]] = {}
    for name in FUNCTIONS:
        plain, found, step = name.partition("_HSM_")
        if found:
            steps.setdefault(plain, []).append(step)
    rows = [
        (f"`{name}`", ", ".join(parameters), " ".join(steps.get(name, ())))
        for name, parameters in FUNCTIONS.items()
        if "_HSM_" not in name
    ]
    return table(("function", "parameters", "`_HSM_` steps"), rows)


def codes() -> str:
    """What a function answers when it fails."""
    rows = [(f"`{code}`", *SENTENCES[code]) for code in sorted(SENTENCES, key=abs)]
    return table(("code", "meaning", "说明"), rows)


def testcard() -> str:
    """What is on `issue_test_card(seed=7)`."""
    chip = issue_test_card(seed=SEED)
    holder = TEST_HOLDER
    rows = [
        ("ATR", f"`{chip.reset().hex(' ').upper()}`"),
        ("社会保障号码 number", holder.number),
        ("姓名 name", holder.name),
        ("性别, 民族", f"{holder.sex.chinese}, {holder.ethnic_group.chinese}"),
        ("出生日期 birth date", holder.birth_date),
        ("region", holder.region),
        ("卡号 card number", holder.card_number),
        ("PIN", f"{INITIAL_PIN} (initial), {PIN_TRIES} tries"),
        ("snapshot", f"`{chip.snapshot().hex()}`"),
    ]
    return table(("", "test card, seed 7"), rows)


def keys() -> str:
    """The test keys of that card."""
    unique = Atr.parse(issue_test_card(seed=SEED).reset()).historical[-8:]
    source = MemoryKeys()
    rows = []
    for directory in DIRECTORIES:
        for spec in directory.keys:
            value = source.card_key(spec, TEST_HOLDER.region, unique).reveal()
            rows.append(
                (
                    directory.label,
                    spec.name,
                    f"`{spec.kid:02X}`",
                    spec.version,
                    spec.usage.name.lower().replace("_", " "),
                    f"`{spec.psam.usage:02X} {spec.psam.id:02X}`" if spec.psam else "",
                    f"`{spec.hsm:04X}`" if spec.hsm is not None else "",
                    f"`{value.hex().upper()}`",
                )
            )
    heads = ("DF", "key", "KID", "version", "usage", "PSAM usage, id", "HSM address")
    return table((*heads, "*test key*, seed 7"), rows)


def ours() -> str:
    """What only cases of our own hold: layouts and commands, then operations of the core."""
    kinds: dict[str, dict[str, set[str]]] = {
        "layout": defaultdict(set),
        "crypto": defaultdict(set),
    }
    for path in sorted(VECTORS.rglob("*/*.json")):
        book = json.loads(path.read_text(encoding="utf-8"))
        family = {"layout": "layout", "command": "layout", "crypto": "crypto"}.get(
            book.get("format", "")
        )
        for case in book.get("cases", ()) if family else ():
            if case["result"] == "valid":
                source = case.get("source", book["source"])
                kinds[family][case.get("name") or case["op"]].add(source["kind"])
    layouts, operations = (
        ", ".join(f"`{name}`" for name, found in sorted(each.items()) if found == {"ours"})
        for each in kinds.values()
    )
    return f"Layouts and commands: {layouts}.\n\nOperations of the core: {operations}."


TABLES: dict[str, Callable[[], str]] = {
    "commands": commands,
    "areas": areas,
    "functions": functions,
    "codes": codes,
    "files": files,
    "data": data,
    "testcard": testcard,
    "keys": keys,
    "ours": ours,
}


def renewed(text: str) -> str:
    """A page with its tables made anew."""
    for name, make in TABLES.items():
        mark, end = f"<!-- table: {name} -->", "<!-- end -->"
        before, found, rest = text.partition(mark)
        if found:
            text = f"{before}{mark}\n{make()}\n{end}{rest.partition(end)[2]}"
    return text


def main() -> int:
    stale = False
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        new = renewed(text)
        if new != text:
            stale = True
            if "--check" in sys.argv:
                print(f"{page.name}: a table is not what the code says")
            else:
                page.write_text(new, encoding="utf-8")
    return int(stale and "--check" in sys.argv)


if __name__ == "__main__":
    raise SystemExit(main())
