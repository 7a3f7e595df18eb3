# SPDX-License-Identifier: Apache-2.0
"""The commands of the PKI application (LD/T 32.5; PKI_SignData and others of LD/T 33).

Codings are those that drivers of two makers send; where no driver has a command, the form says
so. Data is a row of simple TLVs: C0 and C2 name the files of a public and a private key, C1 is
what a command works on, CA and CB are the keys themselves.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from apdu.wire.fields import (
    bit_choice,
    bit_const,
    choice,
    const,
    counted,
    fixed,
    item,
    raw,
    rest,
    uint,
    wire,
)
from apdu.wire.form import NOTHING, RAW, CommandForm, Fixed
from apdu.wire.perso import KeyBlock, KeyRef
from apdu.wire.pki import PkiPin
from apdu.wire.record import BitRecord, Record, record

_OBSERVED: Final = "LD/T 32.5, coding observed"
PROOF: Final = 16
"""Bytes that prove a PIN or the master key."""
DIGEST: Final = 32
"""Bytes of e, which is what a card signs."""


@record
class PkiPinRef(BitRecord):
    """P1-P2 of the commands about a PIN."""

    p1: int = fixed(bit_const(1, 8))
    pin: PkiPin = wire(bit_choice(PkiPin, 8))


@record
class HashData(Record):
    """Data of HASH: C1 and what is hashed, a PIN in packed BCD as drivers use it."""

    tag: bytes = fixed(const(b"\xc1"))
    data: bytes = wire(counted(rest()), secret=True)


@record
class KeyPairFiles(Record):
    """Data of GENERATE KEY PAIR: the files of its public and its private half."""

    public: int = wire(item(0xC0, 2, uint(2)))
    private: int = wire(item(0xC2, 2, uint(2)))


@record
class DecipherData(Record):
    """Data of DECIPHER: the file of the private key, and X, Y, C3, C2 of an SM2 ciphertext.

    Its length has the long form in two bytes, of which the first is 00.
    """

    private: int = wire(item(0xC2, 2, uint(2)))
    tag: bytes = fixed(const(b"\xc1\x82\x00"))
    ciphertext: bytes = wire(counted(rest()))


@record
class SessionKeyData(Record):
    """Data of LOAD SESSION KEY: the key under which a private key will come."""

    key: bytes = wire(item(0xC1, 16, raw(16)), secret=True)


class ImportedHalf(IntEnum):
    """P1-P2 of IMPORT KEY: which half of a key pair comes."""

    PUBLIC = 0x4000
    PRIVATE = 0xC001


@record
class ImportRef(BitRecord):
    """P1-P2 of IMPORT KEY."""

    half: ImportedHalf = wire(bit_choice(ImportedHalf, 16))


class FileTag(IntEnum):
    """Which half of a key pair the file that is named is for."""

    PUBLIC = 0xC0
    PRIVATE = 0xC2


class KeyTag(IntEnum):
    """Which half of a key pair it is that comes."""

    PUBLIC = 0xCA
    PRIVATE = 0xCB


@record
class ImportData(Record):
    """Data of IMPORT KEY: the file, then X and Y, or the number enciphered under the session key
    (ECB). That tags, lengths and P1-P2 are of one half, the card sees to."""

    file: FileTag = wire(choice(FileTag))
    length: bytes = fixed(const(b"\x02"))
    fid: int = wire(uint(2))
    key: KeyTag = wire(choice(KeyTag))
    value: bytes = wire(counted(rest()))


@record
class MasterKeyData(Record):
    """Data of UPDATE MASTER KEY before its protection: 00 00 00 (not identified), the key."""

    head: bytes = fixed(const(bytes(3)))
    key: bytes = wire(raw(16), secret=True)


VERIFY_BY_CHALLENGE = CommandForm(
    "VERIFY BY CHALLENGE",
    0x20,
    PkiPinRef,
    RAW,
    NOTHING,
    cases=frozenset({1, 3}),  # without data: asks for the tries left, and costs none
    lc=range(PROOF, PROOF + 1),
    secret=True,
    spec=_OBSERVED,
)
AUTHENTICATE_MASTER_KEY = CommandForm(
    "AUTHENTICATE MASTER KEY",
    0x82,
    Fixed(0x0000),
    RAW,
    NOTHING,
    cases=frozenset({3}),
    lc=range(PROOF, PROOF + 1),
    spec=_OBSERVED,
)
CHANGE_PKI_PIN = CommandForm(
    "CHANGE PKI PIN",
    0x5E,
    PkiPinRef,
    RAW,
    NOTHING,
    cases=frozenset({3}),
    cla=0x80,
    lc=range(3, 5),
    secret=True,
    spec=_OBSERVED + " for the admin PIN",
)
"""Before its protection: the new PIN in packed BCD. For the user PIN it is profile choice
`pki-user-change`."""
UPDATE_MASTER_KEY = CommandForm(
    "UPDATE MASTER KEY",
    0xD4,
    Fixed(0x0100),
    MasterKeyData,
    NOTHING,
    cases=frozenset({3}),
    cla=0x80,
    lc=range(19, 20),
    secret=True,
    spec=_OBSERVED,
)
HASH = CommandForm(
    "HASH",
    0xC4,
    Fixed(0x0103),
    HashData,
    RAW,
    cases=frozenset({3, 4}),
    cla=0x80,
    lc=range(3, 256),
    secret=True,
    spec=_OBSERVED,
)
GENERATE_KEY_PAIR = CommandForm(
    "GENERATE KEY PAIR",
    0xC9,
    Fixed(0x8200),
    KeyPairFiles,
    NOTHING,
    cases=frozenset({3}),
    cla=0x80,
    lc=range(8, 9),
    spec=_OBSERVED,
)
COMPUTE_SIGNATURE = CommandForm(
    "COMPUTE DIGITAL SIGNATURE",
    0x2A,
    Fixed(0x9E9A),
    RAW,
    RAW,
    cases=frozenset({3, 4}),
    lc=range(DIGEST, DIGEST + 1),
    spec="ISO 7816-8 PSO; no driver has it",
)
"""r and s, 64 bytes, for e (profile choice `pki-signature`)."""
DECIPHER = CommandForm(
    "DECIPHER",
    0x4E,
    Fixed(0x0001),
    DecipherData,
    RAW,
    cases=frozenset({3, 4}),
    cla=0x80,
    lc=range(8, 256),
    spec=_OBSERVED,
)
LOAD_SESSION_KEY = CommandForm(
    "LOAD SESSION KEY",
    0x4A,
    Fixed(0x0210),
    SessionKeyData,
    NOTHING,
    cases=frozenset({3}),
    cla=0x80,
    lc=range(18, 19),
    secret=True,
    spec=_OBSERVED,
)
IMPORT_KEY = CommandForm(
    "IMPORT KEY",
    0xC2,
    ImportRef,
    ImportData,
    NOTHING,
    cases=frozenset({3}),
    cla=0x80,
    lc=range(6, 256),
    spec=_OBSERVED,
)
WRITE_PKI_KEY = CommandForm(
    "WRITE PKI KEY",
    0xD8,
    KeyRef,
    KeyBlock,
    NOTHING,
    cases=frozenset({3}),
    cla=0x80,
    lc=range(20, 21),
    secret=True,
    spec="own: WRITE KEY's data under an INS that is free here",
)
