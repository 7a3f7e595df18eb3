# SPDX-License-Identifier: Apache-2.0
"""The provider made of gmssl-pyx (GmSSL, extra `sm2`), about twice as fast as the one in Python.

It knows the recommended curve alone, and messages of up to 255 bytes; the rest is left to Python.
GmSSL writes a line with the place in its source to stderr whenever something does not verify.
"""
# mypy: disable-error-code="import-not-found,import-untyped"

from __future__ import annotations

from typing import Any, Final

from apdu.crypto.sm2_asn1 import ciphertext_to_der, signature_to_der
from apdu.crypto.sm2_curve import RECOMMENDED, Curve, Provider
from apdu.crypto.sm2_python import PYTHON

_LONGEST: Final = 255


class GmsslProvider(Provider):
    """`library` is the module gmssl_pyx."""

    name = "gmssl"

    def __init__(self, library: Any) -> None:
        self._library = library

    def verify(self, curve: Curve, public: bytes, digest: bytes, signature: bytes) -> bool:
        if curve != RECOMMENDED:
            return PYTHON.verify(curve, public, digest, signature)
        library = self._library
        try:
            return bool(library.sm2_verify_sm3_digest(public, digest, signature_to_der(signature)))
        except library.GmsslInnerError:
            return False

    def decrypt(
        self, curve: Curve, private: bytes, point: bytes, check: bytes, hidden: bytes
    ) -> bytes | None:
        if curve != RECOMMENDED or len(hidden) > _LONGEST:
            return PYTHON.decrypt(curve, private, point, check, hidden)
        library = self._library
        try:
            found: bytes = library.sm2_decrypt(
                private, ciphertext_to_der(b"\x04" + point + check + hidden)
            )
        except library.GmsslInnerError:
            return None
        return found


def installed() -> Provider | None:
    """The provider, or None where the library is not."""
    try:
        import gmssl_pyx
    except ImportError:
        return None
    return GmsslProvider(gmssl_pyx)
