# SPDX-License-Identifier: Apache-2.0
"""Which faults strike when: a profile in TOML, read strictly.

    about = "Contacts that fail now and then."

    [[fault]]
    kind = "truncate"
    on = "READ RECORD"      # a command's name, its INS (B2), or class and INS (80CA); without: all
    probability = 0.1       # or every = 3, or at = [5, 9]: of the commands that it is on
    keep = 1                # what a kind wants to know besides; see `Kind`

`chaos.schema.json` beside this says the same rules for editors.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from apdu.wire.effects import base_class, codes_of
from host.settings import Settings, shipped_text, table_of, text_in

SHIPPED: Final = ("worn-contacts", "slow", "pulled", "liar", "everything")
_WHAT: Final = "chaos profile"
LONGEST_DELAY: Final = 600.0
"""Seconds."""
DEFAULT_SW: Final = 0x6F00
_MOST: Final = 1_000_000_000
_COUNTS: Final = range(1, _MOST + 1)
_LENGTHS: Final = range(0x10000)
_MAC: Final = 4
"""Bytes of a MAC on the cards of this house (JR/T 0025.5 annex C, LD/T 32)."""
_SIZES: Final = range(1, 17)
_HEX: Final = re.compile(r"(?:[0-9A-Fa-f]{2}){1,2}", re.ASCII)


class Kind(Enum):
    """What goes wrong."""

    DELAY = "delay"
    """The answer comes `seconds` later. The delays of one command add up."""
    MUTE = "mute"
    """The card hangs: it does nothing and says nothing until it is reset."""
    DROP_COMMAND = "drop-command"
    """The command never arrives, so no answer comes."""
    DROP_ANSWER = "drop-answer"
    """The command is carried out, its answer never arrives."""
    TRUNCATE = "truncate"
    """The answer breaks off after `keep` bytes; without `keep`, somewhere."""
    DOUBLE = "double"
    """The answer comes once more, in place of that of the next command, which is carried out."""
    REMOVE_BEFORE = "remove-before"
    """The card is pulled before it has done anything, and put back in at the next reset."""
    REMOVE_AFTER = "remove-after"
    """The card is pulled when it has done all but answer, and put back in at the next reset."""
    RESET = "reset"
    """Another program resets the card; the command is not carried out, nor any before a reset."""
    REFUSE = "refuse"
    """The command is not carried out; the answer is the status word `sw`."""
    STATUS = "status"
    """The command is carried out; the status word of its answer is `sw` instead."""
    MAC = "mac"
    """A bit is turned in the `last` bytes of the answer's data, where a MAC or a cryptogram
    stands. Answers with less data are left alone."""
    FLIP = "flip"
    """A bit is turned anywhere in the answer."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong, on which commands, and how often.

    One of `probability`, `every` and `at` is set. `seconds`, `keep`, `sw` and `last`: what the
    kind wants to know.
    """

    kind: Kind
    codes: frozenset[tuple[int | None, int]] | None = None
    """Base class (None: any) and INS of the commands; None: all commands."""
    probability: float = 0.0
    every: int = 0
    at: tuple[int, ...] = ()
    """Counted from 1, over the commands that it is on."""
    seconds: float = 0.0
    keep: int | None = None
    sw: int = DEFAULT_SW
    last: int = _MAC

    def meant(self, command: bytes) -> bool:
        """Whether it is on this command."""
        if self.codes is None:
            return True
        ins = command[1]
        return (None, ins) in self.codes or (base_class(command[0]), ins) in self.codes


@dataclass(frozen=True, slots=True)
class Profile:
    """Faults; where several strike one command, the first one does, and all delays."""

    faults: tuple[Fault, ...] = ()
    about: str = ""


def load_profile(name: str) -> Profile:
    """A profile by the name of a shipped one, or by the path of a file.

    Raises FormatError naming the setting and the rule, OSError when there is no such file.
    """
    if name in SHIPPED:
        return parse_profile(shipped_text("host.channel", "profiles", f"{name}.toml"))
    return parse_profile(text_in(Path(name), _WHAT))


def parse_profile(text: str) -> Profile:
    """The profile in this text. Raises FormatError naming the setting and the rule."""
    whole = Settings(table_of(text, _WHAT))
    about = whole.text("about", range(1, 201)) if whole.has("about") else ""
    found = Profile(tuple(map(_fault, whole.tables("fault"))), about)
    whole.end()
    return found


def _fault(table: Settings) -> Fault:
    kind = Kind(table.one_of("kind", [each.value for each in Kind]))
    given = [name for name in ("probability", "every", "at") if table.has(name)]
    if len(given) != 1:
        table.fail("probability", "there must be one of probability, every and at")
    found = Fault(
        kind,
        _codes(table),
        probability=table.fraction("probability", 0, 1) if table.has("probability") else 0.0,
        every=table.whole("every", _COUNTS) if table.has("every") else 0,
        at=table.whole_list("at", _COUNTS) if table.has("at") else (),
        seconds=table.fraction("seconds", 0, LONGEST_DELAY) if kind is Kind.DELAY else 0.0,
        keep=table.whole("keep", _LENGTHS) if kind is Kind.TRUNCATE and table.has("keep") else None,
        sw=_status(table) if kind in (Kind.REFUSE, Kind.STATUS) else DEFAULT_SW,
        last=table.whole("last", _SIZES) if kind is Kind.MAC and table.has("last") else _MAC,
    )
    table.end()
    return found


def _codes(table: Settings) -> frozenset[tuple[int | None, int]] | None:
    if not table.has("on"):
        return None
    name = table.text("on", range(1, 65))
    if _HEX.fullmatch(name):
        *cla, ins = bytes.fromhex(name)
        if not cla:
            return frozenset({(None, ins)})
        base = base_class(cla[0])
        if base is None:
            table.fail("on", "its class is none (ISO 7816-4 5.4.1)")
        return frozenset({(base, ins)})
    codes = codes_of(name)
    if not codes:
        table.fail("on", "must be the name of a command, its INS, or class and INS, in hexadecimal")
    return frozenset(codes)


def _status(table: Settings) -> int:
    if not table.has("sw"):
        return DEFAULT_SW
    found = int.from_bytes(table.octets("sw", {2}))
    if found >> 12 not in (6, 9) or found >> 8 == 0x60:
        table.fail("sw", "must be 61xx to 6Fxx or 9xxx (ISO 7816-4 5.6)")
    return found
