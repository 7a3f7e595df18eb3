# SPDX-License-Identifier: Apache-2.0
"""The transaction that is going on: what is in `session.scratch` while the application is selected.

SELECTED, GPO to INITIATED, first GENERATE AC to CARD_ACTION or ENDED, the second to ONLINE. A tap
(qPBOC) goes from GPO to TAPPED, and ends with the last record. SELECT and reset begin anew
(JR/T 0025.5 clause 5; 0025.12).
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple

from apdu.errors import StatusError
from apdu.sw import SW
from card_os.apps.pboc.profile import Route
from card_os.apps.pboc.state import CardState
from card_os.dispatch import Context


class Phase(Enum):
    SELECTED = "selected"
    INITIATED = "GPO done"
    CARD_ACTION = "ARQC given: the issuer is asked"
    ONLINE = "second GENERATE AC done"
    TAPPED = "qPBOC approved offline: commits on the last record"
    ENDED = "over"


class IssuerAuthentication(Enum):
    """What became of EXTERNAL AUTHENTICATE in this transaction."""

    NOT_RECEIVED = 0
    PASSED = 1
    FAILED = 2


class Transaction(NamedTuple):
    """A frozen value; each step of the transaction puts a new one in its place. A named tuple, for
    it is made in every command."""

    phase: Phase = Phase.SELECTED
    route: Route | None = None
    options: bytes = b""
    """What the terminal sent for the PDOL."""
    atc: bytes = b""
    """2 bytes."""
    second_currency: bool = False
    """Electronic cash of the second currency (DF71) is what is spent."""
    cvr: int = 0
    """The 3 bytes of CVR so far (`apdu.wire.pboc.flags.Cvr`)."""
    pin_exceeded: bool = False
    """The last PIN try was lost in this transaction."""
    first_data: bytes = b""
    """What the terminal sent for CDOL1."""
    ac: bytes = b""
    """The first cryptogram, 8 bytes: scripts are chained to it, and the ARPC answers it."""
    authentication: IssuerAuthentication = IssuerAuthentication.NOT_RECEIVED
    arc: bytes = b""
    """Authorisation response code that came with the ARPC, 2 bytes."""
    script_refused: bool = False
    """A script failed its MAC: no other one is taken."""
    committing: CardState | None = None
    """The state after a tap, written when the last record is read."""
    log: bytes = b""
    """The log record that goes with it."""
    signature: bytes = b""
    """fDDA: 9F4B where it stands in a record, not in GPO's answer."""
    authentication_data: bytes = b""
    """fDDA 01: 9F69, which stands in the last record."""

    def __repr__(self) -> str:
        return f"Transaction({self.phase.name})"


SELECTED: Final = Transaction()


def out_of_turn(transaction: Transaction, due: str) -> StatusError:
    """6985: the transaction is not where a command belongs. `due`: where that is."""
    text, phase = "{command} is due {due}; the transaction: {phase}", transaction.phase.value
    return StatusError(SW.CONDITIONS_NOT_SATISFIED, text, due=due, phase=phase)


def current(ctx: Context) -> Transaction:
    """The transaction of the selected application."""
    found: Transaction = ctx.session.scratch
    return found
