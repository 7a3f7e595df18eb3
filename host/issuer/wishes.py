# SPDX-License-Identifier: Apache-2.0
"""What the issuer wants of a card, while it waits for the card, and how it knows what became of it.

Two things tell: the terminal's script results (DF31), and the next transaction's CVR, which the
card's cryptogram is over. The card counts the commands that came after its last second GENERATE AC
and says whether one failed; it forgets both when an online transaction is completed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from apdu.errors import FormatError
from apdu.wire.pboc.flags import Cvr, scripts_of

MOST_COUNTED: Final = 15
"""Where the card's counter of script commands stops."""
_FAILED: Final = int(Cvr.LAST_SCRIPT_FAILED)
_NOT_COMPLETED: Final = int(Cvr.LAST_ONLINE_NOT_COMPLETED | Cvr.LAST_ISSUER_AUTHENTICATION_FAILED)


class Kind(Enum):
    COMMANDS = "commands"
    """Commands as they are, but for their protection."""
    LOAD = "load"
    """圈存: more electronic cash; the new balance depends on the card's."""
    PIN = "pin"
    """A new offline PIN."""


@dataclass(frozen=True, slots=True)
class Sending:
    """The last time that a wish was sent."""

    atc: int
    """The transaction's."""
    counted: int
    """What the card's counter stood at in that transaction, before."""
    commands: int
    """How many commands went to the card then, this wish's and others'."""
    times: int = 1
    """How often it was sent in all."""


@dataclass(frozen=True, slots=True)
class Wish:
    """One thing the issuer wants. `reference`: of the request that it belongs to, if any."""

    kind: Kind
    reference: str = ""
    amount: int = 0
    """Of a load, in fen."""
    commands: tuple[bytes, ...] = field(default=(), repr=False)
    pin: bytes = field(default=b"", repr=False)
    """The PIN, enciphered under a key of the card."""
    sent: Sending | None = None

    def dump(self) -> str:
        """As it is stored."""
        sent = self.sent
        stored = {
            "kind": self.kind.value,
            "reference": self.reference,
            "amount": self.amount,
            "commands": [command.hex() for command in self.commands],
            "pin": self.pin.hex(),
            "sent": [sent.atc, sent.counted, sent.commands, sent.times] if sent else None,
        }
        return json.dumps(stored)

    @classmethod
    def load(cls, text: str) -> Wish:
        """As it was stored. Raises FormatError."""
        try:
            stored = json.loads(text)
            return cls(
                Kind(stored["kind"]),
                stored["reference"],
                stored["amount"],
                tuple(map(bytes.fromhex, stored["commands"])),
                bytes.fromhex(stored["pin"]),
                Sending(*stored["sent"]) if stored["sent"] else None,
            )
        except (ValueError, KeyError, TypeError):
            raise FormatError("a wish in the store is not in its shape") from None


class Fate(Enum):
    """What became of what was sent."""

    DONE = "done"
    FAILED = "failed"
    NOT_RECEIVED = "not received"


def fate(sending: Sending, cvr: int) -> Fate:
    """What the card's next transaction tells of a sending (profile choice `script-evidence`).

    A counter that stands as it stood before proves nothing when that transaction was not completed:
    then nothing after its second cryptogram was taken.
    """
    counted = scripts_of(cvr)
    if not counted or (counted == sending.counted and cvr & _NOT_COMPLETED):
        return Fate.NOT_RECEIVED
    if cvr & _FAILED or counted < min(sending.commands, MOST_COUNTED):
        return Fate.FAILED
    return Fate.DONE
