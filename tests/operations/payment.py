# SPDX-License-Identifier: Apache-2.0
"""Cryptograms, issuer authentication and issuer scripts of the payment application.

A session key is given as `key`; where a case gives the card's key (`udk`) and the ATC instead,
the session key is PBOC's, and comes back as `sk`.
"""

from __future__ import annotations

from typing import Any

from apdu.crypto import cryptogram, derive, script
from apdu.crypto.script import Script
from apdu.crypto.suite import BlockKey
from apdu.wire.cryptogram import Cvn01Input, IadAlgorithm, idd_input, parse_idd
from operations import Operation, upper
from operations.blocks import BY_NAME, PADDINGS, key_of

CVN_01 = (
    ("9F02", "amount"),
    ("9F03", "other_amount"),
    ("9F1A", "country"),
    ("95", "tvr"),
    ("5F2A", "currency"),
    ("9A", "day"),
    ("9C", "kind"),
    ("9F37", "unpredictable"),
    ("82", "aip"),
    ("9F36", "atc"),
)
"""The data elements in the input of CVN 01; the CVR is no element of its own."""
WRAPPINGS = {"PBOC": script.PBOC, "VIS": script.VIS, "bare": script.BARE}
unhex = bytes.fromhex


def session_of(suite: str, key: str, udk: str, atc: str) -> tuple[BlockKey, dict[str, Any]]:
    """The session key, and what there is to show of how it came about."""
    if key:
        return key_of(suite, key), {}
    value = derive.pboc_session_key(key_of(suite, udk), unhex(atc))
    return BY_NAME[suite].key(value), {"sk": upper(value)}


# Cryptograms


def _cryptogram(suite: str, key: str, data: str, padding: str = "method 2") -> dict[str, Any]:
    session = key_of(suite, key)
    return {"ac": upper(cryptogram.cryptogram(session, unhex(data), PADDINGS[padding]))}


def _transaction_key(suite: str, key: str, cvn: int, atc: str) -> dict[str, Any]:
    """The session key itself is not shown, so its check value stands for it."""
    session = cryptogram.transaction_key(key_of(suite, key), cvn, unhex(atc))
    return {"check": upper(session.check_value())}


def _input(data: str, tags: dict[str, str] | None) -> bytes:
    if tags is None:
        return unhex(data)
    fields = {name: unhex(tags[tag]) for tag, name in CVN_01}
    return bytes(Cvn01Input(**fields, cvr=unhex(tags["CVR"])[1:]))


def _verify_card(
    suite: str, udk: str, cvn: int, ac: str, data: str = "", tags: dict[str, str] | None = None
) -> dict[str, Any]:
    whole = _input(data, tags)
    ok = cryptogram.verify_card(key_of(suite, udk), cvn, whole, unhex(ac))
    return {"ok": ok, "data": upper(whole)}


def _verify(
    suite: str,
    key: str,
    pan: str,
    psn: str,
    cvn: int,
    ac: str,
    data: str = "",
    tags: dict[str, str] | None = None,
    option: str = "A",
) -> dict[str, Any]:
    whole, master = _input(data, tags), key_of(suite, key)
    ok = cryptogram.verify(master, pan, psn, cvn, whole, unhex(ac), option)
    udk = derive.udk(master, pan, psn, option)
    return {"ok": ok, "data": upper(whole), "udk": upper(udk)}


def _arpc(suite: str, key: str, ac: str, arc: str) -> dict[str, Any]:
    found = upper(cryptogram.arpc(key_of(suite, key), unhex(ac), unhex(arc)))
    return {"arpc": found, "tag91": found + arc, "apdu": f"008200000A{found}{arc}"}


def _verify_arpc(suite: str, key: str, ac: str, arc: str, arpc: str) -> dict[str, Any]:
    return {"ok": cryptogram.verify_arpc(key_of(suite, key), *map(unhex, (ac, arc, arpc)))}


def _csu_arpc(suite: str, key: str, ac: str, csu: str, proprietary: str = "") -> dict[str, Any]:
    parts = map(unhex, (ac, csu, proprietary))
    return {"arpc": upper(cryptogram.csu_arpc(key_of(suite, key), *parts))}


def _verify_csu_arpc(
    suite: str, key: str, ac: str, csu: str, proprietary: str, arpc: str
) -> dict[str, Any]:
    parts = map(unhex, (ac, csu, proprietary, arpc))
    return {"ok": cryptogram.verify_csu_arpc(key_of(suite, key), *parts)}


def _idd_mac(suite: str, idd: str, atc: str, key: str = "", udk: str = "") -> dict[str, Any]:
    session, shown = session_of(suite, key, udk, atc)
    found = parse_idd(unhex(idd))
    return shown | {
        "data": upper(idd_input(unhex(atc), found)),
        "mac": upper(cryptogram.idd_mac(session, unhex(atc), found)),
    }


def _verify_idd(suite: str, key: str, idd: str, atc: str) -> dict[str, Any]:
    return {"ok": cryptogram.verify_idd(key_of(suite, key), unhex(atc), parse_idd(unhex(idd)))}


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
    "cryptogram.suite_of": lambda algorithm: {
        "name": cryptogram.suite_of(IadAlgorithm(algorithm)).name
    },
    "cryptogram.transaction_key": _transaction_key,
    "cryptogram.cryptogram": _cryptogram,
    "cryptogram.verify_card": _verify_card,
    "cryptogram.verify": _verify,
    "cryptogram.arpc": _arpc,
    "cryptogram.verify_arpc": _verify_arpc,
    "cryptogram.csu_arpc": _csu_arpc,
    "cryptogram.verify_csu_arpc": _verify_csu_arpc,
    "cryptogram.idd_mac": _idd_mac,
    "cryptogram.verify_idd": _verify_idd,
    "script.command_mac": _command_mac,
    "script.script_mac": _script_mac,
    "script.verify_command": _verify_command,
    "script.verify_script": _verify_script,
    "script.encipher": _encipher,
    "script.decipher": _decipher,
    "script.Script.build": _build,
    "script.Script.parse": _parse,
}
