# SPDX-License-Identifier: Apache-2.0
"""Why the chip said no, for whoever runs it: a terminal never hears of it.

A reason is noted as a sentence with facts, and made into words only when somebody asks. It names
rules, files, keys, PINs and counters, and never what is in them: no PIN, no key, no cryptogram,
no data of a command.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, NamedTuple

from apdu.errors import Fact, StatusError
from apdu.wire.perso import Algorithm, Life
from card_os.access import Rule, SecurityStatus, proven_key
from card_os.files.tree import Directory
from card_os.naming import file_name, key_name, pin_name, place_name, usage_name

OK: Final = 0x9000


class Gate(IntEnum):
    """Where a command was stopped: the gates of `card_os.gates`, in their order."""

    LENGTHS = 1
    INSTRUCTION = 2
    CLASS = 3
    LIFE = 4
    CHAIN = 5
    MESSAGING = 6
    CASE = 7
    PARAMETERS = 8
    DATA = 9
    ACCESS = 10
    COMMAND = 11
    """The handler, behind all the others."""
    MEMORY = 12
    """A cell that could not be written, wherever that was."""

    def __str__(self) -> str:
        return _GATES[self]


_GATES: Final = {
    Gate.LENGTHS: "lengths",
    Gate.INSTRUCTION: "instruction",
    Gate.CLASS: "class",
    Gate.LIFE: "stage of life",
    Gate.CHAIN: "chain",
    Gate.MESSAGING: "secure messaging",
    Gate.CASE: "case and length",
    Gate.PARAMETERS: "P1-P2",
    Gate.DATA: "data",
    Gate.ACCESS: "access condition",
    Gate.COMMAND: "command",
    Gate.MEMORY: "memory",
}


Told = Fact | tuple[str, ...] | tuple[tuple[str, ...], ...]
"""A fact as it is handed out: proofs are called PIN 00 or KEY 0A."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a command was answered with this status word."""

    sw: int
    gate: Gate
    reason: str
    """A sentence."""
    about: Mapping[str, Told] = field(default_factory=dict)
    """What it is about, by name: `key` (KID), `pin`, `file` (FID), counters and lengths; `needs`:
    proofs of which one row would do; `proven`. Amounts are in fen."""
    spec: str = ""
    """Document and clause, where one is known."""

    def __str__(self) -> str:
        return f"{self.reason} ({self.spec})" if self.spec else self.reason


@dataclass(frozen=True, slots=True)
class Remark:
    """What a good answer does not say of itself, such as why a payment was declined."""

    reason: str
    about: Mapping[str, Told] = field(default_factory=dict)
    spec: str = ""

    def __str__(self) -> str:
        return f"{self.reason} ({self.spec})" if self.spec else self.reason


class Noted(NamedTuple):
    """A reason as it is kept until the next command: nothing is made of it yet."""

    sw: int
    why: str
    about: Mapping[str, Fact]
    spec: str
    command: str
    """Its name; empty when there is no such command."""
    directory: Directory
    """The current one, in whose words keys are named."""

    @classmethod
    def of(cls, refused: StatusError, command: str, spec: str, directory: Directory) -> Noted:
        """Without the error itself, which holds on to the frames it came through."""
        return cls(refused.sw, refused.why, refused.about, spec, command, directory)

    def refusal(self) -> Refusal | None:
        """The reason in words; None for an answer that was no refusal."""
        if self.sw == OK:
            return None
        gate = self.about.get("gate")
        about = {name: _told(fact) for name, fact in self.about.items() if name != "gate"}
        found = Gate(gate) if isinstance(gate, int) else Gate.COMMAND
        # The clause of a command lays down what it is; the gates before that are the chip's own.
        spec = self.spec if found > Gate.MESSAGING else ""
        return Refusal(self.sw, found, self._sentence(), about, spec)

    def remark(self) -> Remark | None:
        """What was noted of a good answer."""
        about = {name: _told(fact) for name, fact in self.about.items()}
        return Remark(self._sentence(), about, self.spec) if self.sw == OK else None

    def _sentence(self) -> str:
        words: dict[str, object] = dict(self.about)
        usage = self.about.get("usage")
        kind = usage if isinstance(usage, int) else None
        for name, fact in self.about.items():
            match name, fact:
                case "key", int():
                    words[name] = key_name(self.directory, fact, kind)
                case "pin", int():
                    words[name] = pin_name(fact)
                case "file", int():
                    words[name] = file_name(fact)
                case "usage", int():
                    words[name] = usage_name(fact)
                case "algorithm", int():
                    words[name] = Algorithm(fact).name
                case "cvr", int():
                    words[name] = _cvr_in_words(fact)
                case "life", int():
                    words[name] = Life(fact).name.lower()
                case "needs", tuple():
                    words[name] = _rule_in_words(self.directory, fact)
                case "proven", frozenset():
                    words[name] = _proofs_in_words(self.directory, fact, " and ") or "nothing"
        words |= {"command": self.command or "a command", "place": place_name(self.directory)}
        return self.why.format_map(words)


def _told(fact: Fact) -> Told:
    match fact:
        case frozenset():
            return tuple(_proof_name(proof) for proof in sorted(fact))
        case tuple():
            return tuple(tuple(_proof_name(proof) for proof in sorted(way)) for way in fact)
    return fact


def _proof_name(proof: int) -> str:
    kid = proven_key(proof)
    return f"PIN {proof:02X}" if kid is None else f"KEY {kid:02X}"


def _cvr_in_words(bits: int) -> str:
    from apdu.wire.pboc.flags import Cvr
    from apdu.wire.pboc.meanings import spelled_out

    told = ", ".join(meaning.english for _, meaning in spelled_out(Cvr, bits))
    return told or "no bit of the CVR says why"


def _rule_in_words(directory: Directory, rule: Rule) -> str:
    ways = [_proofs_in_words(directory, way, " and ") or "nothing" for way in rule]
    return " or ".join(ways) or "what nobody can prove"


def _proofs_in_words(directory: Directory, proofs: SecurityStatus, between: str) -> str:
    found = []
    for proof in sorted(proofs):
        kid = proven_key(proof)
        found.append(pin_name(proof) if kid is None else key_name(directory, kid))
    return between.join(found)
