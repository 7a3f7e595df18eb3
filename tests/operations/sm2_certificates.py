# SPDX-License-Identifier: Apache-2.0
"""The signed objects of payment cards with SM2."""

from __future__ import annotations

from typing import Any

from apdu.crypto import gmcert, gmcert_sign
from apdu.wire.gmcert import Sm2CombinedData
from apdu.wire.oda import DynamicData
from operations import upper
from operations.national import drawn, private, public, unhex


def _ca_key(rid: str, index: str, public_key: str, expiry_mmyy: str) -> gmcert.CaKey:
    return gmcert.CaKey(unhex(rid), int(index, 16), public(public_key), expiry_mmyy)


def _ca_verify(signature: str, **ca: str) -> dict[str, Any]:
    return {"valid": _ca_key(**ca).verify(unhex(signature))}


def _sign_ca(private_key: str, k: str, **ca: str) -> dict[str, Any]:
    made = gmcert_sign.sign_ca(private(private_key), _ca_key(**ca), drawn(k))
    return {"signature": upper(made)}


def _issuer_key(ca_public_key: str, tag_90: str) -> dict[str, Any]:
    found = gmcert.issuer_key(public(ca_public_key), unhex(tag_90))
    return {
        "public_key": upper(found.key.value),
        "issuer": found.issuer,
        "expires": found.expires,
        "serial": upper(found.serial),
        "length": len(unhex(tag_90)),
    }


def _icc_key(issuer_public_key: str, tag_9f46: str, static_data: str, pan: str) -> dict[str, Any]:
    issuer = public(issuer_public_key)
    found = gmcert.icc_key(issuer, unhex(tag_9f46), unhex(static_data), pan)
    return {
        "public_key": upper(found.key.value),
        "pan": found.pan,
        "expires": found.expires,
        "serial": upper(found.serial),
        "length": len(unhex(tag_9f46)),
    }


def _static_data(issuer_public_key: str, tag_93: str, static_data: str) -> dict[str, Any]:
    issuer, signed = public(issuer_public_key), unhex(tag_93)
    code = gmcert.static_data(issuer, signed, unhex(static_data))
    return {"code": upper(code), "length": len(signed)}


def _dynamic_data(icc_public_key: str, tag_9f4b: str, ddol_data: str) -> dict[str, Any]:
    found = gmcert.dynamic_data(public(icc_public_key), unhex(tag_9f4b), unhex(ddol_data))
    return {"number": upper(found.number), "more": upper(found.more), "ldd": len(bytes(found))}


def _combined_data(
    icc_public_key: str, tag_9f4b: str, un: str, cid: int, transaction_data: str
) -> dict[str, Any]:
    hashed = gmcert.transaction_hash(unhex(transaction_data), b"", b"", unhex("7700"))
    icc = public(icc_public_key)
    found = gmcert.combined_data(icc, unhex(tag_9f4b), unhex(un), cid, hashed)
    return {
        "transaction_hash_sm3": upper(hashed),
        "icc_dynamic_data": upper(bytes(found)),
        "number": upper(found.number),
        "cryptogram": upper(found.cryptogram),
    }


def _transaction_hash(pdol: str, cdol1: str, cdol2: str, answer: str) -> dict[str, Any]:
    parts = [unhex(part) for part in (pdol, cdol1, cdol2, answer)]
    return {"hash": upper(gmcert.transaction_hash(*parts))}


def _sign_issuer(
    ca_private_key: str, public_key: str, issuer: str, expires: str, serial: str, k: str
) -> dict[str, Any]:
    ca, key = private(ca_private_key), public(public_key)
    made = gmcert_sign.sign_issuer(ca, key, issuer, expires, unhex(serial), drawn(k))
    return {"tag_90": upper(made)}


def _sign_icc(
    issuer_private_key: str,
    public_key: str,
    pan: str,
    expires: str,
    serial: str,
    static_data: str,
    k: str,
) -> dict[str, Any]:
    issuer, key = private(issuer_private_key), public(public_key)
    rest = pan, expires, unhex(serial), unhex(static_data)
    return {"tag_9f46": upper(gmcert_sign.sign_icc(issuer, key, *rest, drawn(k)))}


def _sign_static(issuer_private_key: str, code: str, static_data: str, k: str) -> dict[str, Any]:
    issuer = private(issuer_private_key)
    made = gmcert_sign.sign_static(issuer, unhex(code), unhex(static_data), drawn(k))
    return {"tag_93": upper(made)}


def _sign_dynamic(
    icc_private_key: str, data: str, terminal: str, k: str, combined: bool = False
) -> dict[str, Any]:
    layout: Any = Sm2CombinedData if combined else DynamicData
    said, icc = layout.parse(unhex(data)), private(icc_private_key)
    return {"tag_9f4b": upper(gmcert_sign.sign_dynamic(icc, said, unhex(terminal), drawn(k)))}


def _sign_combined(
    icc_private_key: str, number: str, cid: int, ac: str, transaction: str, terminal: str, k: str
) -> dict[str, Any]:
    said = unhex(number), cid, unhex(ac), unhex(transaction), unhex(terminal)
    made = gmcert_sign.sign_combined(private(icc_private_key), *said, drawn(k))
    return {"tag_9f4b": upper(made)}


OPERATIONS = {
    "gmcert.CaKey.verify": _ca_verify,
    "gmcert.issuer_key": _issuer_key,
    "gmcert.icc_key": _icc_key,
    "gmcert.static_data": _static_data,
    "gmcert.dynamic_data": _dynamic_data,
    "gmcert.combined_data": _combined_data,
    "gmcert.transaction_hash": _transaction_hash,
    "gmcert_sign.sign_ca": _sign_ca,
    "gmcert_sign.sign_issuer": _sign_issuer,
    "gmcert_sign.sign_icc": _sign_icc,
    "gmcert_sign.sign_static": _sign_static,
    "gmcert_sign.sign_dynamic": _sign_dynamic,
    "gmcert_sign.sign_combined": _sign_combined,
}
