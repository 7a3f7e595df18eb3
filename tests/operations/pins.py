# SPDX-License-Identifier: Apache-2.0
"""PIN blocks, what issuers keep instead of PINs, and the keys of DUKPT."""

from __future__ import annotations

from typing import Any

from apdu.crypto import dukpt, pinblock, pinvalue
from apdu.crypto.aes import AES
from apdu.crypto.padding import method_1
from apdu.crypto.tdes import TDES
from apdu.wire.ksn import Ksn
from apdu.wire.pinblock import Iso0PanField, Iso4PanField, Iso4PinField
from operations import Operation, upper
from operations.blocks import key_of


def _given(random: str) -> pinblock.Random:
    return lambda count: bytes.fromhex(random)


def _account(pan: str) -> int:
    return int.from_bytes(bytes(Iso0PanField(pan[-13:-1].zfill(12))))


def _built(block: bytes) -> dict[str, Any]:
    return {"pin_block": upper(block)}


def _iso_0(pin: str, pan: str, key: str = "") -> dict[str, Any]:
    block = pinblock.build_iso_0(pin, pan)
    return _built(key_of("3DES", key).encrypt(block) if key else block)


def _read_iso_3(pin_block: str, pan: str) -> dict[str, Any]:
    block = bytes.fromhex(pin_block)
    field = int.from_bytes(block) ^ _account(pan)
    return {"pin": pinblock.read_iso_3(block, pan), "clear_field": upper(field.to_bytes(8))}


def _encipher_iso_4(key: str, pin: str, pan: str, random: str) -> dict[str, Any]:
    block = pinblock.encipher_iso_4(AES.key(bytes.fromhex(key)), pin, pan, _given(random))
    return {
        "pin_field": upper(bytes(Iso4PinField(pin, bytes.fromhex(random)))),
        "pan_field": upper(bytes(Iso4PanField(pan))),
        "pin_block": upper(block),
    }


def _decipher_iso_4(key: str, pin_block: str, pan: str, suite: str = "AES") -> dict[str, Any]:
    value = bytes.fromhex(key)
    made = AES.key(value) if suite == "AES" else key_of(suite, key)
    return {"pin": pinblock.decipher_iso_4(made, bytes.fromhex(pin_block), pan)}


PIN_BLOCKS: dict[str, Operation] = {
    "pinblock.build_iso_0": _iso_0,
    "pinblock.read_iso_0": lambda pin_block, pan: {
        "pin": pinblock.read_iso_0(bytes.fromhex(pin_block), pan)
    },
    "pinblock.build_iso_1": lambda pin, random: _built(pinblock.build_iso_1(pin, _given(random))),
    "pinblock.read_iso_1": lambda pin_block: {"pin": pinblock.read_iso_1(bytes.fromhex(pin_block))},
    "pinblock.build_iso_2": lambda pin: _built(pinblock.build_iso_2(pin)),
    "pinblock.read_iso_2": lambda pin_block: {"pin": pinblock.read_iso_2(bytes.fromhex(pin_block))},
    "pinblock.build_iso_3": lambda pin, pan, random: _built(
        pinblock.build_iso_3(pin, pan, _given(random))
    ),
    "pinblock.read_iso_3": _read_iso_3,
    "pinblock.encipher_iso_4": _encipher_iso_4,
    "pinblock.decipher_iso_4": _decipher_iso_4,
    "pinblock.pin_change_key": lambda udk_ac, udk_enc: {
        "out": upper(pinblock.pin_change_key(bytes.fromhex(udk_ac), bytes.fromhex(udk_enc)))
    },
    "pinblock.build_pin_change": lambda pin, card_key, current="": _built(
        pinblock.build_pin_change(pin, bytes.fromhex(card_key), current)
    ),
    "pinblock.read_pin_change": lambda pin_block, card_key, current="": {
        "pin": pinblock.read_pin_change(bytes.fromhex(pin_block), bytes.fromhex(card_key), current)
    },
}


def _pvv(pvk: str, pin: str, pan: str, pvki: str) -> dict[str, Any]:
    return {"pvv": pinvalue.pvv(key_of("3DES", pvk), pin, pan, pvki)}


