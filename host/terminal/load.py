# SPDX-License-Identifier: Apache-2.0
"""A load of the medical account (账户划入) on a card with a balance, and what became of it.

In halves as a purchase is (`host.terminal.medical`): what `begin_load` returns goes to the centre,
and `finish_load` takes its MAC2. The PIN must have been verified, and not be the initial one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from apdu.errors import FormatError
from apdu.wire.hrss.df04 import MedicalTransaction
from apdu.wire.hrss.generations import DF04
from apdu.wire.hrss.keys import SSSE_KEYS
from apdu.wire.hrss.medical import LARGEST, TransactionKind
from apdu.wire.perso import KeyUsage
from apdu.wire.psam import TerminalNumber
from apdu.wire.purchase import LOAD, LocalTime
from host.clients.hrss import HrssClient
from host.clients.medical import MedicalClient
from host.faults import CardFault, CardGone, CardMisspoke, CardRefused
from host.keys import CardIdentity
from host.load import Load
from host.terminal.medical import (
    check_amount,
    check_key_index,
    check_place,
    check_suite,
    is_logged,
    is_undecided,
    proof_of,
)

_KEYS: Final = {key.version: key for key in SSSE_KEYS if key.usage is KeyUsage.LOAD}


@dataclass(frozen=True, slots=True)
class LoadTerms:
    """What is to be loaded, in fen, and where and when, as in `host.terminal.medical.Terms`.

    `key_index`: which load key (DLK). Raises FormatError naming the field and the rule.
    """

    amount: int
    at: datetime
    terminal: str
    key_index: int = 1

    def __post_init__(self) -> None:
        check_amount("amount", self.amount)
        if not self.amount:
            raise FormatError("amount: there is nothing to load")
        check_place(self.at, self.terminal)
        check_key_index(self.key_index)


@dataclass(frozen=True, slots=True)
class LoadReceipt:
    """What the card has booked: its number of it, the balance then, in fen, and the TAC (4 bytes;
    empty when it came from `recover_load` and is not known any more)."""

    sequence: int
    balance: int
    tac: bytes
    amount: int


class LoadInDoubt(CardFault):
    """Whether the card has booked is not known. `request` is what `recover_load` asks it with."""

    def __init__(self, request: Load) -> None:
        super().__init__("the load may have been booked: ask the card before it is tried anew")
        self.request = request


def load(
    client: HrssClient, allow: Callable[[Load], bytes], card: CardIdentity, terms: LoadTerms
) -> LoadReceipt:
    """Load, with a centre that answers at once: `allow` gives MAC2 (`host.load.LoadKeys.allow`)."""
    with client.card.transaction():
        request = begin_load(client, card, terms)
        return finish_load(client, request, allow(request))


def begin_load(client: HrssClient, card: CardIdentity, terms: LoadTerms) -> Load:
    """Go to DF04 and begin: what the centre has to be asked. Nothing is booked yet."""
    terminal = bytes(TerminalNumber(terms.terminal))
    with client.card.transaction():
        client.enter(DF04)
        medical = MedicalClient(client.card)
        found = medical.initialise_load(terms.key_index, terms.amount, terminal)
    check_suite(found.algorithm, card)
    if found.version not in _KEYS or found.balance + terms.amount > LARGEST:
        raise CardMisspoke("INITIALIZE FOR LOAD: a version or a balance that cannot be")
    return Load(
        _KEYS[found.version],
        card,
        found.random,
        found.card_sequence,
        found.balance,
        terms.amount,
        terminal,
        bytes(LocalTime(terms.at)),
        found.mac1,
    )


def finish_load(client: HrssClient, request: Load, mac2: bytes) -> LoadReceipt:
    """Let the card book; nothing else may have been sent to it since it began.

    Raises CardRefused when it did not, and LoadInDoubt when it did not say.
    """
    try:
        done = MedicalClient(client.card).credit_load(request.time, mac2)
    except CardRefused as refusal:
        if not is_undecided(refusal):
            raise
        raise LoadInDoubt(request) from refusal
    except (CardGone, CardMisspoke) as fault:
        raise LoadInDoubt(request) from fault
    return _receipt(request, done.tac)


def recover_load(client: HrssClient, request: Load) -> LoadReceipt | None:
    """Whether a load happened, from the card alone: its receipt, or None when it did not.

    As `host.terminal.medical.recover`: the PIN must be verified anew, and nothing is booked.
    """
    number = TerminalNumber.parse(request.terminal).number
    at, sequence = LocalTime.parse(request.time).at, int.from_bytes(request.card_sequence)
    entry = MedicalTransaction(sequence, LOAD, number, at, request.amount, 0, 0)
    with client.card.transaction():
        client.enter(DF04)
        medical = MedicalClient(client.card)
        if not is_logged(medical, entry):
            return None
        tac, _ = proof_of(medical, request.card_sequence, TransactionKind.LOAD)
    return _receipt(request, tac)


def _receipt(request: Load, tac: bytes) -> LoadReceipt:
    sequence = int.from_bytes(request.card_sequence)
    return LoadReceipt(sequence, request.balance + request.amount, tac, request.amount)
