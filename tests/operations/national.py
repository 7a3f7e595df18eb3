# SPDX-License-Identifier: Apache-2.0
"""SM2 and SM3. `k` is what the source of random bytes gives, in turn; the last one again."""

from __future__ import annotations

from typing import Any

from apdu.crypto import sm2, sm2_asn1, sm2_gmssl, sm2_python, sm3
from apdu.crypto.sm2_curve import RECOMMENDED, Curve, Provider
from apdu.crypto.sm2_python import PYTHON
from operations import Operation, upper

unhex = bytes.fromhex
Curved = dict[str, str] | None


def curve_of(written: Curved) -> Curve:
    return (
        Curve(**{name: int(value, 16) for name, value in written.items()})
        if written
        else RECOMMENDED
    )


def drawn(k: str | list[str]) -> sm2.Random:
    left = [k] if isinstance(k, str) else list(k)
    return lambda size: unhex(left.pop(0) if left[1:] else left[0])


def private(value: str, curve: Curved = None) -> sm2.PrivateKey:
    return sm2.PrivateKey(unhex(value), curve_of(curve))


def public(value: str, curve: Curved = None) -> sm2.PublicKey:
    return sm2.PublicKey(unhex(value), curve_of(curve))


# Signatures


def _signer(key: sm2.PublicKey, message: bytes, identity: bytes) -> dict[str, Any]:
    return {
        "public_key": upper(key.value),
        "za": upper(sm2.za(key, identity)),
        "e": upper(sm2.message_digest(key, message, identity)),
    }


def _sign(
    private_key: str, message: str, k: str | list[str], id: str, curve: Curved = None
) -> dict[str, Any]:
    key = private(private_key, curve)
    signature = upper(sm2.sign(key, unhex(message), drawn(k), unhex(id)))
    shown = _signer(key.public, unhex(message), unhex(id))
    return shown | {"signature": signature, "r": signature[:64], "s": signature[64:]}


def _sign_digest(private_key: str, e: str, k: str) -> dict[str, Any]:
    return {"signature": upper(sm2.sign_digest(private(private_key), unhex(e), drawn(k)))}


def _verify(
    public_key: str, message: str, signature: str, id: str, curve: Curved = None
) -> dict[str, Any]:
    key = public(public_key, curve)
    valid = sm2.verify(key, unhex(message), unhex(signature), unhex(id))
    return _signer(key, unhex(message), unhex(id)) | {"valid": valid}


def _message_digest(public_key: str, message: str, id: str, curve: Curved = None) -> dict[str, Any]:
    return _signer(public(public_key, curve), unhex(message), unhex(id))


def _za(public_key: str, id: str, curve: Curved = None) -> dict[str, Any]:
    return {"za": upper(sm2.za(public(public_key, curve), unhex(id)))}


# Encipherment


def _encrypt(
    public_key: str, message: str, k: str | list[str], curve: Curved = None
) -> dict[str, Any]:
    made = upper(sm2.encrypt(public(public_key, curve), unhex(message), drawn(k)))
    return {"ciphertext": made, "c1": made[2:130], "c3": made[130:194], "c2": made[194:]}


def _decrypt(
    private_key: str, ciphertext: str, old_order: bool = False, curve: Curved = None
) -> dict[str, Any]:
    key = private(private_key, curve)
    return {
        "public_key": upper(key.public.value),
        "message": upper(sm2.decrypt(key, unhex(ciphertext), old_order=old_order)),
    }


# Providers: whichever there is comes to the same


def _installed() -> Provider:
    return sm2_gmssl.installed() or PYTHON


def _verifying(provider: Any) -> Operation:
    def run(public_key: str, e: str, signature: str, curve: Curved = None) -> dict[str, Any]:
        key, found = curve_of(curve), unhex(signature)
        return {"valid": provider().verify(key, unhex(public_key), unhex(e), found)}

    return run


def _deciphering(
    private_key: str, c1: str, c3: str, c2: str, curve: Curved = None
) -> dict[str, Any]:
    parts = [unhex(part) for part in (private_key, c1, c3, c2)]
    found = PYTHON.decrypt(curve_of(curve), *parts)
    return {"message": None if found is None else upper(found)}


def _multiplied(factor: str, point: str, curve: Curved = None) -> dict[str, Any]:
    found = sm2_python.multiplied(curve_of(curve), int(factor, 16), unhex(point))
    return {"point": upper(found)}


def _base_point(factor: str, curve: Curved = None) -> dict[str, Any]:
    return {"point": upper(sm2_python.base_point(curve_of(curve), int(factor, 16)))}


# ASN.1


def _to_plain(way: Any) -> Operation:
    return lambda der: {"plain": upper(way(unhex(der)))}


def _to_der(way: Any) -> Operation:
    return lambda plain: {"der": upper(way(unhex(plain)))}


OPERATIONS = {
    "sm3.digest": lambda message: {"digest": upper(sm3.digest(unhex(message)))},
    "sm3.Beginning.digest": lambda beginning, rest: {
        "digest": upper(sm3.Beginning(unhex(beginning)).digest(unhex(rest)))
    },
    "sm3.derive_key": lambda shared, length: {"key": upper(sm3.derive_key(unhex(shared), length))},
    "sm2.generate": lambda k, curve=None: {
        "public_key": upper(sm2.generate(drawn(k), curve_of(curve)).public.value)
    },
    "sm2.za": _za,
    "sm2.message_digest": _message_digest,
    "sm2.sign": _sign,
    "sm2.sign_digest": _sign_digest,
    "sm2.verify": _verify,
    "sm2.encrypt": _encrypt,
    "sm2.decrypt": _decrypt,
    "sm2.provider": _verifying(sm2.provider),
    "sm2_gmssl.installed": _verifying(_installed),
    "sm2_curve.Provider.verify": _verifying(lambda: PYTHON),
    "sm2_curve.Provider.decrypt": _deciphering,
    "sm2_curve.Curve.contains": lambda point, curve=None: {
        "contains": curve_of(curve).contains(unhex(point))
    },
    "sm2_python.base_point": _base_point,
    "sm2_python.multiplied": _multiplied,
    "sm2_python.xor": lambda left, right: {"out": upper(sm2_python.xor(unhex(left), unhex(right)))},
    "sm2_asn1.integer": lambda number: {"der": upper(bytes(sm2_asn1.integer(int(number, 16))))},
    "sm2_asn1.signature_to_der": _to_der(sm2_asn1.signature_to_der),
    "sm2_asn1.signature_from_der": _to_plain(sm2_asn1.signature_from_der),
    "sm2_asn1.ciphertext_to_der": _to_der(sm2_asn1.ciphertext_to_der),
    "sm2_asn1.ciphertext_from_der": _to_plain(sm2_asn1.ciphertext_from_der),
}
