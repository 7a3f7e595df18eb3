# SPDX-License-Identifier: Apache-2.0
"""Keys that never leave the chip. The store, not the command, sees to it what a key is used for."""

from __future__ import annotations

from hmac import compare_digest

from apdu.crypto.suite import BlockKey
from apdu.crypto.suites import KEY_SUITES
from apdu.errors import StatusError
from apdu.sw import SW
from apdu.wire.perso import KeyUsage
from card_os.access import key_proof
from card_os.files.layout import SecretHeader
from card_os.nvm import Nvm
from card_os.secrets.counters import SIZE, TryCounter, full_row
from card_os.secrets.pins import TRIES_LEFT

_LEFT = " {left} of {limit} tries left"


def body(value: bytes, limit: int) -> bytes:
    """A new key's memory: its error counter, then the value."""
    return full_row(limit) + value


class KeyObject:
    """One key: KID, usage, version, tries left, and a value that works but is never shown."""

    __slots__ = ("_at", "_cipher", "_nvm", "_size", "_suite", "counter", "header", "proof")

    def __init__(self, nvm: Nvm, at: int, header: SecretHeader, size: int) -> None:
        self.header = header
        self.proof = frozenset({key_proof(header.reference)})
        self.counter = TryCounter(nvm, at, header.limit)
        self._suite = KEY_SUITES[header.algorithm]
        self._nvm = nvm
        self._at = at + SIZE
        self._size = size - SIZE
        self._cipher: BlockKey | None = None

    @property
    def cipher(self) -> BlockKey:
        """The key at work; scheduled when it is first needed, and kept while there is power."""
        if self._cipher is None:
            self._cipher = self._suite.key(self.reveal())
        return self._cipher

    def reveal(self) -> bytes:
        """The value itself, for a rule of the chip that mixes it into data, as PIN CHANGE does."""
        return self._nvm.read(self._at, self._size)

    def compare(self, expected: bytes, shown: bytes) -> None:
        """Judge what was shown to prove this key: pay for the try, compare, give it back.

        Raises StatusError 63Cx when it is wrong. Right and wrong take the same steps up to there.
        """
        self.counter.pay()
        if not compare_digest(expected, shown):
            text = "what was shown does not prove {key}, version {version};" + _LEFT
            raise StatusError(TRIES_LEFT | self.counter.left, text, **self._facts())
        self.counter.give_back()

    def replace(self, value: bytes) -> None:
        """A new value of the same length, and all tries again, in one step."""
        with self._nvm.atomic():
            self._nvm.write(self._at, value)
            self.counter.fill()
        self._cipher = None

    def refill(self) -> None:
        """All tries again, with the value there is."""
        with self._nvm.atomic():
            self.counter.fill()

    def blocked(self) -> StatusError:
        """6983: no try is left."""
        text = "{key}, version {version}, is blocked;" + _LEFT
        return StatusError(SW.AUTH_BLOCKED, text, **self._facts())

    def _facts(self) -> dict[str, int]:
        header, left = self.header, self.counter.left
        facts = {"key": header.reference, "usage": header.usage, "version": header.version}
        return facts | {"left": left, "limit": header.limit}

    def __repr__(self) -> str:
        header = self.header
        return f"KeyObject({header.reference:02X}, {header.usage.name}, version {header.version})"


class KeyStore:
    """The keys of one directory. A key is asked for by number and by what it is to do."""

    __slots__ = ("_keys",)

    def __init__(self) -> None:
        self._keys: dict[int, list[KeyObject]] = {}

    def add(self, key: KeyObject) -> None:
        found = self._keys.setdefault(key.header.reference, [])
        found.append(key)
        found.sort(key=lambda each: each.header.version)

    def has(self, header: SecretHeader) -> bool:
        """Whether there is a key of this number, usage, scope and version already."""
        return any(
            (each.header.usage, each.header.scope, each.header.version)
            == (header.usage, header.scope, header.version)
            for each in self._keys.get(header.reference, ())
        )

    def holds(self, kid: int, usage: KeyUsage) -> bool:
        """Whether there is a key of this number for this usage."""
        return any(key.header.usage is usage for key in self._keys.get(kid, ()))

    def find(
        self, kid: int, usage: KeyUsage, version: int | None = None, scope: int = 0
    ) -> KeyObject:
        """The key for one usage; without a version, its lowest one.

        Raises StatusError 6A88 when there is none of this number (or version), 6985 when there
        are only keys for other usages, 6983 when it is blocked.
        """
        key = self.held(kid, usage, version, scope)
        if not key.counter.left:
            raise key.blocked()
        return key

    def held(
        self, kid: int, usage: KeyUsage, version: int | None = None, scope: int = 0
    ) -> KeyObject:
        """As `find`, but a blocked key as well: one that is not to be used but renewed."""
        same = self._keys.get(kid)
        if not same:
            raise StatusError(SW.REFERENCE_NOT_FOUND, "there is no {key}", key=kid, usage=usage)
        fitting = [key for key in same if key.header.usage is usage and key.header.scope == scope]
        if not fitting:
            text = "no key with KID {kid:02X} may do {usage}"
            raise StatusError(SW.CONDITIONS_NOT_SATISFIED, text, kid=kid, usage=usage)
        for key in fitting:
            if version is None or key.header.version == version:
                return key
        text = "there is no version {version} of {key}"
        facts = {"key": kid, "usage": usage, "version": version}
        raise StatusError(SW.REFERENCE_NOT_FOUND, text, **facts)
