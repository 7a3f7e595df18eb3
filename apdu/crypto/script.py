# SPDX-License-Identifier: Apache-2.0
"""Issuer scripts (发卡行脚本): the MAC and the encipherment of their commands, and their template.

Who changes a card sends commands that carry a MAC under a session key, and are bound to the
transaction by its counter (ATC) and cryptogram. The MAC is the suite's own, cut to what the
command has room for (JR/T 0025.5 annex C, 0025.17 for SM4; EMV Book 2 chapter 9).
"""

from __future__ import annotations

from dataclasses import dataclass
from hmac import compare_digest
from typing import Final

from apdu.crypto.padding import Padding, method_2, when_needed
from apdu.crypto.suite import BlockKey
from apdu.errors import FormatError
from apdu.tlv import build, parse, tlv

MAC: Final = 8
"""Bytes of a MAC before it is cut; a command carries 4 to 8 of them."""
_CARRIED: Final = range(4, MAC + 1)
_HEADER, _ATC, _LINK = 5, 2, 8

# Integrity


def command_mac(session: BlockKey, header: bytes, data: bytes = b"") -> bytes:
    """8 bytes of MAC over a command's header and data alone; the command carries the first few.

    `header`: CLA INS P1 P2 Lc, the class as the rule in force wants it. Lc counts `data` and the
    MAC, so it says how much of the MAC is carried: FormatError unless that is 4 to 8 bytes.
    """
    _check_header(header, data)
    return session.mac(header + data)[:MAC]


def script_mac(
    session: BlockKey, header: bytes, atc: bytes, link: bytes, data: bytes = b""
) -> bytes:
    """8 bytes of MAC over header, ATC, link and data; the command carries the first few (PBOC: 4).

    `header`: CLA INS P1 P2 Lc, the logical channel taken out of CLA, Lc with the MAC's bytes.
    `atc`: 2 bytes. `link`: 8 bytes, the transaction's cryptogram, or where a scheme chains its
    commands all 8 bytes of the MAC before. `data`: as sent, so enciphered where it is so.
    Raises FormatError naming the field of wrong length.
    """
    _check_header(header, data)
    _check_link(atc, link)
    return session.mac(b"".join((header, atc, link, data)))[:MAC]


def verify_command(session: BlockKey, header: bytes, data: bytes, mac: bytes) -> bool:
    """Whether `mac` is what a command without link carries; as `command_mac`, and for FormatError
    the MAC must have the bytes that Lc leaves for it."""
    _check_carried(header, data, mac)
    return compare_digest(command_mac(session, header, data)[: len(mac)], mac)


def verify_script(
    session: BlockKey, header: bytes, atc: bytes, link: bytes, data: bytes, mac: bytes
) -> bool:
    """Whether `mac` is what a script's command carries; as `script_mac`, and for FormatError the
    MAC must have the bytes that Lc leaves for it."""
    _check_carried(header, data, mac)
    return compare_digest(script_mac(session, header, atc, link, data)[: len(mac)], mac)


def _check_header(header: bytes, data: bytes) -> None:
    if len(header) != _HEADER:
        raise FormatError(f"header: {len(header)} bytes, must be {_HEADER}: CLA INS P1 P2 Lc")
    if header[-1] - len(data) not in _CARRIED:
        raise FormatError(
            f"header: Lc is {header[-1]}, must be the {len(data)} bytes of data and a MAC of 4 to 8"
        )


def _check_link(atc: bytes, link: bytes) -> None:
    if len(atc) != _ATC:
        raise FormatError(f"ATC: {len(atc)} bytes, must be {_ATC}")
    if len(link) != _LINK:
        raise FormatError(f"link: {len(link)} bytes, must be {_LINK}: a cryptogram or a whole MAC")


def _check_carried(header: bytes, data: bytes, mac: bytes) -> None:
    _check_header(header, data)
    if len(mac) != header[-1] - len(data):
        raise FormatError(f"MAC: {len(mac)} bytes, Lc leaves {header[-1] - len(data)}")


# Confidentiality


@dataclass(frozen=True, slots=True)
class Wrapping:
    """How data becomes whole blocks before it is enciphered."""

    counted: bool
    """One byte in front tells how many bytes of data there are."""
    padding: Padding


