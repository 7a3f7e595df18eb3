# SPDX-License-Identifier: Apache-2.0
"""RSA, the keys of certification authorities, and offline data authentication.

Private keys are given by their parts or primes; they are published test keys. `recovered` and
`block` are what a signature holds under the public key.
"""

from __future__ import annotations

from typing import Any

from apdu.crypto import certified, oda, oda_input, oda_sign
from apdu.crypto.ca_keys import CaKey
from apdu.crypto.rsa import CrtParts, RsaPrivateKey, RsaPublicKey, crt_parts
from apdu.wire.oda import CombinedData, DynamicData, IccCertificate, IssuerCertificate
from operations import Operation, upper

unhex = bytes.fromhex
PARTS = ("p", "q", "dp", "dq", "qinv")


def chance(size: int) -> bytes:
    """The result does not depend on what blinds it."""
    return b"\x5a" * size


def public(modulus: str, exponent: str) -> RsaPublicKey:
    return RsaPublicKey(unhex(modulus), unhex(exponent))


def private(key: dict[str, str]) -> RsaPrivateKey:
    """A key by its five parts, or by its primes and the public exponent."""
    if "exponent" in key:
        return RsaPrivateKey.from_crt(crt_parts(*(unhex(key[n]) for n in ("p", "q", "exponent"))))
    return RsaPrivateKey.from_crt(CrtParts(*(unhex(key[name]) for name in PARTS)))


def _public_of(key: RsaPublicKey) -> dict[str, Any]:
    return {"modulus": upper(key.modulus), "exponent": upper(key.exponent)}


def _recover(modulus: str, exponent: str, signature: str) -> dict[str, Any]:
    return {"out": upper(public(modulus, exponent).recover(unhex(signature)))}


def _crt_parts(p: str, q: str, exponent: str) -> dict[str, Any]:
    found = crt_parts(unhex(p), unhex(q), unhex(exponent))
    return {name: upper(getattr(found, name)) for name in PARTS}


def _sign(key: dict[str, str], block: str, private_exponent: str = "") -> dict[str, Any]:
    """`plain`: the same by the private exponent alone, without parts, blinding and check."""
    made = private(key)
    found: dict[str, Any] = {"out": upper(made.sign(unhex(block), chance))}
    if private_exponent:
        modulus = int.from_bytes(made.public.modulus)
        plain = pow(int(block, 16), int(private_exponent, 16), modulus)
        found["plain"] = upper(plain.to_bytes(made.public.size))
    return found


def _ca_key(rid: str, index: str, modulus: str, exponent: str) -> CaKey:
    return CaKey(unhex(rid), int(index, 16), unhex(modulus), unhex(exponent))


def _under(modulus: str, exponent: str, signed: str) -> dict[str, Any]:
    return {"recovered": upper(public(modulus, exponent).recover(unhex(signed)))}


def _issuer_key(
    ca_modulus: str, ca_exponent: str, certificate: str, remainder: str, exponent: str
) -> dict[str, Any]:
    ca = public(ca_modulus, ca_exponent)
    found = oda.issuer_key(ca, unhex(certificate), unhex(remainder), unhex(exponent))
    return {
        **_public_of(found.key),
        **_under(ca_modulus, ca_exponent, certificate),
        "issuer": found.issuer,
        "expires": found.expires,
        "serial": upper(found.serial),
    }


def _icc_key(
    issuer_modulus: str,
    issuer_exponent: str,
    certificate: str,
    remainder: str,
    exponent: str,
    pan: str,
    static: str | None = None,
) -> dict[str, Any]:
    issuer = public(issuer_modulus, issuer_exponent)
    parts = unhex(certificate), unhex(remainder), unhex(exponent)
    if static is None:
        found = oda.icc_pin_key(issuer, *parts, pan)
    else:
        found = oda.icc_key(issuer, *parts, unhex(static), pan)
    return {
        **_public_of(found.key),
        **_under(issuer_modulus, issuer_exponent, certificate),
        "pan": found.pan,
        "expires": found.expires,
        "serial": upper(found.serial),
    }


def _whole_modulus(
    issuer_modulus: str, issuer_exponent: str, certificate: str, remainder: str
) -> dict[str, Any]:
    block = public(issuer_modulus, issuer_exponent).recover(unhex(certificate))
    layout = {2: IssuerCertificate, 4: IccCertificate}[block[1]]
    found = oda.whole_modulus(layout.parse(block), unhex(remainder))
    return {"recovered": upper(block), "modulus": upper(found)}


def _static_data(
    issuer_modulus: str, issuer_exponent: str, signed: str, static: str
) -> dict[str, Any]:
    issuer = public(issuer_modulus, issuer_exponent)
    code = oda.static_data(issuer, unhex(signed), unhex(static))
    return {"code": upper(code), **_under(issuer_modulus, issuer_exponent, signed)}


def _dynamic_data(
    icc_modulus: str, icc_exponent: str, signed: str, terminal: str
) -> dict[str, Any]:
    found = oda.dynamic_data(public(icc_modulus, icc_exponent), unhex(signed), unhex(terminal))
    shown = {"number": upper(found.number), "more": upper(found.more)}
    return {**shown, **_under(icc_modulus, icc_exponent, signed)}


