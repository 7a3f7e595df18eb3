# SPDX-License-Identifier: Apache-2.0
"""Blocks, MACs, padding and check values."""

from __future__ import annotations

from typing import Any

from operations import Operation, upper

from apdu.crypto import padding, tdes
from apdu.crypto.suite import BlockKey
from apdu.crypto.suites import SUITES

BY_NAME = {suite.name: suite for suite in SUITES.values()}
PADDINGS = {
    "method 1": padding.method_1,
    "method 2": padding.method_2,
    "when needed": padding.when_needed,
    "none": padding.without,
}


def key_of(suite: str, key: str) -> BlockKey:
    return BY_NAME[suite].key(bytes.fromhex(key))


def _ecb(way: str) -> Operation:
    def run(suite: str, key: str, data: str, times: int = 1) -> dict[str, Any]:
        block, cipher = bytes.fromhex(data), getattr(key_of(suite, key), way)
        for _ in range(times):
            block = cipher(block)
        return {"out": upper(block)}

    return run


def _mac(way: str) -> Operation:
    def run(suite: str, key: str, data: str, padding: str = "method 2") -> dict[str, Any]:
        found = getattr(key_of(suite, key), way)(bytes.fromhex(data), PADDINGS[padding])
        return {"mac": upper(found), "mac4": upper(found[:4])}

    return run


def _pad(way: padding.Padding) -> Operation:
    def run(data: str, block: int) -> dict[str, Any]:
        return {"out": upper(way(bytes.fromhex(data), block))}

    return run


OPERATIONS = {
    "suite.BlockKey.encrypt": _ecb("encrypt"),
    "suite.BlockKey.decrypt": _ecb("decrypt"),
    "suite.BlockKey.mac": _mac("mac"),
    "suite.BlockKey.cbc_mac": _mac("cbc_mac"),
    "suite.BlockKey.check_value": lambda suite, key: {
        "out": upper(key_of(suite, key).check_value())
    },
    "suite.Suite.key": lambda suite, key: {"name": key_of(suite, key).suite.name},
    "suite.Suite.remarks": lambda suite, key: {
        "remarks": list(BY_NAME[suite].remarks(bytes.fromhex(key)))
    },
    "padding.method_1": _pad(padding.method_1),
    "padding.method_2": _pad(padding.method_2),
    "padding.when_needed": _pad(padding.when_needed),
    "padding.without": _pad(padding.without),
    "padding.strip_2": _pad(padding.strip_2),
    "tdes.odd_parity": lambda key: {"out": upper(tdes.odd_parity(bytes.fromhex(key)))},
}