PBOC: Final = Wrapping(True, when_needed)
"""Length, data, and 80 00.. unless the blocks are full already (profile choice `script-padding`:
no text of JR/T 0025.5 was at hand; for a PIN block of 8 bytes it is the same as `VIS`). PIN RELOAD
of LD/T 32 has the same shape, as three drivers build it (with SM4 profile choice `sm4-reload`)."""
VIS: Final = Wrapping(True, method_2)
"""Length, data, and always 80 00..; what pyemv computes for Visa's cards."""
BARE: Final = Wrapping(False, when_needed)
"""Data, and 80 00.. unless the blocks are full already: the one block of a PIN in M/Chip. The
reader must know the length."""

LONGEST: Final = 0xFF
"""Bytes of data that the length byte can count."""
_ODD: Final = "enciphered data: what is inside is not in its shape"


def encipher(session: BlockKey, data: bytes, wrapping: Wrapping = PBOC) -> bytes:
    """`data` (1 to 255 bytes) wrapped and enciphered block by block under the session key."""
    return session.encrypt(_wrap(data, wrapping, session.suite.block))


def decipher(
    session: BlockKey, enciphered: bytes, wrapping: Wrapping = PBOC, length: int | None = None
) -> bytes:
    """What `encipher` was given.

    `length`: its bytes; must be said where the wrapping has no length byte, and is checked where
    it is said. Raises FormatError when these are not whole blocks, or not wrapped data; the text
    is the same wherever it went wrong.
    """
    if not wrapping.counted and length is None:
        raise FormatError("length: must be said, for no byte in front tells it")
    block = session.suite.block
    if not enciphered:
        raise FormatError("enciphered data: there is none")
    clear = session.decrypt(enciphered)
    start = 1 if wrapping.counted else 0
    size = clear[0] if wrapping.counted else length or 0
    data = clear[start : start + size]
    fits = len(data) == size and length in (None, size) and data
    if not fits or not compare_digest(_wrap(data, wrapping, block), clear):
        raise FormatError(_ODD)
    return data


def _wrap(data: bytes, wrapping: Wrapping, block: int) -> bytes:
    if not 1 <= len(data) <= LONGEST:
        raise FormatError(f"data: {len(data)} bytes, must be 1 to {LONGEST}")
    counted = bytes((len(data),)) + data if wrapping.counted else data
    return wrapping.padding(counted, block)


# The template in which a script travels (EMV Book 3 10.10)

BEFORE_FINAL, AFTER_FINAL = 0x71, 0x72
"""Tags of scripts that the card gets before and after its final GENERATE AC."""
_IDENTIFIER, _COMMAND = 0x9F18, 0x86
_SHORTEST = 4


@dataclass(frozen=True, slots=True)
class Script:
    """A script: its commands as they are to be sent, each 4 bytes or more, at least one.

    `identifier`: 4 bytes, or none (`b""`) when the issuer gave it none. `tag`: 71 or 72.
    """

    commands: tuple[bytes, ...]
    identifier: bytes = b""
    tag: int = AFTER_FINAL

    def build(self) -> bytes:
        """The template 71 or 72, or FormatError."""
        if self.tag not in (BEFORE_FINAL, AFTER_FINAL):
            raise FormatError("script: its tag must be 71 or 72")
        if len(self.identifier) not in (0, 4):
            raise FormatError(f"script identifier: {len(self.identifier)} bytes, must be 4 or none")
        if not self.commands or any(len(command) < _SHORTEST for command in self.commands):
            raise FormatError("script: must have commands, each of 4 bytes or more")
        head = [tlv(_IDENTIFIER, self.identifier)] if self.identifier else []
        return build([tlv(self.tag, head + [tlv(_COMMAND, each) for each in self.commands])])

    @classmethod
    def parse(cls, raw: bytes) -> Script:
        """The script in one template, or FormatError: nothing else may be inside or behind it."""
        found = parse(raw)
        if len(found) != 1:
            raise FormatError("script: must be one template")
        (template,) = found
        inside = list(template.children)
        has_name = bool(inside) and inside[0].tag == _IDENTIFIER
        identifier = inside.pop(0).value if has_name else b""
        if has_name and not identifier:
            raise FormatError("script identifier: 0 bytes, must be 4 or none")
        if any(item.tag != _COMMAND for item in inside):
            raise FormatError("script: must hold its identifier, then commands alone")
        script = cls(tuple(item.value for item in inside), identifier, template.tag)
        script.build()
        return script