def _combined_data(
    icc_modulus: str, icc_exponent: str, signed: str, number: str, cid: int, transaction: str
) -> dict[str, Any]:
    icc = public(icc_modulus, icc_exponent)
    found = oda.combined_data(icc, unhex(signed), unhex(number), cid, unhex(transaction))
    shown = {"number": upper(found.number), "cryptogram": upper(found.cryptogram)}
    return {**shown, **_under(icc_modulus, icc_exponent, signed)}


def _fits(issuer: str, pan: str) -> dict[str, Any]:
    return {"fits": certified.IssuerKey("a key", issuer, "1230", bytes(3)).fits(pan)}


def _fdda_data(version: int, number: str, **others: str) -> dict[str, Any]:
    values = {name: unhex(value) for name, value in others.items()}
    return {"out": upper(oda_input.fdda_data(version, unhex(number), **values))}


def _transaction_data(pdol: str, cdol1: str, cdol2: str, answer: str) -> dict[str, Any]:
    return {"out": upper(oda_input.transaction_data(*map(unhex, (pdol, cdol1, cdol2, answer))))}


def _transaction_hash(pdol: str, cdol1: str, cdol2: str, answer: str) -> dict[str, Any]:
    return {"out": upper(oda_input.transaction_hash(*map(unhex, (pdol, cdol1, cdol2, answer))))}


def _certificate(signer: RsaPrivateKey, made: oda_sign.KeyCertificate) -> dict[str, Any]:
    return {
        "certificate": upper(made.certificate),
        "remainder": upper(made.remainder),
        "exponent": upper(made.exponent),
        "block": upper(signer.public.recover(made.certificate)),
    }


def _sign_issuer(
    ca: dict[str, str], modulus: str, exponent: str, issuer: str, expires: str, serial: str
) -> dict[str, Any]:
    signer, key = private(ca), public(modulus, exponent)
    made = oda_sign.sign_issuer(signer, key, issuer, expires, unhex(serial), chance)
    return _certificate(signer, made)


def _sign_icc(
    issuer: dict[str, str],
    modulus: str,
    exponent: str,
    pan: str,
    expires: str,
    serial: str,
    static: str,
) -> dict[str, Any]:
    signer, key = private(issuer), public(modulus, exponent)
    made = oda_sign.sign_icc(signer, key, pan, expires, unhex(serial), unhex(static), chance)
    return _certificate(signer, made)


def _signature(signer: RsaPrivateKey, signed: bytes) -> dict[str, Any]:
    return {"signed": upper(signed), "block": upper(signer.public.recover(signed))}


def _sign_static(issuer: dict[str, str], code: str, static: str) -> dict[str, Any]:
    signer = private(issuer)
    return _signature(signer, oda_sign.sign_static(signer, unhex(code), unhex(static), chance))


def _sign_dynamic(
    icc: dict[str, str], data: str, terminal: str, private_exponent: str = "", kind: str = "DDA"
) -> dict[str, Any]:
    signer = private(icc)
    layout: type[DynamicData | CombinedData] = CombinedData if kind == "CDA" else DynamicData
    said = layout.parse(unhex(data))
    found = _signature(signer, oda_sign.sign_dynamic(signer, said, unhex(terminal), chance))
    if private_exponent:
        found["plain"] = _sign(icc, found["block"], private_exponent)["plain"]
    return found


def _sign_combined(
    icc: dict[str, str], number: str, cid: int, ac: str, transaction: str, terminal: str
) -> dict[str, Any]:
    signer = private(icc)
    said = unhex(number), cid, unhex(ac), unhex(transaction)
    return _signature(signer, oda_sign.sign_combined(signer, *said, unhex(terminal), chance))


OPERATIONS: dict[str, Operation] = {
    "rsa.RsaPublicKey.recover": _recover,
    "rsa.crt_parts": _crt_parts,
    "rsa.RsaPrivateKey.from_crt": lambda **key: _public_of(private(key).public),
    "rsa.RsaPrivateKey.sign": _sign,
    "ca_keys.CaKey.check_value": lambda **key: {"out": upper(_ca_key(**key).check_value())},
    "ca_keys.CaKey.public": lambda **key: _public_of(_ca_key(**key).public()),
    "oda.issuer_key": _issuer_key,
    "oda.icc_key": _icc_key,
    "oda.icc_pin_key": _icc_key,
    "oda.whole_modulus": _whole_modulus,
    "oda.static_data": _static_data,
    "oda.dynamic_data": _dynamic_data,
    "oda.combined_data": _combined_data,
    "certified.IssuerKey.fits": _fits,
    "oda_input.fdda_data": _fdda_data,
    "oda_input.transaction_data": _transaction_data,
    "oda_input.certificate_hash": lambda data: {
        "out": upper(oda_input.certificate_hash(unhex(data)))
    },
    "oda_input.transaction_hash": _transaction_hash,
    "oda_sign.sign_issuer": _sign_issuer,
    "oda_sign.sign_icc": _sign_icc,
    "oda_sign.sign_static": _sign_static,
    "oda_sign.sign_dynamic": _sign_dynamic,
    "oda_sign.sign_combined": _sign_combined,
}
