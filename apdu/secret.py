# SPDX-License-Identifier: Apache-2.0
"""What must not be seen: PINs and keys, and the data of the commands that carry them."""

from __future__ import annotations

from typing import Final, NoReturn

MASK: Final = "•••"

SECRET_INS: Final = frozenset(
    {0x20, 0x21, 0x24, 0x25, 0x26, 0x28, 0x2C, 0x2D, 0x4A, 0x5E, 0xC4, 0xD4, 0xD8, 0xFA}
)
"""Commands whose data is secret under nearly any class: VERIFY, CHANGE REFERENCE DATA, RESET RETRY
COUNTER (these three also with odd INS), DISABLE and ENABLE VERIFICATION REQUIREMENT, CHANGE PIN,
WRITE KEY and PUT KEY, CRYPT of a PSAM, which is given PINs to encipher, and of the PKI
application LOAD SESSION KEY, and HASH, which is given PINs. A test holds the forms marked secret
to this list."""
MEDICAL_CLASS: Final = 0xB0
"""Of the medical account's own commands (LD/T 32). Its 28 and 2C bring amounts and MACs."""
STORE_DATA: Final = 0xE2
"""Under a proprietary class: the personalisation of a bank's application, keys among it. Under the
interindustry class it is APPEND RECORD."""
_PROPRIETARY: Final = 0x80

SECRET_ANSWERS: Final = frozenset({0x4E, 0xC4})
"""Commands whose answer is secret: DECIPHER, which gives session keys, and HASH, which gives the
key of a PIN."""


def brings_secret(cla: int, ins: int) -> bool:
    """Whether the data of a command with this class and instruction is a secret."""
    if ins == STORE_DATA:
        return bool(cla & _PROPRIETARY)
    return ins in SECRET_INS and cla != MEDICAL_CLASS


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
