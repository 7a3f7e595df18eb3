# SPDX-License-Identifier: Apache-2.0
"""The host's half of the secure channel (安全通道): opening it, and sending commands through it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import Final, TypeVar

from apdu.crypto.aes import AES
from apdu.crypto.suite import Suite
from apdu.crypto.tdes import TDES
from apdu.errors import FormatError
from apdu.secret import Secret
from apdu.secure_channel import (
    HOST_CHALLENGE,
    Channel,
    ChannelKeys,
    Handshake,
    begin,
    card_challenge,
)
from apdu.wire.form import CommandForm
from apdu.wire.globalplatform import (
    INITIALIZE_UPDATE,
    OPEN_CHANNEL,
    KeySetRef,
    Level,
    LevelRef,
    Scp02Begun,
)
from host.card import Card, command_of
from host.faults import CardMisspoke, CardNotGenuine

P = TypeVar("P")
D = TypeVar("D")
Random = Callable[[int], bytes]
KEY: Final = 16
"""Bytes of a static key, under 3DES as under AES."""


@dataclass(frozen=True, slots=True)
class ChannelSecrets:
    """The three static keys as the bank has them, 16 bytes each; what algorithm they are of, the
    card says with its protocol."""

    enc: Secret = field(repr=False)
    mac: Secret = field(repr=False)
    dek: Secret = field(repr=False)

    def __post_init__(self) -> None:
        for name in ("enc", "mac", "dek"):
            size = len(getattr(self, name))
            if size != KEY:
                raise FormatError(f"channel key {name.upper()}: {size} bytes, must be {KEY}")

    def under(self, suite: Suite) -> ChannelKeys:
        return ChannelKeys(*(suite.key(each.reveal()) for each in (self.enc, self.mac, self.dek)))


_DEFAULT: Final = Secret(bytes(range(0x40, 0x50)))
TEST_CHANNEL_KEYS: Final = ChannelSecrets(_DEFAULT, _DEFAULT, _DEFAULT)
"""The keys that GlobalPlatform's test cards come with: published, and worthless."""


class SecureChannel:
    """An open channel to the application that was selected when it was opened."""

    def __init__(self, card: Card, channel: Channel) -> None:
        self._card = card
        self._channel = channel

    def send(self, form: CommandForm[P, D, None], params: P, data: D) -> None:
        """Send a command that has no answer, through the channel. Faults as of `Card.send`."""
        self._channel, command = self._channel.protect(command_of(form, params, data, 0))
        self._card.relay(command, form.name)

    def encipher(self, secret: bytes) -> bytes:
        """Secret data under the data encryption key, for a command that is to carry it."""
        return self._channel.encipher(secret)


def open_channel(
    card: Card,
    aid: bytes,
    keys: ChannelSecrets,
    random: Random,
    level: Level = Level.MAC_AND_ENCIPHERMENT,
) -> SecureChannel:
    """Open a channel to the application `aid`, which is selected.

    Raises CardNotGenuine when the card does not prove itself with these keys, CardMisspoke for an
    answer that is none, and other CardFaults when it refuses.
    """
    host = random(HOST_CHALLENGE)
    begun = card.send(INITIALIZE_UPDATE, KeySetRef(), host)
    secrets = keys.under(TDES if isinstance(begun, Scp02Begun) else AES)
    try:
        channel = begin(secrets, Handshake(host, begun.counter, begun.challenge))
    except FormatError as error:
        raise CardMisspoke(f"INITIALIZE UPDATE: {error}") from None
    expected = card_challenge(secrets, begun.counter, aid) + channel.card_cryptogram
    if not compare_digest(expected, begun.challenge + begun.cryptogram):
        raise CardNotGenuine("INITIALIZE UPDATE: the card does not know the channel's keys")
    through = SecureChannel(card, channel)
    through.send(OPEN_CHANNEL, LevelRef(level), channel.host_cryptogram)
    return SecureChannel(card, through._channel.at(level))
