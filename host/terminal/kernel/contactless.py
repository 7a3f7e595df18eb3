# SPDX-License-Identifier: Apache-2.0
"""The tap as the terminal sees it (qPBOC, JR/T 0025.12): what it asks for with GPO, and what the
card's one answer means.

All of the terminal's risk management comes before GPO and goes into the TTQ (9F66); what the card
decided stands in its CVR, and what it wants of the terminal in its CTQ (9F6C). TVR and CVM results
stay as they were sent, for the cryptogram is over them.
"""

from __future__ import annotations

from typing import Final

from apdu.errors import FormatError
from apdu.sw import SW
from apdu.tlv import Tlv, parse, parse_dol
from apdu.wire.cryptogram import IssuerApplicationData
from apdu.wire.pboc import tags
from apdu.wire.pboc.application import PPSE_NAME
from apdu.wire.pboc.flags import Ctq, Cvr, Result, Ttq, first_of, second_of
from apdu.wire.pboc.meanings import spelled_out
from host.clients.pboc import PbocClient, by_tag
from host.faults import CardMisspoke, CardRefused
from host.network.authorisation import Purpose
from host.terminal.kernel import completion, initiation, records, restrictions, selection
from host.terminal.kernel.cardholder import NOT_PERFORMED, Verdict
from host.terminal.kernel.config import ApplicationParameters, TerminalConfig
from host.terminal.kernel.cvm_list import Method
from host.terminal.kernel.pin_entry import PinPad
from host.terminal.kernel.selection import MOST_APPLICATIONS, Candidate
from host.terminal.kernel.trail import Step
from host.terminal.kernel.transaction import CannotGoOn, Order, Transaction

_HOLDER: Final = Step.CARDHOLDER_VERIFICATION
_ELSEWHERE: Final = frozenset({SW.CONDITIONS_NOT_SATISFIED, SW.REFERENCE_DATA_INVALID})
"""GPO's ways of saying that this is to be done in the slot: 6985 and 6984."""
_IN_ANSWER: Final = (tags.ATC, tags.IAD, tags.TRACK_2)
"""What a card must answer besides AIP and cryptogram."""


class UseContact(CannotGoOn):
    """This is to be done in the slot; the text says why."""


def qualifiers(parameters: ApplicationParameters, order: Order, online: bool) -> int:
    """The TTQ of a transaction: what the terminal is, and what the amount calls for.

    `online`: the issuer can be asked. Raises UseContact beyond the limit of taps (DF20), and for
    what only scripts can do. An amount of a limit is within it (profile choice
    `contactless-limits`).
    """
    limits, amount = parameters.contactless, order.amount
    ttq = parameters.ttq
    if not ttq & Ttq.CONTACTLESS_PBOC:
        if limits.transaction is not None and amount > limits.transaction:
            raise UseContact(f"{amount} fen, the limit of a tap (DF20) is {limits.transaction}")
        if order.purpose in completion.BY_SCRIPT:
            raise UseContact(f"{order.purpose.value} needs a script, which a tap cannot wait for")
    if not online:
        ttq |= Ttq.OFFLINE_ONLY
    above = limits.floor is not None and amount > limits.floor
    if above or order.force_online or order.purpose is not Purpose.PURCHASE:
        ttq |= Ttq.CRYPTOGRAM_REQUIRED
    if limits.cvm is not None and amount > limits.cvm:
        ttq |= Ttq.CVM_REQUIRED
    return ttq


def select(client: PbocClient, transaction: Transaction, config: TerminalConfig) -> None:
    """Take the first application in the PPSE's order that the terminal knows and that is not
    blocked. Raises CannotGoOn when there is none."""
    for candidate in candidates(client, transaction, config):
        try:
            selected = client.select(candidate.name)
        except CardRefused as refusal:
            transaction.note(Step.SELECTION, "left out", str(refusal))
            continue
        parameters = config.parameters(selected.name)
        if parameters is not None and not selected.blocked:
            selection.take(transaction, selected, parameters, candidate)
            return
        transaction.note(Step.SELECTION, "left out", "it is blocked or not known")
    raise CannotGoOn("card and terminal have no application in common that can be tapped")


