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
    VECTORS / "README.md",
)
sys.path.insert(0, str(ROOT))

from apdu.atr import Atr  # noqa: E402
from apdu.wire.hrss.application import INITIAL_PIN, PIN_TRIES  # noqa: E402
from apdu.wire.hrss.generations import DIRECTORIES  # noqa: E402
from apdu.wire.hrss.spec import items  # noqa: E402
from card_os.chip import ROM  # noqa: E402
from card_os.dispatch import Entry  # noqa: E402
from card_os.session import Stage  # noqa: E402
from host.cli.testcard import TEST_HOLDER, issue_test_card  # noqa: E402
from host.keys import MemoryKeys  # noqa: E402

SEED = 7


def table(heads: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A Markdown table."""
    heads = list(heads)
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join(lines)


def commands() -> str:
    """Every command: where it is, how it is coded, who may use it, when it exists."""
    found: dict[int, Entry] = {}
    offered: dict[int, list[str]] = {}
    for application in ROM:
        for ins, entry in application.commands.entries.items():
            found[ins] = entry
            offered.setdefault(ins, []).append(application.label)
    rows = []
    for ins, entry in sorted(found.items(), key=lambda pair: (pair[1].life, pair[1].form.name)):
        form = entry.form
        rows.append(
            (
                form.name,
                f"`{form.cla:02X} {ins:02X}`",
                " ".join(map(str, sorted(form.cases))),
                _access(entry),
                entry.messaging.value,
                _life(entry.life),
                " ".join(offered[ins]),
                form.spec,
            )
        )
    heads = ("command", "CLA INS", "cases", "access", "secure messaging", "exists", "in", "source")
    return table(heads, rows)


def _access(entry: Entry) -> str:
    if entry.access is None:
        return "free"
    return {
        "reading": "read rule of the file",
        "updating": "update rule of the file",
        "shown_puk": "key 06 (PUK)",
    }[entry.access.__name__]


def _life(life: int) -> str:
    stages = [stage for stage in Stage if life & stage]
    if stages == [Stage.INITIALISATION]:
        return "until the card is sealed"
    return "always" if Stage.BLOCKED in stages else "not when blocked"


def files() -> str:
    """The files of the HRSS application."""
    rows = []
    for directory in DIRECTORIES:
        if not directory.files:
            rows.append((f"{directory.label} {directory.chinese}", "", "", "", "", ""))
        for file in directory.files:
            where = f"{directory.label} EF{file.sfi:02X}"
            content = file.content
            what = f"{file.size} bytes" if content is None else f"{len(items(content))} items"
            rows.append((where, file.chinese, file.english, what, f"{file.read}", f"{file.update}"))
    return table(("file", "名称", "content", "size", "read", "update"), rows)


def data() -> str:
    """The items of the record files."""
    rows = []
    for directory in DIRECTORIES:
        for file in directory.files:
            if file.content is None:
                continue
            for number, item in enumerate(items(file.content), start=1):
                where = f"{directory.label} EF{file.sfi:02X}"
                name = item.name.replace("_", " ")
                rows.append(
                    (
                        where,
                        number,
                        f"`{item.tag:02X}`" if item.tag is not None else "",
                        item.chinese,
                        name,
                        item.size,
                    )
                )
    return table(("file", "record", "tag", "名称", "item", "bytes"), rows)


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
