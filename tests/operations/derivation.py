# SPDX-License-Identifier: Apache-2.0
"""Keys from keys. Derived DES keys are given as they are (`out`) and with odd parity (`odd`)."""

from __future__ import annotations

from typing import Any

from operations import Operation, upper
from operations.blocks import key_of

from apdu.crypto import derive
from apdu.crypto.tdes import odd_parity


def _found(key: bytes) -> dict[str, Any]:
    return {"out": upper(key), "odd": upper(odd_parity(key))}


def _from_bytes(way: Any) -> Operation:
    def run(suite: str, key: str, data: str) -> dict[str, Any]:
        return _found(way(key_of(suite, key), bytes.fromhex(data)))

    return run


def _udk(suite: str, key: str, pan: str, psn: str, option: str) -> dict[str, Any]:
    return _found(derive.udk(key_of(suite, key), pan, psn, option))


def _authentication(suite: str, key: str, challenge: str, data: str) -> dict[str, Any]:
    session = derive.challenge_key(key_of(suite, key), bytes.fromhex(challenge))
    return {"out": upper(derive.authentication(session, bytes.fromhex(data)))}


def _challenge_key(suite: str, key: str, challenge: str) -> dict[str, Any]:
    """The session key itself is not shown, so its check value stands for it."""
    session = derive.challenge_key(key_of(suite, key), bytes.fromhex(challenge))
    return {"check": upper(session.check_value())}


def _many(suite: str, key: str, factors: list[str], threads: int = 1) -> dict[str, Any]:
    blocks = derive.factors_with_complement(map(bytes.fromhex, factors))
    return {"out": upper(derive.derive_many(key_of(suite, key), blocks, threads))}


OPERATIONS = {
    "derive.with_complement": lambda data: {
        "out": upper(derive.with_complement(bytes.fromhex(data)))
    },
    "derive.diversify": _from_bytes(derive.diversify),
    "derive.udk_factor": lambda pan, psn, option: {
        "out": upper(derive.udk_factor(pan, psn, option))
    },
    "derive.udk": _udk,
    "derive.pboc_session_key": _from_bytes(derive.pboc_session_key),
    "derive.common_session_key": _from_bytes(derive.common_session_key),
    "derive.vis_session_key": lambda key, data: _found(
        derive.vis_session_key(bytes.fromhex(key), bytes.fromhex(data))
    ),
    "derive.challenge_key": _challenge_key,
    "derive.authentication": _authentication,
    "derive.derive_many": _many,
    "derive.factors_with_complement": lambda factors: {
        "out": upper(derive.factors_with_complement(map(bytes.fromhex, factors)))
    },
}
