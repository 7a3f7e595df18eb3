# SPDX-License-Identifier: Apache-2.0
"""The line by which a key centre learns which card it is about, and both sides prove themselves.

    region|ATR historical bytes|algorithm|card identification code|R1|R2|R3|R4|terminal|device|
                                                                -> RESULT1|RESULT2|

R1 and R2 are factor and data of INTERNAL AUTHENTICATE with IRK. R3 and R4 are those of EXTERNAL
AUTHENTICATE with RKSSSE: R3, the factor, is the card's last challenge, R4 the one before; both
are empty where no proof is wanted, as on cards of 3DES. RESULT1 is what the card has to answer
and R2, RESULT2 the cryptogram for the card and R4, 32 hex digits each (profile choice
`hsm-results`: of the internal authentication no source says more than the length). RESULT2 is
empty without R3 and R4. The algorithm is 01 (3DES) or 03 (SM4).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hmac import compare_digest
from typing import Final, NamedTuple

from apdu.crypto.suite import Suite
from apdu.crypto.suites import SUITES
from apdu.errors import FormatError
from apdu.wire.hrss.commands import CRYPTOGRAM
from apdu.wire.hrss.keys import key_named
from apdu.wire.perso import Algorithm
from apdu.wire.psam import CODE_OF
from host.faults import CentreMisspoke
from host.keys import UNIQUE, Authentication, CardIdentity

FIELDS: Final = 10
"""By which the line is told from others."""
IRK: Final = key_named("IRK")
RKSSSE: Final = key_named("RKSSSE")
_HISTORICAL: Final = 13
_IDENTIFICATION: Final = 16
_SUITE_OF: Final = {f"{code:02}": SUITES[algorithm] for algorithm, code in CODE_OF.items()}


def algorithm_code(suite: Suite) -> str:
    """How lines name an algorithm."""
    return f"{CODE_OF[Algorithm(suite.number)]:02}"


class Results(NamedTuple):
    """What the card must have answered, and what proves the terminal to it; 8 bytes each."""

    internal: bytes
    external: bytes | None = None


@dataclass(frozen=True, slots=True)
class Introduction:
    """A card, and the challenges between it and the terminal.

    `proving`: the card's proof under IRK; `reading`: the terminal's under RKSSSE, None where the
    card wants none. `terminal` and `device`: numbers of the terminal, empty where it has none.
    """

    card: CardIdentity
    historical: bytes
    identification: bytes
    proving: Authentication
    reading: Authentication | None = None
    terminal: str = ""
    device: str = ""

    def line(self) -> str:
        """What goes to the centre."""
        reading = self.reading
        parts = [
            self.card.region,
            self.historical.hex().upper(),
            algorithm_code(self.card.suite),
            self.identification.hex().upper(),
            self.proving.factor.hex().upper(),
            self.proving.data.hex().upper(),
            reading.factor.hex().upper() if reading else "",
            reading.data.hex().upper() if reading else "",
            self.terminal,
            self.device,
        ]
        return "".join(f"{part}|" for part in parts)

    def results(self, answer: str) -> Results:
        """What the centre says to it, or CentreMisspoke. A last empty field may be left out."""
        parts = answer.split("|") if isinstance(answer, str) else []
        if self.reading is None and len(parts) == 2:
            parts = [parts[0], "", parts[1]]
        if len(parts) != 3 or parts[2]:
            raise CentreMisspoke("HSM: the answer must be RESULT1|RESULT2|")
        internal = _result(parts[0], self.proving)
        if self.reading is None:
            if parts[1]:
                raise CentreMisspoke("HSM: RESULT2 was not asked for")
            return Results(internal)
        return Results(internal, _result(parts[1], self.reading))

    @classmethod
    def parse(cls, line: str) -> Introduction:
        """What a line says. FormatError names the field, never what is in it."""
        parts = line.split("|")
        if len(parts) != FIELDS + 1 or parts[-1]:
            raise FormatError(f"line: must have {FIELDS} fields, each ended by |")
        region, atr, code, identification, r1, r2, r3, r4, terminal, device, _ = parts
        if code not in _SUITE_OF:
            raise FormatError("algorithm: must be one that cards here have")
        historical = _field("historical bytes", atr, _HISTORICAL)
        card = CardIdentity(region, historical[-UNIQUE:], _SUITE_OF[code])
        factor, data = _field("R1", r1, CRYPTOGRAM), _field("R2", r2, CRYPTOGRAM)
        proving = Authentication(IRK, card, factor, data)
        reading = None
        if r3 or r4:
            factor, data = _field("R3", r3, CRYPTOGRAM), _field("R4", r4, CRYPTOGRAM)
            reading = Authentication(RKSSSE, card, factor, data)
        name = _field("identification code", identification, _IDENTIFICATION)
        return cls(card, historical, name, proving, reading, terminal, device)

    @staticmethod
    def answer(internal: bytes, proving: Authentication, *external: bytes) -> str:
        """RESULT1|RESULT2| of a centre; `external`: cryptogram and data, or nothing."""
        return f"{(internal + proving.data).hex().upper()}|{b''.join(external).hex().upper()}|"


def _result(text: str, request: Authentication) -> bytes:
    """C out of C·D."""
    if re.fullmatch(f"[0-9A-Fa-f]{{{4 * CRYPTOGRAM}}}", text) is None:
        raise CentreMisspoke(f"HSM: a result must be {4 * CRYPTOGRAM} hex digits")
    found = bytes.fromhex(text)
    if not compare_digest(found[CRYPTOGRAM:], request.data):
        raise CentreMisspoke("HSM: the answer is for other data")
    return found[:CRYPTOGRAM]


def _field(name: str, text: str, size: int) -> bytes:
    if re.fullmatch(f"[0-9A-Fa-f]{{{2 * size}}}", text) is None:
        raise FormatError(f"{name}: must be {2 * size} hex digits")
    return bytes.fromhex(text)
