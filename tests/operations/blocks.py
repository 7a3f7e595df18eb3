# SPDX-License-Identifier: Apache-2.0
"""Blocks, MACs, padding and check values.

Modes that the core does not have are put together here from those that it has, so that what is
published for them judges the core: counter mode from enciphered blocks, CBC with an IV from MACs.
"""

from __future__ import annotations

from typing import Any

from apdu.crypto import padding, tdes
from apdu.crypto.suite import BlockKey
from apdu.crypto.suites import SUITES
from operations import Operation, upper

BY_NAME = {suite.name: suite for suite in SUITES.values()}
PADDINGS = {
    "method 1": padding.method_1,
    "method 2": padding.method_2,
    "when needed": padding.when_needed,
    "none": padding.without,
}


def key_of(suite: str, key: str) -> BlockKey:
    return BY_NAME[suite].key(bytes.fromhex(key))


def _xor(left: bytes, right: bytes) -> bytes:
    """As long as the shorter one."""
    return bytes(a ^ b for a, b in zip(left, right, strict=False))


def _encrypt(suite: str, key: str, data: str, times: int = 1, counter: str = "") -> dict[str, Any]:
    """`times`: what comes out goes in again. `counter`: the first block of counter mode."""
    ready, block = key_of(suite, key), bytes.fromhex(data)
    if counter:
        size, first = ready.suite.block, int.from_bytes(bytes.fromhex(counter))
        count = range(len(block) // size)
        stream = ready.encrypt(b"".join((first + n).to_bytes(size) for n in count))
        return {"out": upper(_xor(stream, block))}
    for _ in range(times):
        block = ready.encrypt(block)
    return {"out": upper(block)}


def _decrypt(suite: str, key: str, data: str) -> dict[str, Any]:
    return {"out": upper(key_of(suite, key).decrypt(bytes.fromhex(data)))}


def _mac(suite: str, key: str, data: str, padding: str = "method 2") -> dict[str, Any]:
    """The MAC, and its first half as most commands carry it."""
    found = key_of(suite, key).mac(bytes.fromhex(data), PADDINGS[padding])
    return {"mac": upper(found), "mac4": upper(found[:4])}


def _mac_once(suite: str, key: str, data: str) -> dict[str, Any]:
    made = BY_NAME[suite].mac_once(bytes.fromhex(key), bytes.fromhex(data))
    return {"mac": upper(made)}


def _cbc_mac(
    suite: str, key: str, data: str, padding: str = "method 2", iv: str = "", last: str = ""
) -> dict[str, Any]:
    """The MAC. `iv`: also the `chain`, all blocks of CBC, each of them the MAC of what led to it.
    `last`: also the MAC deciphered under this key and enciphered again."""
    ready, whole = key_of(suite, key), bytes.fromhex(data)
    size, start = ready.suite.block, bytes.fromhex(iv)
    whole = _xor(start, whole) + whole[len(start) :]
    way = PADDINGS[padding]
    found = {"mac": upper(ready.cbc_mac(whole, way))}
    if iv:
        ends = range(size, len(whole) + 1, size)
        found["chain"] = upper(b"".join(ready.cbc_mac(whole[:end], way) for end in ends))
    if last:
        once_more = key_of(suite, last).decrypt(bytes.fromhex(found["mac"]))
        found["last"] = upper(ready.encrypt(once_more))
    return found


def _check_value(suite: str, key: str, length: int = 3) -> dict[str, Any]:
    return {"out": upper(key_of(suite, key).check_value(length))}


def _pad(way: padding.Padding) -> Operation:
    def run(data: str, block: int) -> dict[str, Any]:
        return {"out": upper(way(bytes.fromhex(data), block))}

    return run


def _once(suite: str, key: str, data: str) -> dict[str, Any]:
    """A key that keeps nothing: its MAC over the data, and its check value."""
    made = BY_NAME[suite].once(bytes.fromhex(key))
    return {"mac": upper(made.mac(bytes.fromhex(data))), "check": upper(made.check_value())}


OPERATIONS: dict[str, Operation] = {
    "suite.BlockKey.encrypt": _encrypt,
    "suite.BlockKey.decrypt": _decrypt,
    "suite.BlockKey.mac": _mac,
    "suite.BlockKey.cbc_mac": _cbc_mac,
    "suite.BlockKey.check_value": _check_value,
    "suite.Suite.once": _once,
    "suite.Suite.mac_once": _mac_once,
    "suite.BlockKey.folded": lambda suite, key: {
        "check": upper(key_of(suite, key).folded().check_value())
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