def candidates(
    client: PbocClient, transaction: Transaction, config: TerminalConfig
) -> list[Candidate]:
    """The applications of the PPSE that the terminal knows, in the card's order.

    Raises CannotGoOn without a PPSE, CardMisspoke for one that is not in its shape.
    """
    try:
        directory = client.select(PPSE_NAME)
    except CardRefused as refusal:
        raise CannotGoOn(f"PPSE: {refusal}") from None
    found: dict[bytes, Candidate] = {}
    entries = _entries(directory.fci)
    for entry in entries:
        elements = by_tag("PPSE", entry.children)
        name = elements.get(tags.ADF_NAME, b"")
        if name in found:
            raise CardMisspoke("PPSE: lists an application twice")
        if config.parameters(name) is not None:
            found[name] = selection.candidate(name, elements)
    transaction.note(
        Step.SELECTION, "PPSE read", f"{len(found)} of {len(entries)} applications known"
    )
    return sorted(found.values(), key=lambda each: each.priority)


def _entries(fci: bytes) -> tuple[Tlv, ...]:
    """The templates 61 in a PPSE's FCI; the client has seen that it is one."""
    at: Tlv | None = parse(fci)[0]
    for tag in (tags.FCI_PROPRIETARY, tags.FCI_DISCRETIONARY):
        at = at and at.find(tag)
    inside = at.children if at else ()
    found = tuple(each for each in inside if each.tag == tags.APPLICATION_TEMPLATE)
    if len(found) > MOST_APPLICATIONS:
        raise CardMisspoke(f"PPSE: lists more than {MOST_APPLICATIONS} applications")
    return found


def initiate(client: PbocClient, transaction: Transaction, ttq: int) -> dict[int, bytes]:
    """GPO with this TTQ: what the card answered, by tag.

    Raises UseContact when the card wants that, or its PDOL does not ask for the TTQ.
    """
    transaction.terminal[tags.TTQ] = ttq.to_bytes(4)
    said = ", ".join(meaning.english for _, meaning in spelled_out(Ttq, ttq))
    transaction.note(Step.INITIATION, f"TTQ {ttq:08X}", said)
    if tags.TTQ not in _asked(transaction.card.get(tags.PDOL, b"")):
        raise UseContact("the card's PDOL does not ask for the TTQ (9F66)")
    try:
        return initiation.initiate(transaction, client).elements
    except CardRefused as refusal:
        if refusal.sw in _ELSEWHERE:
            raise UseContact(f"the card: {refusal.sw:04X}") from None
        raise


def _asked(pdol: bytes) -> frozenset[int]:
    try:
        return frozenset(entry.tag for entry in parse_dol(pdol))
    except FormatError as error:
        raise CardMisspoke(f"PDOL: {error}") from None


def judge(transaction: Transaction, ttq: int) -> Result:
    """What the card decided, as its CVR says it.

    Raises CardMisspoke for an answer that is not whole, contradicts itself, or approves what the
    issuer was to be asked about.
    """
    card = transaction.card
    for tag in _IN_ANSWER:
        if not card.get(tag):
            raise CardMisspoke(f"GET PROCESSING OPTIONS: {tag:X} is missing")
    if len(card[tags.ATC]) != 2 or not any(card[tags.ATC]):
        raise CardMisspoke("GET PROCESSING OPTIONS: ATC is 0, or not 2 bytes")
    if len(card[tags.AC]) != 8:
        raise CardMisspoke("GET PROCESSING OPTIONS: 9F26 must be 8 bytes")
    result, results = _decided(card[tags.IAD])
    said = card.get(tags.CID)
    if said is not None and (len(said) != 1 or said[0] >> 6 != result):
        raise CardMisspoke("GET PROCESSING OPTIONS: 9F27 says otherwise than the CVR")
    transaction.cid = result << 6
    card[tags.CID] = bytes((transaction.cid,))
    if result is Result.TC and ttq & Ttq.CRYPTOGRAM_REQUIRED:
        raise CardMisspoke("GET PROCESSING OPTIONS: TC where ARQC was asked for")
    if result is Result.ARQC and ttq & Ttq.OFFLINE_ONLY:
        raise CardMisspoke("GET PROCESSING OPTIONS: ARQC for a terminal that is offline only")
    records.check_track_2(card[tags.TRACK_2])
    if result is not Result.TC:
        know_number(transaction)
    reasons = [meaning.english for _, meaning in spelled_out(Cvr, results)]
    why = f"card: {', '.join(reasons)}" if reasons else ""
    transaction.note(Step.CARD_ACTION, result.name, why)
    return result


