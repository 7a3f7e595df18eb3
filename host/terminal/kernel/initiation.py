# SPDX-License-Identifier: Apache-2.0
"""Initiate application processing (应用初始化): GET PROCESSING OPTIONS, which begins the
transaction on the card's side (EMV Book 3 10.1; JR/T 0025.6)."""

from __future__ import annotations

from apdu.errors import FormatError
from apdu.wire.pboc import tags
from apdu.wire.pboc.answers import parse_afl
from host.clients.pboc import Options, PbocClient
from host.faults import CardMisspoke
from host.terminal.kernel.data import fill_list
from host.terminal.kernel.trail import Step
from host.terminal.kernel.transaction import Transaction


def initiate(transaction: Transaction, client: PbocClient) -> Options:
    """Tell the card what its PDOL asks for, and take AIP and, where there is one, AFL.

    Returns the answer, for a tap has more in it. Raises CardMisspoke for an AFL that breaks a
    rule; whether one must be there is for the caller to say.
    """
    transaction.options = fill_list(transaction, "PDOL", transaction.card.get(tags.PDOL, b""))
    found = client.processing_options(transaction.options)
    if found.afl:
        try:
            parse_afl(found.afl)
        except FormatError as error:
            raise CardMisspoke(str(error)) from None
    transaction.aip = found.aip
    transaction.afl = found.afl
    transaction.card.update(found.elements)
    files = len(found.afl) // 4
    transaction.note(Step.INITIATION, "begun", f"AIP {found.aip:04X}, AFL names {files} files")
    return found


def initiate_contact(transaction: Transaction, client: PbocClient) -> None:
    """As `initiate`; over contact there must be an AFL."""
    if not initiate(transaction, client).afl:
        raise CardMisspoke("GET PROCESSING OPTIONS: the AFL (94) is missing")
