# SPDX-License-Identifier: Apache-2.0
"""The commands by which a card is personalised, and the headers they carry.

ISO 7816-9 leaves the coding of CREATE FILE and key loading to the maker; the class and INS here
are those of PBOC card operating systems, the data fields are this project's own (profile choice
`personalisation-commands`). The chip keeps the same headers in its memory.
"""

from __future__ import annotations

from enum import IntEnum

from apdu.wire.access import Access, condition
from apdu.wire.fields import (
    bit_const,
    bits,
    choice,
    counted,
    fixed,
    rest,
    uint,
    wire,
)
from apdu.wire.form import NOTHING, CommandForm, Fixed
from apdu.wire.record import BitRecord, Record, record


class FileKind(IntEnum):
    """File descriptor byte (ISO 7816-4 table 14)."""

    TRANSPARENT = 0x01
    LINEAR_FIXED = 0x02
    LINEAR_VARIABLE = 0x04
    LINEAR_VARIABLE_TLV = 0x05
    CYCLIC = 0x06
    DF = 0x38


class Life(IntEnum):
    """Life-cycle status of a file or an application, and of the chip (ISO 7816-4 table 15)."""

    INITIALISATION = 0x03
    DEACTIVATED = 0x04
    ACTIVATED = 0x05
    TERMINATED = 0x0C


class KeyUsage(IntEnum):
    """What a key, or the PIN, may be used for. One key, one usage."""

    MASTER = 0x00
    INTERNAL_AUTHENTICATE = 0x01
    """The card proves itself (IRK)."""
    EXTERNAL_AUTHENTICATE = 0x02
    """The terminal proves itself (RKxx, UKxx, PUK)."""
    MESSAGING = 0x03
    """MAC and encipherment of commands (STK)."""
    LOCK = 0x04
    """MAC of APPLICATION BLOCK and UNBLOCK (LK)."""
    CARD_BLOCK = 0x05
    """BK; that it blocks the card is our reading."""
    PURCHASE = 0x06
    """MACs of the medical debit (DPK)."""
    LOAD = 0x07
    """DLK."""
    TAC = 0x08
    """Transaction authorisation cryptogram (DTK)."""
    CRYPTOGRAM = 0x09
    """Payment cryptograms and issuer authentication (UDK-AC)."""
    SCRIPT_MAC = 0x0A
    """MAC of issuer scripts, and of issuer discretionary data (UDK-MAC)."""
    SCRIPT_ENCIPHERMENT = 0x0B
    """Encipherment of PINs in issuer scripts (UDK-ENC)."""
    CHANNEL_ENC = 0x10
    """The secure channel of personalisation: its keys ENC, MAC and DEK."""
    CHANNEL_MAC = 0x11
    CHANNEL_DEK = 0x12
    DERIVATION = 0x20
    """A master key in a PSAM: cards' keys are derived from it, nothing else."""
    PIN = 0x3A
    CHALLENGED_PIN = 0x3B
    """A PIN that is proven over a challenge (PKI): the value is the key that is made of it."""


class Algorithm(IntEnum):
    """The algorithm a key is for: the number of its suite (`apdu.crypto.suites`)."""

    NONE = 0x00
    TDES = 0x01
    SM4 = 0x02
    AES = 0x03
    """Of the secure channel alone."""


@record
class FileHeader(Record):
    """What CREATE FILE says, and what the chip keeps in front of the file.

    `size` is the bytes of content (a DF: 0), `records` how many records there can be (a DF and
    a transparent EF: 0). In fixed and cyclic files `size` is `records` times the record length.
    """

    kind: FileKind = wire(choice(FileKind))
    fid: int = wire(uint(2))
    read: Access = wire(counted(condition()))
    update: Access = wire(counted(condition()))
    sfi: int = wire(uint(1), default=0)
    size: int = wire(uint(2), default=0)
    records: int = wire(uint(1), default=0)
    name: bytes = wire(counted(rest()), default=b"")
    fci: bytes = wire(counted(rest()), default=b"")


@record
class KeyBlock(Record):
    """A key, or the PIN, as WRITE KEY brings it. `limit`: wrong tries until it is blocked, 1-15.

    A PIN has version 0 and no algorithm; its value is packed BCD and counts as the initial PIN.
    """

    usage: KeyUsage = wire(choice(KeyUsage))
    version: int = wire(uint(1))
    algorithm: Algorithm = wire(choice(Algorithm))
    limit: int = wire(uint(1))
    value: bytes = wire(rest(), secret=True)


@record
class KeyRef(BitRecord):
    """P1-P2 of WRITE KEY: the KID, or the PIN's reference."""

    p1: int = fixed(bit_const(0, 8))
    kid: int = wire(bits(8))


CREATE_FILE = CommandForm(
    "CREATE FILE",
    0xE0,
    Fixed(),
    FileHeader,
    NOTHING,
    cases=frozenset({3}),
    cla=0x80,
    spec="ISO 7816-9 7.1, data field own",
)
WRITE_KEY = CommandForm(
    "WRITE KEY",
    0xD4,
    KeyRef,
    KeyBlock,
    NOTHING,
    cases=frozenset({3}),
    cla=0x80,
    lc=range(5, 37),
    secret=True,
    spec="PBOC COS practice, data field own",
)
ACTIVATE_FILE = CommandForm(
    "ACTIVATE FILE",
    0x44,
    Fixed(),
    NOTHING,
    NOTHING,
    cases=frozenset({1}),
    spec="ISO 7816-9 7.5",
)
DEACTIVATE_FILE = CommandForm(
    "DEACTIVATE FILE",
    0x04,
    Fixed(),
    NOTHING,
    NOTHING,
    cases=frozenset({1}),
    spec="ISO 7816-9 7.4",
)
TERMINATE_DF = CommandForm(
    "TERMINATE DF", 0xE6, Fixed(), NOTHING, NOTHING, cases=frozenset({1}), spec="ISO 7816-9 7.6"
)
