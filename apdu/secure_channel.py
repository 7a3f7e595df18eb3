# SPDX-License-Identifier: Apache-2.0
"""The secure channel of personalisation (安全通道), both halves: GlobalPlatform SCP02 and SCP03.

INITIALIZE UPDATE brings the challenges together and lets the card prove itself, EXTERNAL
AUTHENTICATE the host; from then on commands carry a C-MAC of 8 bytes, each chained to the one
before, and at the higher level their data is enciphered. A channel is a value: every command
makes the next one, and one that fails leaves none. Which protocol it is, the keys say: 3DES is
SCP02, AES is SCP03.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hmac import compare_digest
from typing import Final, Self

from apdu.command import CommandAPDU
from apdu.crypto import scp02, scp03
from apdu.crypto.aes import AES, cmac
from apdu.crypto.cbc import cbc_decrypt, cbc_encrypt
from apdu.crypto.padding import method_2, strip_2
from apdu.crypto.suite import BlockKey, Suite
from apdu.crypto.tdes import TDES
from apdu.errors import FormatError, StatusError
from apdu.secret import MASK
from apdu.sw import SW
from apdu.wire.globalplatform import Level

MAC: Final = 8
HOST_CHALLENGE: Final = 8
LONGEST: Final = 0xFF
"""Protected data is short: Lc is one byte of what the MAC is over."""
_MESSAGING: Final = 0x04
_MAC_OF_SCP03: Final = 16
Compare = Callable[[bytes, bytes], None]
"""Takes what is expected and what came; raises when they differ."""


@dataclass(frozen=True, slots=True, repr=False)
class ChannelKeys:
    """The three static keys, of one suite. Raises FormatError when they are not, or of none that
    a channel has."""

    enc: BlockKey
    mac: BlockKey
    dek: BlockKey

    def __post_init__(self) -> None:
        suite = self.enc.suite
        if suite not in (TDES, AES) or {self.mac.suite, self.dek.suite} != {suite}:
            raise FormatError("channel keys: must be three of 3DES, or three of AES")

    @property
    def suite(self) -> Suite:
        return self.enc.suite

    def __repr__(self) -> str:
        return f"ChannelKeys({self.suite}, {MASK})"


@dataclass(frozen=True, slots=True)
class Handshake:
    """What both ends know after INITIALIZE UPDATE. `counter`: 2 bytes (SCP02) or 3; `card`: the
    card's challenge, 6 bytes or 8."""

    host: bytes
    counter: bytes
    card: bytes


@dataclass(frozen=True, slots=True, repr=False)
class Channel(ABC):
    """A channel between two commands."""

    level: Level
    enc: BlockKey
    mac: BlockKey
    dek: BlockKey
    card_cryptogram: bytes
    host_cryptogram: bytes
    chain: bytes
    """What the next C-MAC is chained to."""
    number: int = 0
    """Commands since EXTERNAL AUTHENTICATE."""

    def at(self, level: Level) -> Self:
        """The channel from EXTERNAL AUTHENTICATE on."""
        return replace(self, level=level)

    def protect(self, command: CommandAPDU) -> tuple[Self, CommandAPDU]:
        """The command as it is sent, and the channel after it.

        Raises FormatError when what comes out does not fit a short command.
        """
        cla = command.cla | _MESSAGING
        header = bytes((cla, command.ins, command.p1, command.p2))
        chain, sent = self._protected(header, command.data)
        if len(sent) > LONGEST:
            raise FormatError(f"protected data: {len(sent)} bytes, at most {LONGEST}")
        return self._after(chain), replace(command, cla=cla, data=sent)

    def open(
        self, header: bytes, sent: bytes, compare: Compare | None = None
    ) -> tuple[Self, bytes]:
        """The data that was protected, and the channel after it. `header`: CLA INS P1 P2.

        Raises StatusError 6988 for every fault alike, or what `compare` raises for a wrong MAC.
        """
        if not MAC <= len(sent) <= LONGEST:
            text = "{length} data bytes, a C-MAC with them has {mac} to {most}"
            facts = {"length": len(sent), "mac": MAC, "most": LONGEST}
            raise StatusError(SW.MESSAGING_WRONG, text, **facts)
        body, shown = sent[:-MAC], sent[-MAC:]
        chain, expected, data = self._opened(header, body)
        (compare or _compare)(expected, shown)
        if data is None:
            text = "the C-MAC is right, and the data is not enciphered as the channel wants it"
            raise StatusError(SW.MESSAGING_WRONG, text)
        return self._after(chain), data

    def encipher(self, secret: bytes) -> bytes:
        """Data as it goes under the data encryption key (DEK): padded, always."""
        return self._under_dek(method_2(secret, self.dek.suite.block))

    @abstractmethod
    def decipher(self, hidden: bytes) -> bytes:
        """What `encipher` hid, or FormatError."""

    def _after(self, chain: bytes) -> Self:
        return replace(self, chain=chain, number=self.number + 1)

    @property
    def _deciphers(self) -> bool:
        return self.level is Level.MAC_AND_ENCIPHERMENT

    @abstractmethod
    def _protected(self, header: bytes, data: bytes) -> tuple[bytes, bytes]:
        """The next chaining value, and data with its C-MAC."""

    @abstractmethod
    def _opened(self, header: bytes, body: bytes) -> tuple[bytes, bytes, bytes | None]:
        """The next chaining value, the C-MAC that is expected, and the data; None when it was
        not enciphered as it should be."""

    @abstractmethod
    def _under_dek(self, blocks: bytes) -> bytes: ...

    def __repr__(self) -> str:
        return f"{type(self).__name__}({MASK})"


