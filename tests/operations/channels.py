# SPDX-License-Identifier: Apache-2.0
"""The secure channel of personalisation: its cryptography, and whole conversations through it.

`keys` are the static ones; `handshake` is what INITIALIZE UPDATE brought together. Commands of a
conversation follow one another in one channel, the first of them EXTERNAL AUTHENTICATE.
"""

from __future__ import annotations

from typing import Any

from apdu import secure_channel
from apdu.command import CommandAPDU
from apdu.crypto import aes, cbc, scp02, scp03
from apdu.crypto.suite import BlockKey
from apdu.crypto.suites import KEY_SUITES
from apdu.errors import StatusError
from apdu.secure_channel import Channel, ChannelKeys, Handshake, begin
from apdu.wire.globalplatform import Level, LevelRef
from operations import Operation, upper

unhex = bytes.fromhex
SUITES = {suite.name: suite for suite in KEY_SUITES.values()}


def _level(number: int) -> Level:
    """P1 of the command that opens a channel says it, and refuses another one."""
    return LevelRef.of(number << 8).level


def _key(suite: str, key: str) -> BlockKey:
    return SUITES[suite].key(unhex(key))


def _keys(suite: str, keys: dict[str, str]) -> ChannelKeys:
    return ChannelKeys(*(_key(suite, keys[name]) for name in ("enc", "mac", "dek")))


def _begun(suite: str, keys: dict[str, str], handshake: dict[str, str]) -> Channel:
    said = Handshake(*(unhex(handshake[name]) for name in ("host", "counter", "card")))
    return begin(_keys(suite, keys), said)


def _begin(**given: Any) -> dict[str, Any]:
    found = _begun(**given)
    return {
        "card_cryptogram": upper(found.card_cryptogram),
        "host_cryptogram": upper(found.host_cryptogram),
    }


def _challenge(suite: str, keys: dict[str, str], counter: str, aid: str) -> dict[str, Any]:
    found = secure_channel.card_challenge(_keys(suite, keys), unhex(counter), unhex(aid))
    return {"out": upper(found)}


def _protect(level: int, commands: list[str], **given: Any) -> dict[str, Any]:
    channel, sent = _begun(**given), []
    for number, plain in enumerate(commands):
        channel, command = channel.protect(CommandAPDU.parse(unhex(plain)))
        sent.append(upper(bytes(command)))
        channel = channel.at(_level(level)) if not number else channel
    return {"commands": sent}


def _open(level: int, commands: list[str], **given: Any) -> dict[str, Any]:
    """The data of each command, or the status word of the first that is refused."""
    channel, found = _begun(**given), []
    for number, raw in enumerate(commands):
        sent = CommandAPDU.parse(unhex(raw))
        header = bytes((sent.cla, sent.ins, sent.p1, sent.p2))
        try:
            channel, data = channel.open(header, sent.data)
        except StatusError as refused:
            return {"sw": f"{refused.sw:04X}"}
        found.append(upper(data))
        channel = channel.at(_level(level)) if not number else channel
    return {"data": found}


def _encipher(data: str, **given: Any) -> dict[str, Any]:
    return {"out": upper(_begun(**given).encipher(unhex(data)))}


def _decipher(data: str, **given: Any) -> dict[str, Any]:
    return {"out": upper(_begun(**given).decipher(unhex(data)))}


def _cmac(key: str, data: str) -> dict[str, Any]:
    return {"out": upper(aes.cmac(_key("AES", key), unhex(data)))}


def _cbc(run: Any) -> Operation:
    def operation(suite: str, key: str, iv: str, data: str) -> dict[str, Any]:
        return {"out": upper(run(_key(suite, key), unhex(data), unhex(iv)))}

    return operation


def _session_key(key: str, constant: str, counter: str) -> dict[str, Any]:
    found = scp02.session_key(_key("3DES", key), unhex(constant), unhex(counter))
    return {"out": upper(found)}


def _scp02_challenge(session: str, aid: str) -> dict[str, Any]:
    return {"out": upper(scp02.card_challenge(_key("3DES", session), unhex(aid)))}


def _scp02_cryptogram(run: Any) -> Operation:
    def operation(session: str, host: str, counter: str, card: str) -> dict[str, Any]:
        said = (unhex(host), unhex(counter), unhex(card))
        return {"out": upper(run(_key("3DES", session), *said))}

    return operation


def _command_mac(session: str, chain: str, command: str) -> dict[str, Any]:
    found = scp02.command_mac(_key("3DES", session), unhex(chain), unhex(command))
    return {"out": upper(found)}


def _next_chain(session: str, mac: str) -> dict[str, Any]:
    return {"out": upper(scp02.next_chain(unhex(session), unhex(mac)))}


def _derived(key: str, purpose: str, context: str, length: int) -> dict[str, Any]:
    found = scp03.derived(_key("AES", key), scp03.Purpose[purpose], unhex(context), length)
    return {"out": upper(found)}


def _scp03_challenge(key: str, counter: str, aid: str) -> dict[str, Any]:
    return {"out": upper(scp03.card_challenge(_key("AES", key), unhex(counter), unhex(aid)))}


def _command_iv(session: str, number: int) -> dict[str, Any]:
    return {"out": upper(scp03.command_iv(_key("AES", session), number))}


OPERATIONS: dict[str, Operation] = {
    "aes.cmac": _cmac,
    "cbc.cbc_decrypt": _cbc(cbc.cbc_decrypt),
    "cbc.cbc_encrypt": _cbc(cbc.cbc_encrypt),
    "scp02.card_challenge": _scp02_challenge,
    "scp02.card_cryptogram": _scp02_cryptogram(scp02.card_cryptogram),
    "scp02.command_mac": _command_mac,
    "scp02.host_cryptogram": _scp02_cryptogram(scp02.host_cryptogram),
    "scp02.next_chain": _next_chain,
    "scp02.session_key": _session_key,
    "scp03.card_challenge": _scp03_challenge,
    "scp03.command_iv": _command_iv,
    "scp03.derived": _derived,
    "secure_channel.Channel.decipher": _decipher,
    "secure_channel.Channel.encipher": _encipher,
    "secure_channel.Channel.open": _open,
    "secure_channel.Channel.protect": _protect,
    "secure_channel.begin": _begin,
    "secure_channel.card_challenge": _challenge,
}
