# SPDX-License-Identifier: Apache-2.0
"""A transaction at a terminal: what was asked for, what is known of the card, what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from apdu.wire.pboc.flags import Tsi, Tvr
from host.network.authorisation import RMB, Purpose
from host.terminal.kernel.trail import Decision, Step


@dataclass(frozen=True, slots=True)
class Order:
    """What the terminal is to do. Amounts in fen (the minor unit of `currency`)."""

    amount: int
    purpose: Purpose
    time: datetime
    reference: str
    """12 digits, never used before."""
    trace: int
    """System trace audit number, 1 to 999999; also 9F41."""
    unpredictable_number: bytes
    """4 bytes of chance."""
    other_amount: int = 0
    currency: str = RMB
    force_online: bool = False
    target: str = ""
    """The PAN that a transfer goes to."""


class Outcome(Enum):
    """How a transaction ends."""

    APPROVED_OFFLINE = "approved offline"
    APPROVED_ONLINE = "approved online"
    DECLINED_OFFLINE = "declined offline"
    DECLINED_ONLINE = "declined online"
    USE_CONTACT = "to be tried again over contact"
    TERMINATED = "terminated"


@dataclass(slots=True)
class Transaction:
    """The one thing of a kernel that changes: each step adds to it what it found out."""

    order: Order
    terminal: dict[int, bytes]
    """The terminal's data elements by tag: what DOLs are filled from, and nothing else."""
    card: dict[int, bytes] = field(default_factory=dict)
    """What the card said, by tag: of FCI, GPO and records."""
    aid: bytes = b""
    fci: bytes = b""
    options: bytes = b""
    """What was sent for the PDOL."""
    aip: int = 0
    afl: bytes = b""
    static_data: bytes = b""
    """What the records hold that the AFL marks for authentication (EMV Book 3 10.3)."""
    tvr: Tvr = field(default_factory=lambda: Tvr(0))
    tsi: Tsi = field(default_factory=lambda: Tsi(0))
    cid: int = 0
    """Of the last cryptogram."""
    response_code: str = ""
    """8A: of the issuer, or of the terminal's own (Y1, Z1, Y3, Z3)."""
    script_results: bytes = b""
    """DF31."""
    trail: list[Decision] = field(default_factory=list)

    def note(self, step: Step, outcome: str, why: str = "") -> None:
        """Add a line to the trail."""
        self.trail.append(Decision(step, outcome, why))
