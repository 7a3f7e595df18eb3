# SPDX-License-Identifier: Apache-2.0
"""Bytes that must not be seen: a PIN or a key outside of the place that uses it."""

from __future__ import annotations

from typing import Final, NoReturn

MASK: Final = "•••"


class Secret:
    """Holds secret bytes; every text form of it is `•••`, and it cannot be pickled."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = value

    def reveal(self) -> bytes:
        """The bytes, for the command or the computation that needs them."""
        return self._value

    def __len__(self) -> int:
        return len(self._value)

    def __repr__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not to be copied or stored")
