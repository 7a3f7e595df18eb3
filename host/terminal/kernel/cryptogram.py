# SPDX-License-Identifier: Apache-2.0
"""Card action analysis (卡片行为分析) as the terminal sees it: it asks for a cryptogram and takes
what the card gives (EMV Book 3 10.8, 10.11; JR/T 0025.6)."""

from __future__ import annotations

from apdu.crypto.oda_input import certificate_hash
from apdu.wire.pboc import tags
from apdu.wire.pboc.flags import Cvr, Result, Tsi, Tvr
from apdu.wire.pboc.meanings import spelled_out
from host.clients.pboc import PbocClient
from host.terminal.kernel import oda
from host.terminal.kernel.data import asks_for, fill_list
from host.terminal.kernel.trail import Step
from host.terminal.kernel.transaction import Transaction

_IAD_HEAD, _CVR_LENGTH = 7, 3


def first(transaction: Transaction, client: PbocClient, kind: Result) -> None:
    """First GENERATE AC, signed (CDA) where that was prepared and no AAC is asked for.

    With a signature that does not hold the TVR says so, and `combined_failed` does.
    """
    data = _list_data(transaction, "CDOL1", transaction.card[tags.CDOL1])
    transaction.first_data = data
    _ask(transaction, client, kind, data, final=False)
    transaction.tsi |= Tsi.CARD_RISK_MANAGED


def second(transaction: Transaction, client: PbocClient, kind: Result) -> None:
    """Second GENERATE AC, TC or AAC.

    After an answer of the issuer, who has verified the first cryptogram, none is signed; without
    one a TC is (profile choice `cda-mode`: mode 2 of EMV Book 4 6.3.2.1.1).
    """
    data = _list_data(transaction, "CDOL2", transaction.card[tags.CDOL2])
    transaction.final_data = data
    _ask(transaction, client, kind, data, final=True)


def combined_failed(transaction: Transaction) -> bool:
    """Whether a cryptogram's signature (CDA) did not hold: its TC or ARQC is worth nothing."""
    return bool(transaction.tvr & Tvr.CDA_FAILED)


def _list_data(transaction: Transaction, name: str, dol: bytes) -> bytes:
    """What a CDOL asks for. Should it want a hash (98), that is over what the card's TDOL asks for;
    a terminal of PBOC has no TDOL of its own, so without one it is over nothing, and the TVR says
    that the default was used (EMV Book 3 9.2.2)."""
    if asks_for(name, dol, tags.TC_HASH):
        tdol = transaction.card.get(tags.TDOL)
        if tdol is None:
            transaction.set(Tvr.DEFAULT_TDOL_USED, Step.CARD_ACTION, f"{name} asks for 98")
        hashed = fill_list(transaction, "TDOL", tdol or b"")
        transaction.terminal[tags.TC_HASH] = certificate_hash(hashed)
    return fill_list(transaction, name, dol)


def _ask(
    transaction: Transaction, client: PbocClient, kind: Result, data: bytes, final: bool
) -> None:
    unanswered = transaction.response is None
    wanted = transaction.cda and unanswered and not combined_failed(transaction)
    cda = wanted and kind is not Result.AAC
    transaction.asked, transaction.answer = kind, b""
    found = client.generate_ac(kind, data, cda=cda, final=final)
    transaction.cid = found.cid
    transaction.answer, transaction.signed = found.answer, found.signed
    ac = found.ac
    transaction.note(
        Step.COMPLETION if final else Step.CARD_ACTION,
        found.result.name,
        _why(kind, found.iad),
    )
    if cda and found.result is not Result.AAC:
        ac = oda.check_combined(transaction)
    transaction.card[tags.CID] = bytes((found.cid,))
    transaction.card[tags.ATC] = found.atc
    transaction.card[tags.AC] = ac
    transaction.card[tags.IAD] = found.iad


def _why(kind: Result, iad: bytes) -> str:
    said = [meaning.english for _, meaning in spelled_out(Cvr, card_results(iad))]
    asked = f"{kind.name} was asked for"
    return f"{asked}; card: {', '.join(said)}" if said else asked


def card_results(iad: bytes) -> int:
    """The 3 bytes of CVR in PBOC's 9F10 as bits of `Cvr`; 0 where there are none in their place."""
    if len(iad) < _IAD_HEAD or iad[0] != _IAD_HEAD or iad[3] != _CVR_LENGTH:
        return 0
    return int.from_bytes(iad[4:7])
