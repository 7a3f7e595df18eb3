# SPDX-License-Identifier: Apache-2.0
"""Secure messaging of the PKI application: as in `messaging`, with a key, MAC and IV of its own.

The key is the secret that was proven itself, not a session key of it; the MAC begins with the
card's last challenge, and its last block is folded to 4 bytes (`apdu.crypto.pki.folded_mac`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from apdu.crypto.pki import folded_mac
from apdu.crypto.suite import BlockKey
from apdu.messaging import MAC, KeyName, Messaging


@dataclass(frozen=True, slots=True)
class PkiMessaging(Messaging):
    """What both ends know for one protected command."""

    challenge: bytes = field(kw_only=True)
    """The card's last, 8 or 16 bytes."""

    def _mac(self, header: bytes, data: bytes) -> bytes:
        whole = header + bytes((len(data) + MAC,)) + data
        return folded_mac(self.mac_key, self.challenge, whole)


def pki_messaging(key: BlockKey, challenge: bytes, named: KeyName | None = None) -> PkiMessaging:
    """For one command under the secret that was proven, and the card's last challenge."""
    return PkiMessaging(key, key, named=named, challenge=challenge)
