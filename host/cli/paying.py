# SPDX-License-Identifier: Apache-2.0
"""`sscard pay` and `sscard load`: one transaction of a card at a terminal, the issuer behind it."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import click

from apdu.errors import FormatError
from apdu.wire.pboc.flags import Ctq, Cvr, TerminalCapabilities, Tsi, Ttq, Tvr, scripts_of
from apdu.wire.pboc.flags import Result as Kind
from apdu.wire.pboc.meanings import spelled_out
from host.card import Card
from host.cli.asking import HolderHere
from host.cli.banks import reached
from host.cli.opening import Where, opened
from host.cli.orders import new_order
from host.cli.outbox import DEFAULT as OUTBOX
from host.cli.outbox import NOTHING_TOLD, Outbox, Told
from host.cli.text import visible
from host.cli.yuan import with_yuan
from host.issuer.passwords import published_pin_keys
from host.network.authorisation import Issuer, Purpose
from host.terminal.kernel.config import TerminalConfig
from host.terminal.kernel.config_file import load_config
from host.terminal.kernel.pin_entry import PinPad
from host.terminal.kernel.records import LOADS
from host.terminal.pboc import pay
from host.terminal.result import Result
from host.terminal.tap import tap

_NO_PINS: Final = ~int(TerminalCapabilities.PLAINTEXT_PIN | TerminalCapabilities.ONLINE_PIN)
_NO_ONLINE_PIN: Final = ~int(TerminalCapabilities.ONLINE_PIN)
_TAP_WITHOUT_PIN: Final = ~int(Ttq.ONLINE_PIN)
_AMOUNTS: Final = ("amount", "balance", "electronic_cash_before", "electronic_cash", "available")


@dataclass(frozen=True, slots=True)
class Desk:
    """What the command line says of card, terminal and issuer."""

    where: Where
    bank: str | None
    host: str | None
    terminal: Path | None
    outbox: Path | None = None
    contactless: bool = False
    offline: bool = False
    pin: bool = False
    cash: bool = False
    """The terminal takes electronic cash in its slot."""


@dataclass(frozen=True, slots=True)
class Paid:
    """What came of it, and what the terminal told the issuer besides."""

    result: Result
    told: Told = NOTHING_TOLD
    """Messages of earlier transactions, of which the issuer was told first."""
    kept: int = 0
    """Messages of this one that are kept for later."""

    @property
    def cash_after(self) -> int | None:
        """The electronic cash that the card has now, where that follows from what is known."""
        result = self.result
        if result.doubt or result.cash_before is None:
            return None
        if result.approved and result.cash:
            return result.cash_before - result.amount
        if result.approved and result.purpose in LOADS:
            return result.cash_before + result.amount
        return result.cash_before

    def as_json(self) -> dict[str, Any]:
        result = self.result
        found = result.as_json() | {
            "tvr": bits_as_json(Tvr, result.tvr, 5),
            "tsi": bits_as_json(Tsi, result.tsi, 2),
            "cvr": bits_as_json(Cvr, result.cvr, 3) | _numbers(result.cvr),
            "ctq": None if result.ctq is None else bits_as_json(Ctq, result.ctq, 2),
            "electronic_cash_after": self.cash_after,
            "told_before": self.told.taken,
            "refused_before": self.told.refused,
            "kept_for_later": self.kept,
        }
        found["paid_with_electronic_cash"] = found.pop("electronic_cash")
        return with_yuan(found, *_AMOUNTS, "electronic_cash_after")


def bits_as_json(kind: Any, value: int, size: int) -> dict[str, Any]:
    """An element of bits, in hexadecimal and spelled out in both languages."""
    said = [meaning for _, meaning in spelled_out(kind, value)]
    return {
        "value": f"{value:0{2 * size}X}",
        "bits": [each.english for each in said],
        "chinese": [each.chinese for each in said],
    }


def _numbers(cvr: int) -> dict[str, Any]:
    """The fields of the CVR that are numbers; null where they say nothing."""
    first, second = (_NAMES.get(cvr >> at & 3) for at in (20, 22))
    return {"first": first, "second": second, "scripts": scripts_of(cvr)}


_NAMES: Final = {int(each): each.name for each in Kind}


def transact(desk: Desk, amount: int, purpose: Purpose) -> Paid:
    """Make the transaction. `amount` in fen.

    What an earlier one left for the issuer is told first. Raises usage errors for what does not
    go together, what `opened` and `reached` raise, and OSError for an outbox that cannot be
    written.
    """
    desk.where.check()
    config = _terminal(desk)
    outbox = Outbox(desk.outbox or OUTBOX)
    with ExitStack() as stack:
        issuer = None if desk.offline else stack.enter_context(reached(desk.bank, desk.host))
        channel = stack.enter_context(opened(desk.where, contactless=desk.contactless))
        told = outbox.tell(issuer) if issuer is not None else NOTHING_TOLD
        result = _made(desk, Card(channel), amount, purpose, config, issuer)
        # What is in doubt must not be told: the card has to say first what it did.
        kept = () if result.doubt else result.outstanding
        outbox.keep(kept)
    return Paid(result, told, len(kept))


def _made(
    desk: Desk,
    card: Card,
    amount: int,
    purpose: Purpose,
    config: TerminalConfig,
    issuer: Issuer | None,
) -> Result:
    order = new_order(amount, purpose)
    pad = PinPad(HolderHere(), published_pin_keys().pin.encrypt) if desk.pin else None
    if desk.contactless:
        return tap(card, order, config, issuer, pad=pad)
    return pay(card, order, config, issuer, pad=pad)


def _terminal(desk: Desk) -> TerminalConfig:
    """The terminal as it was set up, less what it is not to do now."""
    if desk.offline and (desk.bank is not None or desk.host is not None):
        raise click.UsageError("--offline goes with neither --bank nor --host.")
    if desk.contactless and desk.cash:
        raise click.UsageError(
            "--cash is about the slot: a tap pays with electronic cash without being told."
        )
    try:
        config = load_config(desk.terminal)
    except FormatError as error:
        raise click.UsageError(f"--terminal {visible(str(desk.terminal))}: {error}.") from None
    except OSError as error:
        why = error.strerror or str(error)
        raise click.UsageError(f"--terminal {visible(str(desk.terminal))}: {why}.") from None
    applications = config.applications
    if not desk.cash:
        applications = tuple(replace(each, cash_limit=None) for each in applications)
    elif all(each.cash_limit is None for each in applications):
        raise click.UsageError("--cash: this terminal takes no electronic cash (cash_limit).")
    capabilities = config.capabilities
    if not desk.pin:
        capabilities &= _NO_PINS
    elif desk.offline:
        capabilities &= _NO_ONLINE_PIN
    if not capabilities & TerminalCapabilities.ONLINE_PIN:
        applications = tuple(
            replace(each, ttq=each.ttq & _TAP_WITHOUT_PIN) for each in applications
        )
    return replace(config, applications=applications, capabilities=capabilities)