def _verify_pvv(
    pin_key: str, pin_block: str, pan: str, pvk: str, pvki: str, pvv: str
) -> dict[str, Any]:
    keys = key_of("3DES", pin_key), key_of("3DES", pvk)
    block = bytes.fromhex(pin_block)
    return {"right": pinvalue.verify_pvv(keys[0], block, pan, keys[1], pvki, pvv)}


def _verify_offset(
    pin_key: str, pin_block: str, pan: str, pvk: str, validation: str, offset: str, **rest: str
) -> dict[str, Any]:
    keys = key_of("3DES", pin_key), key_of("3DES", pvk)
    block = bytes.fromhex(pin_block)
    return {
        "right": pinvalue.verify_offset(keys[0], block, pan, keys[1], validation, offset, **rest)
    }


PIN_VALUES: dict[str, Operation] = {
    "pinvalue.pvv": _pvv,
    "pinvalue.verify_pvv": _verify_pvv,
    "pinvalue.natural_pin": lambda pvk, validation, **rest: {
        "pin": pinvalue.natural_pin(key_of("3DES", pvk), validation, **rest)
    },
    "pinvalue.pin_offset": lambda pvk, pin, validation, **rest: {
        "offset": pinvalue.pin_offset(key_of("3DES", pvk), pin, validation, **rest)
    },
    "pinvalue.pin_from_offset": lambda pvk, offset, validation, **rest: {
        "pin": pinvalue.pin_from_offset(key_of("3DES", pvk), offset, validation, **rest)
    },
    "pinvalue.verify_offset": _verify_offset,
}


def _ksn(ksn: str) -> Ksn:
    return Ksn.parse(bytes.fromhex(ksn))


def _transaction(bdk: str, ksn: str, pin: str = "", pan: str = "") -> dict[str, Any]:
    initial = dukpt.initial_key(bytes.fromhex(bdk), _ksn(ksn))
    key = dukpt.transaction_key(initial, _ksn(ksn))
    variant = dukpt.pin_variant(key)
    found = {"ipek": upper(initial), "out": upper(key), "pin_key": upper(variant)}
    if pin:
        block = pinblock.build_iso_0(pin, pan)
        found["pin_block_clear"] = upper(block)
        found["encrypted_pin_block"] = upper(TDES.key(variant).encrypt(block))
    return found


def _mac_variant(key: str, response: bool = False, text: str = "") -> dict[str, Any]:
    variant = dukpt.mac_variant(bytes.fromhex(key), response)
    mac = TDES.key(variant).mac(text.encode(), method_1)
    return {"out": upper(variant), "mac": upper(mac)}


def _data_variant(key: str, response: bool = False, text: str = "") -> dict[str, Any]:
    """Data goes under the key in CBC with zero IV, filled with 00 (X9.24-1 A.4)."""
    variant = dukpt.data_variant(bytes.fromhex(key), response)
    data, last, done = method_1(text.encode(), 8), 0, b""
    for at in range(0, len(data), 8):
        mixed = int.from_bytes(data[at : at + 8]) ^ last
        done += TDES.key(variant).encrypt(mixed.to_bytes(8))
        last = int.from_bytes(done[-8:])
    return {"out": upper(variant), "enciphered": upper(done)}


def _take(initial_key: str, ksn: str, times: int) -> dict[str, Any]:
    keys = dukpt.FutureKeys(bytes.fromhex(initial_key), _ksn(ksn))
    taken = [keys.take() for _ in range(times)]
    return {
        "ksns": [upper(bytes(each)) for each, _ in taken],
        "keys": [upper(key) for _, key in taken],
    }


DUKPT: dict[str, Operation] = {
    "dukpt.initial_key": lambda bdk, ksn: {
        "out": upper(dukpt.initial_key(bytes.fromhex(bdk), _ksn(ksn)))
    },
    "dukpt.transaction_key": _transaction,
    "dukpt.pin_variant": lambda key: {"out": upper(dukpt.pin_variant(bytes.fromhex(key)))},
    "dukpt.mac_variant": _mac_variant,
    "dukpt.data_variant": _data_variant,
    "dukpt.FutureKeys.take": _take,
}

OPERATIONS = PIN_BLOCKS | PIN_VALUES | DUKPT
