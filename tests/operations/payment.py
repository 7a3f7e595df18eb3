# SPDX-License-Identifier: Apache-2.0
"""Cryptograms, issuer authentication and issuer scripts of the payment application.

A session key is given as `key`; where a case gives the card's key (`udk`) and the ATC instead,
the session key is PBOC's, and comes back as `sk`.
"""

from __future__ import annotations

from typing import Any

from operations import Operation, upper
from operations.blocks import BY_NAME, key_of

from apdu.crypto import derive, script
from apdu.crypto.script import Script
from apdu.crypto.suite import BlockKey

WRAPPINGS = {"PBOC": script.PBOC, "VIS": script.VIS, "bare": script.BARE}
unhex = bytes.fromhex


def session_of(suite: str, key: str, udk: str, atc: str) -> tuple[BlockKey, dict[str, Any]]:
    """The session key, and what there is to show of how it came about."""
    if key:
        return key_of(suite, key), {}
    value = derive.pboc_session_key(key_of(suite, udk), unhex(atc))
    return BY_NAME[suite].key(value), {"sk": upper(value)}


# Scripts


def _mac(found: bytes, header: str, data: str) -> dict[str, Any]:
    carried = int(header[-2:], 16) - len(data) // 2
    return {
        "mac": upper(found),
        "carried": upper(found[:carried]),
        "apdu": header + data + upper(found[:carried]),
    }


def _command_mac(suite: str, key: str, header: str, data: str = "") -> dict[str, Any]:
    found = script.command_mac(key_of(suite, key), unhex(header), unhex(data))
    return _mac(found, header, data)


def _script_mac(
    suite: str, header: str, atc: str, link: str, data: str = "", key: str = "", udk: str = ""
) -> dict[str, Any]:
    session, shown = session_of(suite, key, udk, atc)
    found = script.script_mac(session, unhex(header), unhex(atc), unhex(link), unhex(data))
    return shown | _mac(found, header, data)


def _verify_command(suite: str, key: str, header: str, data: str, mac: str) -> dict[str, Any]:
    session = key_of(suite, key)
    return {"ok": script.verify_command(session, unhex(header), unhex(data), unhex(mac))}


def _verify_script(
    suite: str, key: str, header: str, atc: str, link: str, data: str, mac: str
) -> dict[str, Any]:
    parts = map(unhex, (header, atc, link, data, mac))
    return {"ok": script.verify_script(key_of(suite, key), *parts)}


def _encipher(
    suite: str, data: str, wrapping: str, key: str = "", udk: str = "", atc: str = ""
) -> dict[str, Any]:
    session, shown = session_of(suite, key, udk, atc)
    return shown | {"out": upper(script.encipher(session, unhex(data), WRAPPINGS[wrapping]))}


def _decipher(
    suite: str, key: str, data: str, wrapping: str, length: int | None = None
) -> dict[str, Any]:
    session = key_of(suite, key)
    return {"out": upper(script.decipher(session, unhex(data), WRAPPINGS[wrapping], length))}


def _build(commands: list[str], identifier: str = "", tag: int = 0x72) -> dict[str, Any]:
    made = Script(tuple(map(unhex, commands)), unhex(identifier), tag)
    return {"out": upper(made.build())}


def _parse(data: str) -> dict[str, Any]:
    found = Script.parse(unhex(data))
    return {
        "commands": [upper(each) for each in found.commands],
        "identifier": upper(found.identifier),
        "tag": found.tag,
    }


OPERATIONS: dict[str, Operation] = {
    "script.command_mac": _command_mac,
    "script.script_mac": _script_mac,
    "script.verify_command": _verify_command,
    "script.verify_script": _verify_script,
    "script.encipher": _encipher,
    "script.decipher": _decipher,
    "script.Script.build": _build,
    "script.Script.parse": _parse,
}
