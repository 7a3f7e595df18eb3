# SPDX-License-Identifier: Apache-2.0
"""Secure messaging, whole commands: under a messaging key (`stk`) and a challenge, or under the
keys of a payment card (`udk_mac`, `udk_enc`), the ATC and the cryptogram (`link`)."""

from __future__ import annotations

from typing import Any

from apdu.command import CommandAPDU
from apdu.errors import StatusError
from apdu.messaging import Messaging, challenge_messaging, script_messaging
from operations import Operation, upper
from operations.blocks import key_of

unhex = bytes.fromhex


def _messaging(suite: str, keys: dict[str, str]) -> Messaging:
    if "stk" in keys:
        return challenge_messaging(key_of(suite, keys["stk"]), unhex(keys["challenge"]))
    mac, enc = (key_of(suite, keys[name]) for name in ("udk_mac", "udk_enc"))
    return script_messaging(mac, enc, unhex(keys["atc"]), unhex(keys["link"]))


def _keys(suite: str, **keys: str) -> dict[str, Any]:
    """The session keys are not shown, so their check values stand for them."""
    found = _messaging(suite, keys)
    return {name: upper(getattr(found, name).check_value()) for name in ("mac_key", "cipher")}


def _protect(suite: str, command: str, enciphered: bool = False, **keys: str) -> dict[str, Any]:
    plain = CommandAPDU.parse(unhex(command))
    return {"apdu": upper(bytes(_messaging(suite, keys).protect(plain, enciphered=enciphered)))}


def _open(suite: str, apdu: str, enciphered: bool = False, **keys: str) -> dict[str, Any]:
    """What was protected, or the status word that says no."""
    raw = unhex(apdu)
    try:
        found = _messaging(suite, keys).open(raw[:4], raw[5:], enciphered=enciphered)
    except StatusError as refused:
        return {"sw": f"{refused.sw:04X}"}
    return {"out": upper(found)}


OPERATIONS: dict[str, Operation] = {
    "messaging.challenge_messaging": _keys,
    "messaging.script_messaging": _keys,
    "messaging.Messaging.protect": _protect,
    "messaging.Messaging.open": _open,
}
