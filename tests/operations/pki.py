# SPDX-License-Identifier: Apache-2.0
"""What the PKI application computes. Its PINs and keys are in the books as they are."""

from __future__ import annotations

from typing import Any

from apdu.crypto import pki
from apdu.wire.codes import pin_bytes
from operations import Operation, upper
from operations.blocks import key_of

unhex = bytes.fromhex


def _pin_key(pin: str) -> dict[str, Any]:
    return {"key": upper(pki.pin_key(pin_bytes(pin)))}


def _proof(key: str, challenge: str) -> dict[str, Any]:
    return {"proof": upper(pki.proof(key_of("SM4", key), unhex(challenge)))}


def _folded_mac(key: str, challenge: str, data: str) -> dict[str, Any]:
    return {"mac": upper(pki.folded_mac(key_of("SM4", key), unhex(challenge), unhex(data)))}


OPERATIONS: dict[str, Operation] = {
    "pki.pin_key": _pin_key,
    "pki.proof": _proof,
    "pki.folded_mac": _folded_mac,
}
