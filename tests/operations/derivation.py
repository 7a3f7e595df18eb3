# SPDX-License-Identifier: Apache-2.0
"""Keys from keys. Derived keys are given as they are (`out`), with odd parity (`odd`), and by the
first bytes of their check value (`check`), which is all that some programs tell of them."""

from __future__ import annotations

from typing import Any

from apdu.crypto import derive
from apdu.crypto.suite import BlockKey
from apdu.crypto.tdes import TDES, odd_parity
from operations import Operation, upper
from operations.blocks import key_of


class Check(str):
    """A check value that equals its beginnings of two bytes or more."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and len(other) >= 4 and self.startswith(other)

    __hash__ = None  # type: ignore[assignment]


def _found(key: bytes, suite: str = TDES.name) -> dict[str, Any]:
    check = key_of(suite, key.hex()).check_value()
    return {"out": upper(key), "odd": upper(odd_parity(key)), "check": Check(upper(check))}


def _from_bytes(way: Any) -> Operation:
    def run(suite: str, key: str, data: str) -> dict[str, Any]:
        return _found(way(key_of(suite, key), bytes.fromhex(data)), suite)

    return run


def _vis_session_key(key: str, data: str) -> dict[str, Any]:
    return _found(derive.vis_session_key(bytes.fromhex(key), bytes.fromhex(data)))


def _udk_factor(pan: str, psn: str, option: str) -> dict[str, Any]:
    return {"out": upper(derive.udk_factor(pan, psn, option))}


def _udk(suite: str, key: str, pan: str, psn: str, option: str) -> dict[str, Any]:
    """The key, and the 8 bytes `y` it was made from."""
    found = _found(derive.udk(key_of(suite, key), pan, psn, option), suite)
    return found | {"y": upper(derive.udk_factor(pan, psn, option))}


def _session(suite: str, key: str, challenge: str) -> BlockKey:
    return derive.challenge_key(key_of(suite, key), bytes.fromhex(challenge))


def _challenge_key(suite: str, key: str, challenge: str) -> dict[str, Any]:
    """The session key itself is not shown, so its check value stands for it."""
    return {"check": upper(_session(suite, key, challenge).check_value())}


def _authentication(suite: str, key: str, challenge: str, data: str) -> dict[str, Any]:
    session = _session(suite, key, challenge)
    return {"out": upper(derive.authentication(session, bytes.fromhex(data)))}


def _complement(data: str) -> dict[str, Any]:
    return {"out": upper(derive.with_complement(bytes.fromhex(data)))}


def _blocks_of(factors: list[str]) -> bytes:
    return derive.factors_with_complement(map(bytes.fromhex, factors))


def _many(
    suite: str, key: str, factors: list[str] | None = None, blocks: str = "", threads: int = 1
) -> dict[str, Any]:
    whole = bytes.fromhex(blocks) if factors is None else _blocks_of(factors)
    return {"out": upper(derive.derive_many(key_of(suite, key), whole, threads))}


OPERATIONS: dict[str, Operation] = {
    "derive.with_complement": _complement,
    "derive.diversify": _from_bytes(derive.diversify),
    "derive.udk_factor": _udk_factor,
    "derive.udk": _udk,
    "derive.pboc_session_key": _from_bytes(derive.pboc_session_key),
    "derive.common_session_key": _from_bytes(derive.common_session_key),
    "derive.vis_session_key": _vis_session_key,
    "derive.challenge_key": _challenge_key,
    "derive.authentication": _authentication,
    "derive.derive_many": _many,
    "derive.factors_with_complement": lambda factors: {"out": upper(_blocks_of(factors))},
}
