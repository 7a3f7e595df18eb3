# SPDX-License-Identifier: Apache-2.0
"""From an authority's key to the card's: the chain of certificates, under RSA or under SM2.

Which of the two a card has, the authority's key says that it names. Each step raises FormatError
with the rule that it broke, MissingData where the card does not hold what it needs. Dates,
revocation and whose card it is are judged here (EMV Book 2 5.3, 6.4; JR/T 0025.7, 0025.17).
"""

from __future__ import annotations

from datetime import date
from typing import Final

from apdu.crypto import gmcert, oda, sm2
from apdu.crypto.certified import ICC, ISSUER, STATIC, IccKey, IssuerKey
from apdu.crypto.oda_input import transaction_hash
from apdu.crypto.rsa import RsaPublicKey
from apdu.errors import FormatError
from apdu.wire.gmcert import Sm2CombinedData
from apdu.wire.oda import CombinedData, DynamicData, IccCertificate, IssuerCertificate
from apdu.wire.pboc import tags
from host.terminal.kernel.capks import AuthorityKey, AuthorityKeys, last_day
from host.terminal.kernel.transaction import Transaction

PublicKey = RsaPublicKey | sm2.PublicKey
_AIP_ALONE: Final = bytes((tags.AIP,))
_RID: Final = 5


class MissingData(FormatError):
    """The card does not hold an element that the method needs."""


def authority_key(transaction: Transaction, keys: AuthorityKeys, sm: bool) -> AuthorityKey:
    """The key that the card names. `sm`: whether the terminal can use one of SM2."""
    index = needed(transaction, tags.CA_INDEX, range(1, 2))[0]
    found = keys.find(transaction.aid[:_RID], index, transaction.order.time.date())
    if isinstance(found.public, sm2.PublicKey) and not sm:
        raise FormatError(f"{found.name}: it is of SM2, which the terminal cannot do")
    return found


def issuer_key(
    transaction: Transaction, authority: AuthorityKey, keys: AuthorityKeys
) -> IssuerKey[PublicKey]:
    """The issuer's key: certified, in force, not revoked, and for this card's number."""
    certificate = needed(transaction, tags.ISSUER_CERTIFICATE)
    found: IssuerKey[PublicKey]
    if isinstance(authority.public, sm2.PublicKey):
        made = gmcert.issuer_key(authority.public, certificate)
        found = IssuerKey(made.key, made.issuer, made.expires, made.serial)
    else:
        exponent = needed(transaction, tags.ISSUER_EXPONENT)
        remainder = transaction.card.get(tags.ISSUER_REMAINDER, b"")
        if not remainder:
            _check_whole(ISSUER, IssuerCertificate, authority.public, certificate, "92")
        under = oda.issuer_key(authority.public, certificate, remainder, exponent)
        found = IssuerKey(under.key, under.issuer, under.expires, under.serial)
    if not found.fits(transaction.pan):
        raise FormatError(f"{ISSUER}: its issuer is not that of the card's number")
    _check_date(ISSUER, found.expires, transaction.order.time.date())
    if keys.is_revoked(authority, found.serial):
        raise FormatError(f"{ISSUER}: serial number {found.serial.hex().upper()} is revoked")
    return found


def card_key(transaction: Transaction, issuer: PublicKey) -> IccKey[PublicKey]:
    """The card's own key: certified with its static data, and in force."""
    certificate = needed(transaction, tags.ICC_CERTIFICATE)
    static, pan = static_data(transaction), transaction.pan
    found: IccKey[PublicKey]
    if isinstance(issuer, sm2.PublicKey):
        made = gmcert.icc_key(issuer, certificate, static, pan)
        found = IccKey(made.key, made.pan, made.expires, made.serial)
    else:
        exponent = needed(transaction, tags.ICC_EXPONENT)
        remainder = transaction.card.get(tags.ICC_REMAINDER, b"")
        if not remainder:
            _check_whole(ICC, IccCertificate, issuer, certificate, "9F48")
        under = oda.icc_key(issuer, certificate, remainder, exponent, static, pan)
        found = IccKey(under.key, under.pan, under.expires, under.serial)
    _check_date(ICC, found.expires, transaction.order.time.date())
    return found


def static_data(transaction: Transaction) -> bytes:
    """The static data to be authenticated: of the records, and the AIP where 9F4A asks for it.

    Raises FormatError when 9F4A asks for anything else (EMV Book 3 10.3).
    """
    named = transaction.card.get(tags.STATIC_TAGS)
    if named is None:
        return transaction.static_data
    if named != _AIP_ALONE:
        raise FormatError("static data authentication tag list (9F4A): must be 82 alone")
    return transaction.static_data + transaction.aip.to_bytes(2)


def authentication_code(transaction: Transaction, issuer: PublicKey) -> bytes:
    """The data authentication code (9F45) that SDA recovers."""
    signed, static = needed(transaction, tags.SIGNED_STATIC_DATA), static_data(transaction)
    if isinstance(issuer, sm2.PublicKey):
        return gmcert.static_data(issuer, signed, static)
    if len(signed) != issuer.size:
        raise FormatError(f"{STATIC}: {len(signed)} bytes, must be {issuer.size}")
    return oda.static_data(issuer, signed, static)


def dynamic_data(card: PublicKey, signed: bytes, terminal: bytes) -> DynamicData:
    """What the card signed for DDA or fDDA; `terminal`: what the terminal gave it."""
    if isinstance(card, sm2.PublicKey):
        return gmcert.dynamic_data(card, signed, terminal)
    return oda.dynamic_data(card, signed, terminal)


def combined_data(
    card: PublicKey, transaction: Transaction, number: bytes
) -> CombinedData | Sm2CombinedData:
    """What the card signed for CDA with its last answer; `number`: the unpredictable number."""
    seen = (
        transaction.options,
        transaction.first_data,
        transaction.final_data,
        transaction.answer,
    )
    if isinstance(card, sm2.PublicKey):
        hashed = gmcert.transaction_hash(*seen)
        return gmcert.combined_data(card, transaction.signed, number, transaction.cid, hashed)
    hashed = transaction_hash(*seen)
    return oda.combined_data(card, transaction.signed, number, transaction.cid, hashed)


def needed(transaction: Transaction, tag: int, sizes: range | None = None) -> bytes:
    """An element that the card must hold; MissingData when it does not."""
    value = transaction.card.get(tag)
    if not value:
        raise MissingData(f"{tag:X}: the card has none")
    if sizes is not None and len(value) not in sizes:
        raise FormatError(f"{tag:X}: {len(value)} bytes")
    return value


def _check_whole(
    name: str,
    layout: type[IssuerCertificate] | type[IccCertificate],
    above: RsaPublicKey,
    certificate: bytes,
    remainder: str,
) -> None:
    """MissingData when a certificate that has no remainder beside it needs one."""
    try:
        found = layout.parse(above.recover(certificate, name))
    except FormatError:
        return  # what is wrong with it is said where it is judged
    if found.key_length > len(found.key):
        raise MissingData(f"{remainder}: the card has none, and the certificate needs one")


def _check_date(name: str, expires: str, day: date) -> None:
    if day > last_day(expires):
        raise FormatError(f"{name}: expired at the end of {expires[:2]}/{expires[2:]}")
