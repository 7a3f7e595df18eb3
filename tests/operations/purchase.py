# SPDX-License-Identifier: Apache-2.0
"""The cryptograms of a purchase from the medical account, and of a load of it. Their input is
given as it is written."""

from __future__ import annotations

from typing import Any

from apdu.crypto import purchase
from apdu.crypto.suite import BlockKey
from apdu.wire.purchase import (
    LoadMac1Input,
    LoadMac2Input,
    LoadTacInput,
    Mac1Input,
    Mac2Input,
    TacInput,
)
from operations import Operation, upper
from operations.blocks import key_of


def _session(suite: str, dpk: str, random: str, card: str, terminal: str) -> BlockKey:
    return purchase.purchase_key(
        key_of(suite, dpk), bytes.fromhex(random), bytes.fromhex(card), bytes.fromhex(terminal)
    )


def _purchase_key(**given: str) -> dict[str, Any]:
    """The session key itself is not shown, so its check value stands for it."""
    return {"check": upper(_session(**given).check_value())}


def _mac1(data: str, **given: str) -> dict[str, Any]:
    return {"out": upper(purchase.mac1(_session(**given), Mac1Input.parse(bytes.fromhex(data))))}


def _mac2(data: str, **given: str) -> dict[str, Any]:
    return {"out": upper(purchase.mac2(_session(**given), Mac2Input.parse(bytes.fromhex(data))))}


def _tac(suite: str, dtk: str, data: str) -> dict[str, Any]:
    return {"out": upper(purchase.tac(key_of(suite, dtk), TacInput.parse(bytes.fromhex(data))))}


def _load_session(suite: str, dlk: str, random: str, card: str) -> BlockKey:
    return purchase.load_key(key_of(suite, dlk), bytes.fromhex(random), bytes.fromhex(card))


def _load_key(**given: str) -> dict[str, Any]:
    return {"check": upper(_load_session(**given).check_value())}


def _load_mac1(data: str, **given: str) -> dict[str, Any]:
    asked = LoadMac1Input.parse(bytes.fromhex(data))
    return {"out": upper(purchase.load_mac1(_load_session(**given), asked))}


def _load_mac2(data: str, **given: str) -> dict[str, Any]:
    allowed = LoadMac2Input.parse(bytes.fromhex(data))
    return {"out": upper(purchase.load_mac2(_load_session(**given), allowed))}


def _load_tac(suite: str, dtk: str, data: str) -> dict[str, Any]:
    booked = LoadTacInput.parse(bytes.fromhex(data))
    return {"out": upper(purchase.load_tac(key_of(suite, dtk), booked))}


OPERATIONS: dict[str, Operation] = {
    "purchase.purchase_key": _purchase_key,
    "purchase.mac1": _mac1,
    "purchase.mac2": _mac2,
    "purchase.tac": _tac,
    "purchase.load_key": _load_key,
    "purchase.load_mac1": _load_mac1,
    "purchase.load_mac2": _load_mac2,
    "purchase.load_tac": _load_tac,
}
