# SPDX-License-Identifier: Apache-2.0
"""Issuer scripts (发卡行脚本): when the chip takes one, its MAC, and what is noted of it.

Scripts come while the issuer answers a transaction: between its two cryptograms (template 71) or
after the second (72). A transaction that ended with its first one takes them as well when the
application or its PIN is blocked, so that it can be given back: its cryptogram, most often an AAC,
is what they are bound to (JR/T 0025.5 clause 17 and annex C).

What is noted survives: that a script failed, by its MAC or because the chip could not do it, and
how many commands came after the transaction's last cryptogram (profile choices `script-counter`,
`script-failure`). A command that is not even in its form is refused as any other, and not noted.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

from apdu.errors import FormatError, StatusError
from apdu.messaging import KeyName, Messaging, script_messaging
from apdu.sw import SW
from apdu.wire.form import CommandForm
from apdu.wire.pboc.application import ENC_KEY, MAC_KEY, PIN_REFERENCE
from apdu.wire.perso import KeyUsage, Life
from card_os.apps.pboc.profile import Route
from card_os.apps.pboc.state import MOST_FAILURES, CardState, Flag, load, store
from card_os.apps.pboc.transaction import (
    IssuerAuthentication,
    Phase,
    Transaction,
    current,
    out_of_turn,
)
from card_os.dispatch import Context
from card_os.session import Stage

ANSWERING: Final = Stage.OPERATIONAL | Stage.BLOCKED
"""A blocked application takes scripts, or nothing could give it back."""
MOST_COUNTED: Final = 15
"""The script counter stops there: the CVR has four bits for it."""
_SCRIPT_FAILED: Final = int(Flag.SCRIPT_FAILED)


def messaging(ctx: Context, form: CommandForm[Any, Any, Any]) -> ScriptOpening:
    """The protection of a script's command in this transaction.

    StatusError 6985 when no script is taken now, 6A88 when the card has no keys for it.
    """
    transaction = current(ctx)
    if not _takes_scripts(ctx, transaction):
        raise _no_script(ctx, transaction)
    return ScriptOpening(ctx, _protection(ctx, transaction))


def route_of(transaction: Transaction) -> Route:
    """The way that a transaction goes, or StatusError 6985 when it has not begun."""
    if transaction.route is None:
        raise out_of_turn(transaction, "behind GPO")
    return transaction.route


def _no_script(ctx: Context, transaction: Transaction) -> StatusError:
    """6985: which of the conditions for a script is not met."""
    failures = load(ctx.session.directory).mac_failures
    if failures >= MOST_FAILURES:
        text = "{failures} scripts have failed their MAC: none is taken any more"
    elif transaction.script_refused:
        text = "a script of this transaction failed its MAC: no other is taken"
    elif transaction.authentication is IssuerAuthentication.FAILED:
        text = "the issuer authentication of this transaction failed: no script is taken"
    else:
        return out_of_turn(transaction, "behind an ARQC, or where something blocked is given back")
    return StatusError(SW.CONDITIONS_NOT_SATISFIED, text, failures=failures)


def _takes_scripts(ctx: Context, transaction: Transaction) -> bool:
    match transaction.phase:
        case Phase.CARD_ACTION | Phase.ONLINE:
            pass
        case Phase.ENDED if transaction.ac and _kept_open(ctx):
            pass
        case _:
            return False
    if transaction.script_refused or transaction.authentication is IssuerAuthentication.FAILED:
        return False
    return load(ctx.session.directory).mac_failures < MOST_FAILURES


def _kept_open(ctx: Context) -> bool:
    """Whether there is something blocked for a script to give back."""
    directory = ctx.session.directory
    pin = directory.pins.get(PIN_REFERENCE)
    return directory.life is Life.DEACTIVATED or (pin is not None and not pin.counter.left)


def _protection(ctx: Context, transaction: Transaction) -> Messaging:
    algorithm = route_of(transaction).algorithm
    mac = ctx.key(MAC_KEY, KeyUsage.SCRIPT_MAC, algorithm).cipher
    encipherment = ctx.key(ENC_KEY, KeyUsage.SCRIPT_ENCIPHERMENT, algorithm).cipher
    named = KeyName(MAC_KEY, KeyUsage.SCRIPT_MAC, algorithm)
    return script_messaging(mac, encipherment, transaction.atc, transaction.ac, named)


@dataclass(frozen=True, slots=True)
class ScriptOpening:
    """Opens one command; a wrong MAC is noted for good, and ends the scripts of the transaction."""

    ctx: Context
    protection: Messaging

    def open(self, header: bytes, sent: bytes, *, enciphered: bool = False) -> bytes:
        """The data that was protected, or StatusError 6987 or 6988."""
        try:
            return self.protection.open(header, sent, enciphered=enciphered)
        except StatusError:
            ctx = self.ctx
            transaction = current(ctx)
            ctx.session.scratch = transaction._replace(script_refused=True)
            state = _counted(load(ctx.session.directory), transaction)
            _fail(ctx, replace(state, mac_failures=state.mac_failures + 1))
            raise


@contextmanager
def processing(ctx: Context) -> Iterator[CardState]:
    """Around the work of a command whose MAC was right; gives the state with the command counted.

    The block stores that state, in one step with what it changes. When it is refused (StatusError,
    FormatError), nothing of it is kept but that a script failed.
    """
    transaction = current(ctx)
    if transaction.phase is Phase.ENDED:
        # What was blocked may be given back now; the commands behind this one are still taken.
        ctx.session.scratch = transaction._replace(phase=Phase.ONLINE)
    state = _counted(load(ctx.session.directory), transaction)
    try:
        yield state
    except (StatusError, FormatError):
        _fail(ctx, state)
        raise


def _counted(state: CardState, transaction: Transaction) -> CardState:
    """The state after one more command; those before the second cryptogram do not count."""
    if transaction.phase is Phase.CARD_ACTION:
        return state
    return replace(state, scripts=min(state.scripts + 1, MOST_COUNTED))


def _fail(ctx: Context, state: CardState) -> None:
    store(ctx.session.directory, replace(state, flags=state.flags | _SCRIPT_FAILED))
