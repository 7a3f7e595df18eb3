# SPDX-License-Identifier: Apache-2.0
"""X.509 certificates with SM2 keys. Serial numbers are written in hex, times as ISO 8601."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from apdu.crypto import x509
from operations import upper
from operations.national import drawn, private, public, unhex


def _read(der: str) -> dict[str, Any]:
    found = x509.read(unhex(der))
    return {
        "subject": found.subject,
        "issuer": found.issuer,
        "serial": f"{found.serial:X}",
        "not_before": found.not_before.isoformat(),
        "not_after": found.not_after.isoformat(),
        "public_key": upper(found.public.value),
        "purposes": sorted(purpose.name for purpose in found.purposes),
    }


def _verify(der: str, issuer_public_key: str) -> dict[str, Any]:
    return {"valid": x509.verify(x509.read(unhex(der)), public(issuer_public_key))}


def _trusted(der: str, authority: str, moment: str) -> dict[str, Any]:
    certificate, above = x509.read(unhex(der)), x509.read(unhex(authority))
    return {"trusted": x509.trusted(certificate, above, datetime.fromisoformat(moment))}


def _make(
    private_key: str,
    issuer: str,
    subject: str,
    public_key: str,
    serial: str,
    not_before: str,
    not_after: str,
    purpose: str,
    k: str,
) -> dict[str, Any]:
    made = x509.make(
        private(private_key),
        issuer,
        drawn(k),
        subject=subject,
        public=public(public_key),
        serial=int(serial, 16),
        not_before=datetime.fromisoformat(not_before),
        not_after=datetime.fromisoformat(not_after),
        purpose=x509.Purpose[purpose],
    )
    return {"der": upper(made)}


OPERATIONS = {
    "x509.read": _read,
    "x509.verify": _verify,
    "x509.trusted": _trusted,
    "x509.make": _make,
}
