# SPDX-License-Identifier: Apache-2.0
"""Keys that never leave the chip. The store, not the command, sees to it what a key is used for."""

from __future__ import annotations

from apdu.errors import StatusError
from apdu.secret import Secret
from apdu.sw import SW
from apdu.wire.perso import Algorithm, KeyUsage
from card_os.files.layout import SecretHeader
from card_os.nvm import Nvm
from card_os.secrets.counters import SIZE, TryCounter, full_row


def body(value: bytes, limit: int) -> bytes:
    """A new key's memory: its error counter, then the value."""
    return full_row(limit) + value


class KeyObject:
    """One key: KID, usage, version, algorithm, tries left, and a value that only works."""

    __slots__ = ("_at", "_nvm", "_size", "algorithm", "counter", "kid", "usage", "version")

    def __init__(self, nvm: Nvm, at: int, header: SecretHeader, size: int) -> None:
        self.kid = header.reference
        self.usage: KeyUsage = header.usage
        self.version = header.version
        self.algorithm: Algorithm = header.algorithm
        self.counter = TryCounter(nvm, at, header.limit)
        self._nvm = nvm
        self._at = at + SIZE
        self._size = size - SIZE

    def value_for(self, usage: KeyUsage) -> Secret:
        """The value, for one usage. Raises StatusError 6985 for another, 6983 when blocked."""
        if usage is not self.usage:
            raise StatusError(SW.CONDITIONS_NOT_SATISFIED)
        if not self.counter.left:
            raise StatusError(SW.AUTH_BLOCKED)
        return Secret(self._nvm.read(self._at, self._size))

    def __repr__(self) -> str:
        return f"KeyObject({self.kid:02X}, {self.usage.name}, version {self.version})"
