# SPDX-License-Identifier: Apache-2.0
"""The holder's PIN: a value, its tries, and the initial value that it must not go back to."""

from __future__ import annotations

from hmac import compare_digest
from typing import Final

from apdu.errors import StatusError
from apdu.sw import SW
from card_os.access import pin_proof
from card_os.files.layout import SecretHeader
from card_os.nvm import Nvm
from card_os.secrets.counters import SIZE, TryCounter, full_row

LONGEST: Final = 8
"""Bytes of a PIN's coding."""
STORED: Final = 1 + LONGEST
"""Bytes of a PIN in memory: length and coding."""
_LENGTHS: Final = [bytes((n,)) for n in range(0x100)]
TRIES_LEFT: Final = 0x63C0


def block(value: bytes) -> bytes:
    """A PIN as it is stored and compared: its length, then the value filled with FF."""
    return _LENGTHS[len(value)] + value.ljust(LONGEST, b"\xff")


def body(value: bytes, limit: int) -> bytes:
    """A new PIN's memory: all tries, then the value."""
    return full_row(limit) + block(value)


def unproven(reference: int, counter: TryCounter) -> StatusError:
    """63Cx for a PIN that is asked about, or 6983 when it has no try left."""
    left = counter.left
    text = "{pin} is not proven; {left} of {limit} tries left"
    facts = {"pin": reference, "left": left, "limit": counter.limit}
    return StatusError(TRIES_LEFT | left if left else SW.AUTH_BLOCKED, text, **facts)


def not_a_pin() -> StatusError:
    """6A80: what came in place of a new PIN."""
    return StatusError(SW.WRONG_DATA, "the new value is not in the shape of a PIN")


class PinObject:
    """One PIN. What it does to its memory, it does in the order that makes guessing cost."""

    __slots__ = ("_at", "_nvm", "counter", "initial", "proof", "reference")

    def __init__(self, nvm: Nvm, at: int, header: SecretHeader) -> None:
        self.proof = frozenset({pin_proof(header.reference)})
        self.reference = header.reference
        self.initial = header.initial
        self.counter = TryCounter(nvm, at, header.limit)
        self._nvm = nvm
        self._at = at + SIZE

    def verify(self, attempt: bytes) -> None:
        """Pay for the try before looking, so that pulling the card buys nothing.

        Raises StatusError 6983 when no try is left, 63Cx when the attempt is wrong.
        """
        self._compare(attempt)
        self.counter.give_back()

    def is_initial(self) -> bool:
        """Whether the value is still, or again, the initial one; told in the same steps if not."""
        return compare_digest(self._nvm.read(self._at, STORED), block(self.initial))

    def change(self, old: bytes, new: bytes) -> None:
        """Put a new value in place of the old one, which must be shown; all tries again.

        Raises as `verify` does, and StatusError 6985 when the new value is the initial PIN.
        """
        if compare_digest(block(new), block(self.initial)):
            text = "the new value of {pin} is the initial one, and it must not go back to that"
            raise StatusError(SW.CONDITIONS_NOT_SATISFIED, text, pin=self.reference)
        self._compare(old)
        with self._nvm.atomic():
            self._nvm.write(self._at, block(new))
            self.counter.fill()

    def unblock(self) -> None:
        """All tries again; who may ask for it, the command knows."""
        with self._nvm.atomic():
            self.counter.fill()

    def reload(self, new: bytes) -> None:
        """A new value, and all tries again, without the old value."""
        with self._nvm.atomic():
            self.renew(new)

    def renew(self, new: bytes) -> None:
        """The writes of `reload`, for a block that has more in it."""
        self._nvm.write(self._at, block(new))
        self.counter.fill()

    def coding(self) -> bytes:
        """The value in force, for what the chip itself makes of it."""
        stored = self._nvm.read(self._at, STORED)
        return stored[1 : 1 + stored[0]]

    def _compare(self, attempt: bytes) -> None:
        """Pay, then compare."""
        counter = self.counter
        if not counter.left:
            raise self._refused(SW.AUTH_BLOCKED, "{pin} has {left} of {limit} tries left")
        counter.pay()
        if not compare_digest(self._nvm.read(self._at, STORED), block(attempt)):
            text = "what was shown is not {pin}; {left} of {limit} tries left"
            raise self._refused(TRIES_LEFT | counter.left, text)

    def _refused(self, sw: int, text: str) -> StatusError:
        counter = self.counter
        facts = {"pin": self.reference, "left": counter.left, "limit": counter.limit}
        return StatusError(sw, text, **facts)
