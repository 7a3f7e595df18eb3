# SPDX-License-Identifier: Apache-2.0
"""Bad keys, PINs, PANs and cryptograms are refused in words that name field and rule."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from badinput import KEY, Row, Rows, chance, cut, refused

from apdu.command import CommandAPDU
from apdu.crypto import (
    cryptogram,
    derive,
    dukpt,
    padding,
    pinblock,
    pinvalue,
    purchase,
    script,
)
from apdu.crypto.aes import AES
from apdu.crypto.suites import SUITES
from apdu.messaging import challenge_messaging
from apdu.wire.codes import pin_bytes
from apdu.wire.cryptogram import Cvn, OneAmount, OneAmountIdd, atc_of, parse_idd
from apdu.wire.ksn import Ksn

TDES, SM4 = (suite.key(KEY) for suite in SUITES.values())
AES_KEY = AES.key(KEY)
PAN, PIN = "6217001234567890", "739158"
ATC, AC = b"\x00\x2a", bytes.fromhex("51A3F0C7E2946BD8")
KSN = Ksn.parse(bytes.fromhex("FFFF9876543210E00001"))
SCRIPT = (TDES, bytes.fromhex("8424000108"), ATC, AC)

NO_PANS = [
    "62170012345",
    "62170012345678901234",
    "6217001234S67890",
    "６２１７００１２３４５６７８",
    "",
]
NO_PINS = ["739", "7391580264813", "73915a", "７３９１５８", "73 158", "-73915", "", "٧٣٩١٥٨"]
NO_FACTOR_PANS = ["6217001", *NO_PANS[1:]]
NO_PSNS = ["1", "001", "0x", "０１", "-1", ""]


def rows_of_keys() -> Iterator[Row]:
    for suite, wrong in ((SUITES[1], (0, 7, 9, 15, 17, 32)), (SUITES[2], (0, 8, 15, 17, 24, 32))):
        for value in cut(*wrong):
            yield suite.key, (value,), rf"{suite.name} key: {len(value)} bytes, must be "
            yield suite.remarks, (value,), rf"{suite.name} key: {len(value)} bytes, must be "
    for value in cut(0, 8, 15, 33):
        yield AES.key, (value,), rf"AES key: {len(value)} bytes, must be 16 or 24 or 32"
    for key in (TDES, SM4, AES_KEY):
        for data in cut(1, key.suite.block - 1, key.suite.block + 1):
            said = f"data: {len(data)} bytes, must be whole blocks"
            yield key.encrypt, (data,), said
            yield key.decrypt, (data,), said
            yield key.mac, (data, padding.without), said
            yield key.cbc_mac, (data, padding.without), said
            yield padding.without, (data, key.suite.block), said
            yield padding.strip_2, (data, key.suite.block), "padding: must be 80 and 00"
    for length in (0, 9, -1):
        yield TDES.check_value, (length,), f"check value: {length} bytes, must be 1 to 8"


def rows_of_derivation() -> Iterator[Row]:
    for factor in cut(0, 7, 9, 16):
        said = f"factor: {len(factor)} bytes, must be 8"
        yield derive.with_complement, (factor,), said
        yield derive.diversify, (TDES, factor), said
        yield derive.challenge_key, (SM4, factor), said
        yield challenge_messaging, (TDES, factor), said
        yield derive.authentication, (TDES, factor), "authentication data: .* must be 8"
        yield derive.common_session_key, (TDES, factor), "diversifier: .* must be 8"
        yield derive.factors_with_complement, ([AC, factor],), said
    for pan in NO_FACTOR_PANS:
        yield derive.udk, (TDES, pan), "PAN: must be 8 to 19 digits"
        yield derive.udk_factor, (pan,), "PAN: must be 8 to 19 digits"
        yield cryptogram.verify, (TDES, pan, "00", Cvn.CVN_17, bytes(13), AC), "PAN: "
    for psn in NO_PSNS:
        yield derive.udk, (TDES, PAN, psn), "PSN: must be 2 digits"
    yield derive.udk, (TDES, PAN, "00", "C"), "option: must be A or B"
    for atc in cut(0, 1, 3):
        said = f"ATC: {len(atc)} bytes, must be 2"
        yield derive.pboc_session_key, (TDES, atc), said
        yield derive.vis_session_key, (KEY, atc), said
        yield cryptogram.transaction_key, (TDES, Cvn.CVN_01, atc), said
    for value in cut(0, 8, 15, 24):
        yield derive.vis_session_key, (value, ATC), "key: .* must be 16"
    for blocks in cut(1, 15, 17):
        yield derive.derive_many, (TDES, blocks), "blocks: .* must be 16 for each card"
    yield derive.derive_many, (TDES, bytes(16), 0), "threads: 0, must be at least 1"


def rows_of_cryptograms() -> Iterator[Row]:
    for cvn in (0, 2, 0xFF):
        yield cryptogram.transaction_key, (TDES, cvn, ATC), "CVN: no such cryptogram version"
        yield cryptogram.verify_card, (TDES, cvn, bytes(13), AC), "CVN: no such"
    for ac in cut(0, 4, 7, 9):
        said = f"cryptogram: {len(ac)} bytes, must be 8"
        yield cryptogram.verify_card, (TDES, Cvn.CVN_17, bytes(13), ac), said
        yield cryptogram.arpc, (TDES, ac, b"00"), said
        yield cryptogram.csu_arpc, (TDES, ac, bytes(4)), said
        yield cryptogram.verify_arpc, (TDES, AC, b"00", ac), "ARPC: .* must be 8"
    for data in cut(0, 12, 14, 37):
        yield cryptogram.verify_card, (TDES, Cvn.CVN_17, data, AC), "Cvn17Input: .* must be 13"
    for arc in cut(0, 1, 3):
        yield cryptogram.arpc, (TDES, AC, arc), "ARC: .* must be 2"
        yield cryptogram.verify_arpc, (TDES, AC, arc, AC), "ARC: .* must be 2"
    for csu in cut(0, 3, 5):
        yield cryptogram.csu_arpc, (TDES, AC, csu), "CSU: .* must be 4"
        yield cryptogram.verify_csu_arpc, (TDES, AC, bytes(4), b"", csu), "ARPC: .* must be 4"
    yield cryptogram.csu_arpc, (TDES, AC, bytes(4), KEY[:9]), "proprietary data: .* at most 8"
    for idd in cut(0, 10, 12):
        yield parse_idd, (idd,), "OneAmountIdd"
    idd = OneAmountIdd(OneAmount.BALANCE, bytes(5))
    for atc in cut(1, 3):
        yield cryptogram.idd_mac, (TDES, atc, idd), "OneAmountIddInput.atc"
    yield atc_of, (cryptogram.RULES[Cvn.CVN_01].layout, KEY), "Cvn01Input: .* must be 37"


def rows_of_scripts() -> Iterator[Row]:
    key, header, atc, link = SCRIPT
    for value in cut(0, 4, 6):
        yield script.command_mac, (key, value), "header: .* must be 5"
    for value in cut(0, 1, 3):
        yield script.script_mac, (key, header, value, link), "ATC: .* must be 2"
    for value in cut(0, 7, 9):
        yield script.script_mac, (key, header, atc, value), "link: .* must be 8"
    for value in cut(0, 3, 5, 8):
        given = (key, header, atc, link, KEY[:4], value)
        yield script.verify_script, given, "MAC: .* Lc leaves 4"
        yield script.verify_command, (key, header, KEY[:4], value), "MAC: .* Lc leaves 4"
    for size in (5, 9, 100):
        yield script.command_mac, (key, header, (KEY * 7)[:size]), "header: Lc is 8, must be"
    for data in (b"", KEY * 16):
        yield script.encipher, (key, data), "data: .* must be 1 to 255"
    for data in cut(1, 7, 9):
        yield script.decipher, (key, data), "data: .* must be whole blocks"
    yield script.decipher, (key, b""), "enciphered data: there is none"
    yield script.decipher, (key, KEY, script.BARE), "length: must be said"
    yield script.decipher, (key, KEY), "enciphered data: what is inside is not in its shape"
    yield script.Script((KEY[:3],)).build, (), "script: must have commands, each of 4 bytes or more"
    yield script.Script((KEY,), KEY[:3]).build, (), "script identifier: 3 bytes, must be 4 or none"
    protect = challenge_messaging(TDES, AC).protect
    yield protect, (CommandAPDU(0x80, 0x24, 0, 1, KEY * 16),), "protected data: .* at most 255"
    yield protect, (CommandAPDU(0x01, 0x24, 0, 1, KEY),), "CLA: "


def rows_of_pins() -> Iterator[Row]:
    short = "PIN: must be 4 to 12 digits"
    for pin in NO_PINS:
        yield pinblock.build_iso_0, (pin, PAN), short
        yield pinblock.build_iso_1, (pin, chance), short
        yield pinblock.build_iso_2, (pin,), short
        yield pinblock.build_iso_3, (pin, PAN, chance), short
        yield pinblock.encipher_iso_4, (AES_KEY, pin, PAN, chance), short
        yield pinblock.build_pin_change, (pin, KEY), short
        yield pinvalue.pvv, (TDES, pin, PAN), short
        yield pinvalue.pin_offset, (TDES, pin, PAN), short
        yield pin_bytes, (pin,), "PIN: must be 6 to 8 digits"
        if pin:
            yield pinblock.build_pin_change, (PIN, KEY, pin), short
    for pan in NO_PANS:
        said = "PAN: must be 12 to 19 digits"
        yield pinblock.build_iso_0, (PIN, pan), said
        yield pinblock.read_iso_0, (AC, pan), said
        yield pinblock.build_iso_3, (PIN, pan, chance), said
        yield pinblock.read_iso_3, (AC, pan), said
        yield pinblock.encipher_iso_4, (AES_KEY, PIN, pan, chance), said
        yield pinblock.decipher_iso_4, (AES_KEY, KEY, pan), said
        yield pinvalue.pvv, (TDES, PIN, pan), said
        yield pinvalue.verify_pvv, (TDES, AC, pan, TDES, "1", "0000"), said
        yield pinvalue.verify_offset, (TDES, AC, pan, TDES, PAN, "0000"), said
    for block in cut(0, 7, 9, 16):
        said = "PIN block: .* must be 8"
        yield pinblock.read_iso_0, (block, PAN), said
        yield pinblock.read_iso_1, (block,), said
        yield pinblock.read_iso_2, (block,), said
        yield pinblock.read_iso_3, (block, PAN), said
        yield pinblock.read_pin_change, (block, KEY), said
        yield pinvalue.verify_pvv, (TDES, block, PAN, TDES, "1", "0000"), said
        yield pinvalue.verify_offset, (TDES, block, PAN, TDES, PAN, "0000"), said
    for block in cut(0, 8, 15, 17):
        yield pinblock.decipher_iso_4, (AES_KEY, block, PAN), "PIN block: .* must be 16"
    yield pinblock.decipher_iso_4, (AES_KEY, KEY, PAN), "PIN block: no PIN under this key and PAN"
    yield pinblock.decipher_iso_4, (TDES, KEY, PAN), "key: 3DES, must be AES"
    for key in cut(0, 8, 24):
        yield pinblock.build_pin_change, (PIN, key), "card key: .* must be 16"
        yield pinblock.read_pin_change, (AC, key), "card key: .* must be 16"
    yield pinblock.build_iso_1, (PIN, lambda size: KEY), "random: 16 bytes, must be 5"
    for pvki in ("", "12", "a", "１"):
        yield pinvalue.pvv, (TDES, PIN, PAN, pvki), "PVKI: must be 1 digit"
        yield pinvalue.verify_pvv, (TDES, AC, PAN, TDES, pvki, "0000"), "PVKI: must be 1 digit"
    for pvv in ("", "123", "12345", "12a4", "１２３４"):
        yield pinvalue.verify_pvv, (TDES, AC, PAN, TDES, "1", pvv), "PVV: must be 4 digits"
    for offset in ("123", "1234567890123", "12a4", "１２３４"):
        said = "offset: must be 4 to 12 digits"
        yield pinvalue.pin_from_offset, (TDES, offset, PAN), said
        yield pinvalue.verify_offset, (TDES, AC, PAN, TDES, PAN, offset), said
    for validation in ("", "12345678901234567", "12a4", "１２３４"):
        said = "validation data: must be 1 to 16 digits"
        yield pinvalue.natural_pin, (TDES, validation), said
    for table in ("", "012345678901234", "012345678901234a", "０" * 16):
        yield pinvalue.natural_pin, (TDES, PAN, 4, table), "decimalisation table: must be 16"
    for pad in ("", "FF", "G", "Ｆ"):
        yield pinvalue.natural_pin, (TDES, PAN, 4, pinvalue.DECIMALISATION, pad), "pad: must be"
    for length in (3, 13, -1):
        yield pinvalue.natural_pin, (TDES, PAN, length), f"length: {length}, must be 4 to 12"


def rows_of_dukpt() -> Iterator[Row]:
    for key in cut(0, 8, 15, 24):
        yield dukpt.initial_key, (key, KSN), "BDK: .* must be 16"
        yield dukpt.transaction_key, (key, KSN), "initial key: .* must be 16"
        yield dukpt.FutureKeys, (key, KSN), "initial key: .* must be 16"
        for variant in (dukpt.pin_variant, dukpt.mac_variant, dukpt.data_variant):
            yield variant, (key,), "transaction key: .* must be 16"
    for raw in cut(0, 8, 9, 11):
        yield Ksn.parse, (raw,), "Ksn"
    for counter in (0, 0b11111111111):
        yield dukpt.transaction_key, (KEY, KSN.at(counter)), "KSN: the counter must have 1 to 10"
    for counter in (-1, 1 << 21):
        yield KSN.at, (counter,), "KSN: the counter must have 21 bits"
    yield KSN.at(0b111111111100000000000).next, (), "KSN: all its transactions are used"


def rows_of_purchases() -> Iterator[Row]:
    for wrong in cut(0, 3, 5):
        yield purchase.purchase_key, (TDES, wrong, ATC, bytes(4)), "random: .* must be 4"
        yield purchase.purchase_key, (TDES, bytes(4), ATC, wrong), "terminal sequence: .* must be 4"
        yield (
            purchase.purchase_key,
            (TDES, bytes(4), wrong, bytes(4)),
            "card sequence: .* must be 2",
        )


TABLES: list[Rows] = [
    rows_of_keys,
    rows_of_derivation,
    rows_of_cryptograms,
    rows_of_scripts,
    rows_of_pins,
    rows_of_dukpt,
    rows_of_purchases,
]


@pytest.mark.parametrize("table", TABLES)
def test_bad_input_is_refused_by_the_name_of_its_field(table: Rows) -> None:
    rows = list(table())
    assert len(rows) >= 9
    for row in rows:
        refused(*row)