def _decided(iad: bytes) -> tuple[Result, int]:
    """The result of GPO, and the whole CVR."""
    try:
        results = int.from_bytes(IssuerApplicationData.parse(iad).cvr)
        first, second = first_of(results), second_of(results)
    except (FormatError, ValueError) as error:
        raise CardMisspoke(f"issuer application data (9F10): {error}") from None
    if second is not Result.ARQC:
        raise CardMisspoke("issuer application data (9F10): tells of a second GENERATE AC")
    return first, results


def card_qualifiers(transaction: Transaction) -> int:
    """The CTQ as bits of `Ctq`; a card without one wants nothing."""
    value = transaction.card.get(tags.CTQ, bytes(2))
    if len(value) != 2:
        raise CardMisspoke("CTQ (9F6C): must be 2 bytes")
    return int.from_bytes(value)


def read(client: PbocClient, transaction: Transaction) -> None:
    """Read the records of an approval to the last, which is when the card pays."""
    if not transaction.afl:
        raise CardMisspoke("GET PROCESSING OPTIONS: an approval without AFL (94)")
    records.read(transaction, client, records.TAP_MANDATORY)
    know_number(transaction)


def know_number(transaction: Transaction) -> None:
    """Take the card's number from track 2, where no record was read that has it."""
    if not transaction.pan:
        number = records.check_track_2(transaction.card[tags.TRACK_2])
        transaction.card[tags.PAN] = bytes.fromhex(number + "F" * (len(number) % 2))


def in_force(transaction: Transaction) -> bool:
    """Whether the card's dates are such, so that it may be used today.

    The TVR was signed by the card and stays; an approval of a card that fails here counts for
    nothing (profile choice `tap-restrictions`).
    """
    card, today = transaction.card, transaction.order.time.date()
    if restrictions.day("5F24", card[tags.EXPIRY]) < today:
        transaction.note(Step.RESTRICTIONS, "declined", "the application has expired")
        return False
    effective = card.get(tags.EFFECTIVE)
    if effective is not None and restrictions.day("5F25", effective) > today:
        transaction.note(Step.RESTRICTIONS, "declined", "the application is not yet effective")
        return False
    return True


def verify_holder(transaction: Transaction, ttq: int, pad: PinPad | None) -> bool:
    """Do what the card wants of the holder (CTQ); whether that went well.

    An online PIN, or a signature on the receipt. A terminal that wants the holder verified takes
    no card that wants neither.
    """
    wanted = card_qualifiers(transaction)
    if wanted & Ctq.ONLINE_PIN:
        return _online_pin(transaction, pad)
    if wanted & Ctq.SIGNATURE:
        transaction.cvm_results = bytes((Method.SIGNATURE, 0, Verdict.UNKNOWN))
        transaction.note(_HOLDER, "signature", "CTQ: the holder signs the receipt")
        return True
    if ttq & Ttq.CVM_REQUIRED:
        transaction.note(_HOLDER, "failed", "the TTQ wants the holder verified, the CTQ does not")
        return False
    transaction.cvm_results = NOT_PERFORMED
    transaction.note(_HOLDER, "not performed", "neither TTQ nor CTQ wants it")
    return True


def _online_pin(transaction: Transaction, pad: PinPad | None) -> bool:
    if transaction.result is not Result.ARQC:
        transaction.note(_HOLDER, "failed", "an online PIN for what is not to go online")
        return False
    if pad is None or pad.encipher is None:
        transaction.note(_HOLDER, "failed", "CTQ: online PIN, and there is no PIN pad for it")
        return False
    block = pad.online_block(transaction.pan)
    if block is None:
        transaction.note(_HOLDER, "failed", "PIN entry was bypassed")
        return False
    transaction.pin_block = block
    transaction.cvm_results = bytes((Method.ONLINE_PIN, 0, Verdict.UNKNOWN))
    transaction.note(_HOLDER, "online PIN entered", "CTQ: the issuer verifies it")
    return True