@dataclass(frozen=True, slots=True, repr=False)
class Scp02(Channel):
    """SCP02, option 55. The MAC is over the data before it is enciphered."""

    link: bytes = field(default=b"", repr=False)
    """Session key of the C-MAC: its first half enciphers chaining values."""

    def _mac(self, header: bytes, data: bytes) -> bytes:
        length = bytes((len(data) + MAC & 0xFF,))
        return scp02.command_mac(self.mac, self.chain, header + length + data)

    def _protected(self, header: bytes, data: bytes) -> tuple[bytes, bytes]:
        mac = self._mac(header, data)
        if self._deciphers and data:
            data = cbc_encrypt(self.enc, method_2(data, self.enc.suite.block), bytes(8))
        return scp02.next_chain(self.link, mac), data + mac

    def _opened(self, header: bytes, body: bytes) -> tuple[bytes, bytes, bytes | None]:
        data: bytes | None = body
        if self._deciphers and body:
            try:
                plain = cbc_decrypt(self.enc, body, bytes(8))
                data = strip_2(plain, self.enc.suite.block)
            except FormatError:
                data = None
        mac = self._mac(header, body if data is None else data)
        return scp02.next_chain(self.link, mac), mac, data

    def _under_dek(self, blocks: bytes) -> bytes:
        return self.dek.encrypt(blocks)

    def decipher(self, hidden: bytes) -> bytes:
        return strip_2(self.dek.decrypt(hidden), self.dek.suite.block)


@dataclass(frozen=True, slots=True, repr=False)
class Scp03(Channel):
    """SCP03, option 10. The MAC is over the data as it is sent."""

    def _protected(self, header: bytes, data: bytes) -> tuple[bytes, bytes]:
        if self._deciphers and data:
            padded = method_2(data, self.enc.suite.block)
            data = cbc_encrypt(self.enc, padded, scp03.command_iv(self.enc, self.number))
        chain = self._chained(header, data)
        return chain, data + chain[:MAC]

    def _opened(self, header: bytes, body: bytes) -> tuple[bytes, bytes, bytes | None]:
        chain = self._chained(header, body)
        data: bytes | None = body
        if self._deciphers and body:
            try:
                iv = scp03.command_iv(self.enc, self.number)
                data = strip_2(cbc_decrypt(self.enc, body, iv), self.enc.suite.block)
            except FormatError:
                data = None
        return chain, chain[:MAC], data

    def _chained(self, header: bytes, data: bytes) -> bytes:
        length = bytes((len(data) + MAC & 0xFF,))
        return cmac(self.mac, self.chain + header + length + data)

    def _under_dek(self, blocks: bytes) -> bytes:
        return cbc_encrypt(self.dek, blocks, bytes(16))

    def decipher(self, hidden: bytes) -> bytes:
        return strip_2(cbc_decrypt(self.dek, hidden, bytes(16)), self.dek.suite.block)


def begin(keys: ChannelKeys, shaken: Handshake) -> Channel:
    """The channel as EXTERNAL AUTHENTICATE finds it: with a C-MAC, and nothing enciphered.

    Raises FormatError when counter or challenges do not have the lengths of the protocol.
    """
    sizes = len(shaken.host), len(shaken.counter), len(shaken.card)
    if keys.suite is TDES:
        _check_sizes(sizes, (HOST_CHALLENGE, scp02.COUNTER, scp02.CHALLENGE))
        return _begin_02(keys, shaken)
    _check_sizes(sizes, (HOST_CHALLENGE, scp03.COUNTER, scp03.CHALLENGE))
    return _begin_03(keys, shaken)


def card_challenge(keys: ChannelKeys, counter: bytes, aid: bytes) -> bytes:
    """The card's challenge, which no one can choose: it follows from counter and AID."""
    if keys.suite is TDES:
        mac = TDES.key(scp02.session_key(keys.mac, scp02.C_MAC, counter))
        return scp02.card_challenge(mac, aid)
    return scp03.card_challenge(keys.enc, counter, aid)


def _begin_02(keys: ChannelKeys, shaken: Handshake) -> Scp02:
    counter = shaken.counter
    link = scp02.session_key(keys.mac, scp02.C_MAC, counter)
    enc = TDES.key(scp02.session_key(keys.enc, scp02.ENC, counter))
    said = (enc, shaken.host, counter, shaken.card)
    return Scp02(
        Level.MAC,
        enc,
        TDES.key(link),
        TDES.key(scp02.session_key(keys.dek, scp02.DEK, counter)),
        scp02.card_cryptogram(*said),
        scp02.host_cryptogram(*said),
        bytes(TDES.block),
        link=link,
    )


def _begin_03(keys: ChannelKeys, shaken: Handshake) -> Scp03:
    context = shaken.host + shaken.card
    enc, mac = (
        AES.key(scp03.derived(key, purpose, context, 16))
        for key, purpose in ((keys.enc, scp03.Purpose.ENC), (keys.mac, scp03.Purpose.C_MAC))
    )
    card, host = (
        scp03.derived(mac, purpose, context, scp03.CRYPTOGRAM)
        for purpose in (scp03.Purpose.CARD_CRYPTOGRAM, scp03.Purpose.HOST_CRYPTOGRAM)
    )
    return Scp03(Level.MAC, enc, mac, keys.dek, card, host, bytes(_MAC_OF_SCP03))


def _check_sizes(found: tuple[int, int, int], wanted: tuple[int, int, int]) -> None:
    for name, size, right in zip(
        ("host challenge", "sequence counter", "card challenge"), found, wanted, strict=True
    ):
        if size != right:
            raise FormatError(f"{name}: {size} bytes, must be {right}")


def _compare(expected: bytes, shown: bytes) -> None:
    if not compare_digest(expected, shown):
        text = "the C-MAC does not match: another key, or another chain of commands"
        raise StatusError(SW.MESSAGING_WRONG, text)
