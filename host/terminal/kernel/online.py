# SPDX-License-Identifier: Apache-2.0
"""Online processing (联机处理): what the issuer is told, and what it answers (EMV Book 3 10.9;
JR/T 0025.6). DE55 has the elements that UnionPay's network wants."""

from __future__ import annotations

from typing import Final, NamedTuple

from apdu.errors import FormatError
from apdu.tlv import Tlv, build, find, parse, tlv
from apdu.wire.pboc import tags
from host.network.authorisation import (
    AuthorisationRequest,
    AuthorisationResponse,
    EntryMode,
    Issuer,
    NoAnswer,
)
from host.terminal.kernel.config import TerminalConfig
from host.terminal.kernel.trail import Step
from host.terminal.kernel.transaction import Transaction

OF_CARD: Final = (
    tags.AC,
    tags.CID,
    tags.IAD,
    tags.ATC,
    tags.AIP,
    tags.PSN,
    tags.PRODUCT,
)
OF_TERMINAL: Final = (
    tags.UNPREDICTABLE_NUMBER,
    tags.DATE,
    tags.TRANSACTION_TYPE,
    tags.AMOUNT,
    tags.CURRENCY,
    tags.TERMINAL_COUNTRY,
    tags.OTHER_AMOUNT,
    tags.TERMINAL_CAPABILITIES,
    tags.TERMINAL_TYPE,
    tags.DEVICE_SERIAL,
    tags.TERMINAL_VERSION,
    tags.SEQUENCE_COUNTER,
)
"""What DE55 has of card and terminal, where they have it; the results of the transaction stand
between them."""
_CODE: Final = 2
_AUTHENTICATION: Final = range(8, 17)
"""Bytes of 91 (EMV Book 3 annex A)."""


class IssuerData(NamedTuple):
    """What came back in DE55 for the card."""

    authentication: bytes
    """91, 8 to 16 bytes; empty when there was none."""
    before: tuple[Tlv, ...]
    """Scripts 71."""
    after: tuple[Tlv, ...]
    """Scripts 72."""


NOTHING: Final = IssuerData(b"", (), ())


def chip_data(transaction: Transaction) -> bytes:
    """DE55 of a request, an advice or a reversal, as the transaction stands now."""
    card, terminal = transaction.card, transaction.terminal
    found = [(tag, card[tag]) for tag in OF_CARD if card.get(tag)]
    found += [
        (tags.TVR, transaction.tvr.to_bytes(5)),
        (tags.DF_NAME, transaction.aid),
    ]
    if transaction.cvm_results:
        found.append((tags.CVM_RESULTS, transaction.cvm_results))
    found += [(tag, terminal[tag]) for tag in OF_TERMINAL if terminal.get(tag)]
    if transaction.cash:
        found.append((tags.EC_AUTHORISATION_CODE, card[tags.EC_AUTHORISATION_CODE]))
    if transaction.response_code:
        found.append((tags.ARC, transaction.response_code.encode("ascii")))
    if transaction.script_results:
        found.append((tags.SCRIPT_RESULTS, transaction.script_results))
    return build(tlv(tag, value) for tag, value in found)


def request(
    transaction: Transaction,
    config: TerminalConfig,
    entry: EntryMode = EntryMode.CHIP,
    *,
    advice: bool = False,
) -> AuthorisationRequest:
    """What the issuer is asked, or with `advice` told of what was done offline."""
    order = transaction.order
    return AuthorisationRequest(
        reference=order.reference,
        trace=order.trace,
        time=order.time,
        purpose=order.purpose,
        amount=order.amount,
        pan=transaction.pan,
        psn=transaction.psn,
        terminal_id=config.id,
        merchant_id=config.merchant_id,
        entry_mode=entry,
        currency=order.currency,
        icc=chip_data(transaction),
        pin_block=b"" if advice else transaction.pin_block,
        target=order.target,
        advice=advice,
    )


def go_online(
    transaction: Transaction,
    config: TerminalConfig,
    issuer: Issuer,
    entry: EntryMode = EntryMode.CHIP,
) -> IssuerData | None:
    """Ask the issuer. None: no answer came that can be used, and what the issuer did is not known.

    The response code goes into 8A as it is.
    """
    transaction.request = asked = request(transaction, config, entry)
    try:
        response = issuer.authorise(asked)
        found = issuer_data(response)
    except NoAnswer as fault:
        transaction.note(Step.ONLINE, "no answer", str(fault))
        return None
    except FormatError as error:
        transaction.note(Step.ONLINE, "no answer that can be used", str(error))
        return None
    transaction.response = response
    transaction.response_code = response.response_code
    transaction.authorisation_code = response.authorisation_code
    said = "approved" if response.approved else "declined"
    transaction.note(Step.ONLINE, f"{said} by the issuer", f"code {response.response_code}")
    return found


def issuer_data(response: AuthorisationResponse) -> IssuerData:
    """What an answer has for the card. Raises FormatError naming what is not in its shape."""
    code = response.response_code
    if len(code) != _CODE or not (code.isascii() and code.isalnum()):
        raise FormatError("response code: must be 2 letters or digits")
    found = parse(response.icc)
    authentication = find(found, tags.ISSUER_AUTHENTICATION_DATA)
    if authentication is not None and len(authentication.value) not in _AUTHENTICATION:
        raise FormatError(f"91: {len(authentication.value)} bytes, must be 8 to 16")
    return IssuerData(
        authentication.value if authentication else b"",
        tuple(item for item in found if item.tag == tags.SCRIPT_BEFORE),
        tuple(item for item in found if item.tag == tags.SCRIPT_AFTER),
    )
