# SPDX-License-Identifier: Apache-2.0
"""The bank's personalisation of a debit application: data groups in blocks of STORE DATA, through
a secure channel; keys and PIN enciphered once more, under its data encryption key."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby
from secrets import token_bytes
from typing import Final

from apdu.errors import FormatError
from apdu.wire.globalplatform import STORE_DATA, Level, StoreDataRef
from apdu.wire.pboc.application import DEBIT_AID
from apdu.wire.pboc.groups import SECRET, DataGroup
from host.card import Card
from host.terminal.secure_channel import (
    TEST_CHANNEL_KEYS,
    ChannelSecrets,
    SecureChannel,
    open_channel,
)

BLOCK: Final = 231
"""Bytes of groups in a block: a short command with room for a MAC and a block of padding."""
_ENCIPHERED: Final = 3


def personalise_debit(
    card: Card,
    groups: Iterable[DataGroup],
    keys: ChannelSecrets = TEST_CHANNEL_KEYS,
    random: Callable[[int], bytes] = token_bytes,
    level: Level = Level.MAC_AND_ENCIPHERMENT,
) -> None:
    """Give the card's debit application its data groups and put it in use.

    `random` makes the host's challenge. Raises FormatError when there are no groups,
    CardNotGenuine when the card does not prove itself, another CardFault when it refuses; the
    application then waits to be personalised anew.
    """
    wanted = tuple(groups)
    if not wanted:
        raise FormatError("personalisation: there are no data groups")
    with card.transaction():
        card.select(DEBIT_AID)
        channel = open_channel(card, DEBIT_AID, keys, random, level)
        blocks = _blocks(channel, wanted)
        for number, (secret, block) in enumerate(blocks):
            last = int(number == len(blocks) - 1)
            marked = _ENCIPHERED if secret else 0
            channel.send(STORE_DATA, StoreDataRef(last, marked, number & 0xFF), block)


def _blocks(channel: SecureChannel, groups: Iterable[DataGroup]) -> list[tuple[bool, bytes]]:
    """Groups cut into blocks, in their order. Secret ones are enciphered, and share no block with
    others."""
    found: list[tuple[bool, bytes]] = []
    for secret, run in groupby(groups, key=lambda group: group.number in SECRET):
        stream = b"".join(
            bytes(DataGroup(each.number, channel.encipher(each.value)) if secret else each)
            for each in run
        )
        found += [(secret, stream[at : at + BLOCK]) for at in range(0, len(stream), BLOCK)]
    return found
