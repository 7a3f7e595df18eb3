# SPDX-License-Identifier: Apache-2.0
"""The payment keys of the application as they are personalised: UDK-AC, UDK-MAC and UDK-ENC."""

from __future__ import annotations

from typing import Final

from apdu.errors import StatusError
from apdu.sw import SW
from apdu.wire.pboc.application import AC_KEY, ENC_KEY, MAC_KEY
from apdu.wire.perso import Algorithm, KeyBlock, KeyUsage
from card_os.dispatch import Context

KEY_LENGTH: Final = 16
LIMIT: Final = 15
"""Of a payment key's error counter, which nothing counts down."""
_SLOTS: Final = (
    (AC_KEY, KeyUsage.CRYPTOGRAM),
    (MAC_KEY, KeyUsage.SCRIPT_MAC),
    (ENC_KEY, KeyUsage.SCRIPT_ENCIPHERMENT),
)


def has_keys(ctx: Context, algorithm: Algorithm) -> bool:
    """Whether the application has its three keys for an algorithm."""
    try:
        for kid, usage in _SLOTS:
            ctx.key(kid, usage, algorithm)
    except StatusError:
        return False
    return True


def keep_keys(ctx: Context, algorithm: Algorithm, value: bytes) -> None:
    """Store the keys in a group, one after the other; those that are there already get the new
    values. StatusError 6A80 for a group of another length."""
    if len(value) != KEY_LENGTH * len(_SLOTS):
        text = "the keys of {algorithm} are {wanted} bytes, these are {length}"
        wanted = KEY_LENGTH * len(_SLOTS)
        facts = {"algorithm": algorithm, "wanted": wanted, "length": len(value)}
        raise StatusError(SW.WRONG_DATA, text, **facts)
    for place, (kid, usage) in enumerate(_SLOTS):
        key = value[place * KEY_LENGTH : (place + 1) * KEY_LENGTH]
        directory = ctx.session.directory
        try:
            there = directory.keys.held(kid, usage, algorithm)
        except StatusError:
            block = KeyBlock(usage, algorithm, algorithm, LIMIT, key)
            ctx.tree.add_secret(directory, kid, block)
        else:
            there.replace(key)


def check_keys(ctx: Context, algorithm: Algorithm, given: bytes) -> None:
    """Hold the keys to the check values that came for them, 3 bytes each. StatusError 6A80 when
    there are no keys, or others."""
    if not has_keys(ctx, algorithm):
        text = "there are check values of {algorithm}, and no keys"
        raise StatusError(SW.WRONG_DATA, text, algorithm=algorithm)
    values = [ctx.key(kid, usage, algorithm).cipher.check_value() for kid, usage in _SLOTS]
    if given != b"".join(values):
        text = "the keys of {algorithm} do not have the check values that came for them"
        raise StatusError(SW.WRONG_DATA, text, algorithm=algorithm)
