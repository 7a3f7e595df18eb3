# SPDX-License-Identifier: Apache-2.0
"""Secure messaging with an appended MAC (安全报文): both halves, each the mirror of the other.

    CLA' INS P1 P2 Lc' | [LL data 80 00.. enciphered, or data] | MAC (4 bytes)

CLA' is the class with its messaging bit, Lc' counts the MAC too. The MAC, zero IV and padding
method 2, is over header, chained value and data as sent. Two conventions share this shape:

    LD/T 32    session key of STK and the last challenge for both; nothing is chained
    PBOC       MAC and encipherment keys of the transaction; ATC and its cryptogram are chained
               (JR/T 0025.5 annex C)

Only data under a form that says so is enciphered. `open` tells every failure alike: 6988.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hmac import compare_digest
from typing import Final, NamedTuple

from apdu import cla as class_byte
from apdu.command import CommandAPDU
from apdu.crypto.derive import challenge_key, pboc_session_key
from apdu.crypto.script import command_mac, decipher, encipher, script_mac
from apdu.crypto.suite import BlockKey
from apdu.errors import FormatError, StatusError
from apdu.sw import SW

MAC: Final = 4
"""Bytes of a MAC in a command."""
MESSAGING: Final = 0x04
"""The messaging bit of CLA 04 and 84."""
LONGEST: Final = 0xFF
"""Protected data is short: Lc is one byte of what the MAC is over."""


class KeyName(NamedTuple):
    """A key of the card as a reason names it."""

    key: int
    """KID."""
    usage: int
    version: int


@dataclass(frozen=True, slots=True)
class Messaging:
    """What both ends know for one protected command, or the scripts of one transaction."""

    mac_key: BlockKey
    cipher: BlockKey
    link: tuple[bytes, bytes] | None = None
    """What a MAC is chained to: the ATC (2 bytes) and the cryptogram (8)."""
    named: KeyName | None = None
    """Of which key the MAC key is made, for the reason of a refusal."""

    def protect(self, command: CommandAPDU, *, enciphered: bool = False) -> CommandAPDU:
        """The command as it is sent. `enciphered`: its data is hidden as well.

        Raises FormatError when what comes out does not fit a short command, and for a class with
        a channel, a chain or other messaging: there the messaging bit means something else.
        """
        plain = command.cla & ~MESSAGING
        if class_byte.parse(plain).base != plain:
            raise FormatError("CLA: only a class without channel and chaining can be protected")
        data = encipher(self.cipher, command.data) if enciphered and command.data else command.data
        length = len(data) + MAC
        if length > LONGEST:
            raise FormatError(f"protected data: {length} bytes, at most {LONGEST}")
        cla = command.cla | MESSAGING
        header = bytes((cla, command.ins, command.p1, command.p2))
        return replace(command, cla=cla, data=data + self._mac(header, data))

    def open(self, header: bytes, sent: bytes, *, enciphered: bool = False) -> bytes:
        """The data that was protected. `header`: CLA INS P1 P2 as they came, on channel 0.

        Raises StatusError 6987 when there is no room for a MAC, 6988 for any other fault.
        """
        if len(sent) < MAC:
            text = "{length} data bytes have no room for a MAC of {mac}"
            raise StatusError(SW.MESSAGING_MISSING, text, length=len(sent), mac=MAC)
        data, mac = sent[:-MAC], sent[-MAC:]
        if len(sent) > LONGEST or not compare_digest(self._mac(header, data), mac):
            raise self._wrong("the MAC over {length} data bytes does not match under {key}", data)
        if not enciphered or not data:
            return data
        try:
            return decipher(self.cipher, data)
        except FormatError:
            text = "the MAC is right, and {length} bytes are not what {key} enciphers"
            raise self._wrong(text, data) from None

    def _wrong(self, text: str, data: bytes) -> StatusError:
        """Every fault alike on the wire."""
        known = self.named._asdict() if self.named else {"key": None}
        return StatusError(SW.MESSAGING_WRONG, text, length=len(data), **known)

    def _mac(self, header: bytes, data: bytes) -> bytes:
        whole = header + bytes((len(data) + MAC,))
        if self.link is None:
            return command_mac(self.mac_key, whole, data)[:MAC]
        return script_mac(self.mac_key, whole, *self.link, data)[:MAC]


def challenge_messaging(key: BlockKey, challenge: bytes, named: KeyName | None = None) -> Messaging:
    """LD/T 32: one command under a messaging key (STK) and the card's last challenge, 8 bytes."""
    session = challenge_key(key, challenge)
    return Messaging(session, session, named=named)


def script_messaging(
    udk_mac: BlockKey,
    udk_enc: BlockKey,
    atc: bytes,
    cryptogram: bytes,
    named: KeyName | None = None,
) -> Messaging:
    """PBOC: the scripts of the transaction with this ATC (2 bytes) and first cryptogram (8).

    Each command's MAC is chained to that cryptogram, not to the MAC of the command before, so
    that each holds by itself (profile choice `script-chaining`).
    """
    suite = udk_mac.suite
    mac_key = suite.key(pboc_session_key(udk_mac, atc))
    cipher = suite.key(pboc_session_key(udk_enc, atc))
    return Messaging(mac_key, cipher, (atc, cryptogram), named)
