# SPDX-License-Identifier: Apache-2.0
"""After the issuer was asked: issuer authentication, scripts, second GENERATE AC, and what the
transaction comes to (EMV Book 3 10.9 to 10.11; JR/T 0025.6)."""

from __future__ import annotations

from typing import Final

from apdu.tlv import Tlv
from apdu.wire.pboc.flags import Aip, Result, Tsi, Tvr
from apdu.wire.pboc.script_results import ScriptOutcome, parse_script_results
from host.clients.pboc import PbocClient
from host.faults import CardFault, CardRefused
from host.network.authorisation import Purpose
from host.terminal.kernel import action, cryptogram, scripts
from host.terminal.kernel.online import IssuerData
from host.terminal.kernel.trail import Step
from host.terminal.kernel.transaction import Outcome, Transaction

OFFLINE_APPROVED, OFFLINE_DECLINED = "Y1", "Z1"
UNABLE_APPROVED, UNABLE_DECLINED = "Y3", "Z3"
"""8A of the terminal's own (EMV Book 4 annex A6)."""
BY_SCRIPT: Final = frozenset({Purpose.LOAD, Purpose.CASH_LOAD, Purpose.PIN_CHANGE})
"""What is done by a script alone: without one that succeeded, it was not done."""


class CardLost(CardFault):
    """The card was lost while a script ran whose work was wanted: whether it is done, only the
    card can tell."""


def complete(transaction: Transaction, client: PbocClient, answered: IssuerData) -> Outcome:
    """All that follows an answer. Raises a CardFault when the card fails before it has approved,
    CardLost when it was lost in a script that the purpose is done by."""
    approved = transaction.response is not None and transaction.response.approved
    wanted = approved and transaction.order.purpose in BY_SCRIPT
    _authenticate_issuer(transaction, client, answered.authentication)
    lost = _run(transaction, client, answered.before)
    if lost is not None:
        raise CardLost(str(lost)) if wanted else lost
    cryptogram.second(transaction, client, Result.TC if approved else Result.AAC)
    agreed = transaction.result is Result.TC and not cryptogram.combined_failed(transaction)
    lost = _run(transaction, client, answered.after)
    if lost is not None and wanted:
        raise CardLost(str(lost))
    if not approved:
        return Outcome.DECLINED_ONLINE
    if not agreed:
        transaction.note(Step.COMPLETION, "declined by the card after the issuer's approval")
        return Outcome.DECLINED_ONLINE
    if transaction.order.purpose in BY_SCRIPT and not _done(transaction):
        transaction.note(Step.COMPLETION, "not done", "the script for it did not succeed")
        return Outcome.DECLINED_ONLINE
    return Outcome.APPROVED_ONLINE


def complete_unable(transaction: Transaction, client: PbocClient) -> Outcome:
    """The issuer could not be asked, or gave no answer."""
    kind = action.analyse_unable(transaction)
    transaction.response_code = UNABLE_APPROVED if kind is Result.TC else UNABLE_DECLINED
    cryptogram.second(transaction, client, kind)
    if transaction.result is Result.TC and not cryptogram.combined_failed(transaction):
        return Outcome.APPROVED_OFFLINE
    return Outcome.DECLINED_OFFLINE


def complete_offline(transaction: Transaction, client: PbocClient) -> Outcome:
    """After a first cryptogram that is no ARQC, or whose signature does not hold."""
    failed = cryptogram.combined_failed(transaction)
    if transaction.result is Result.TC and not failed:
        transaction.response_code = OFFLINE_APPROVED
        return Outcome.APPROVED_OFFLINE
    transaction.response_code = OFFLINE_DECLINED
    if transaction.result is Result.ARQC:
        cryptogram.second(transaction, client, Result.AAC)
    return Outcome.DECLINED_OFFLINE


def _authenticate_issuer(transaction: Transaction, client: PbocClient, data: bytes) -> None:
    """EXTERNAL AUTHENTICATE where the card does it by that command (AIP) and the issuer sent 91.

    91 goes to the card as it came, whatever its 8 to 16 bytes are; a card that does not take them
    has not been authenticated to.
    """
    step = Step.ISSUER_AUTHENTICATION
    if not transaction.supports(Aip.ISSUER_AUTHENTICATION):
        transaction.note(step, "not performed", "the AIP does not have it")
        return
    if not data:
        transaction.note(step, "not performed", "the issuer sent no 91")
        return
    transaction.tsi |= Tsi.ISSUER_AUTHENTICATED
    try:
        client.external_authenticate(data)
    except CardRefused as refusal:
        transaction.set(Tvr.ISSUER_AUTHENTICATION_FAILED, step, str(refusal))
    else:
        transaction.note(step, "succeeded")


def _run(
    transaction: Transaction, client: PbocClient, templates: tuple[Tlv, ...]
) -> CardFault | None:
    """Scripts one after the other, each to its end or its failure; none follow one in which the
    card was lost, whose fault is returned."""
    room = scripts.LONGEST
    lost: CardFault | None = None
    for template in templates:
        room -= len(bytes(template))
        if lost is not None or room < 0:
            scripts.not_processed(transaction, template)
        else:
            lost = scripts.process(transaction, client, template)
    return lost


def _done(transaction: Transaction) -> bool:
    found = parse_script_results(transaction.script_results)
    return bool(found) and all(each.outcome is ScriptOutcome.SUCCEEDED for each in found)
