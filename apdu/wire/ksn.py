# SPDX-License-Identifier: Apache-2.0
"""The key serial number (KSN) that a terminal sends with what it enciphers under DUKPT."""

from __future__ import annotations

from typing import Final

from apdu.errors import FormatError
from apdu.wire.fields import raw, uint, wire
from apdu.wire.record import Record, record

COUNTER_BITS: Final = 21
DEVICE_BITS: Final = 19
MOST_ONES: Final = 10
"""Ones in a counter at most: a key is derived once for each of them."""
_COUNTERS: Final = (1 << COUNTER_BITS) - 1


@record
class Ksn(Record):
    """10 bytes: which base key, which device, how many transactions (ANSI X9.24-1:2009 annex A).

    `key_set`: 5 bytes, filled with F on the left. `device_and_counter`: 19 bits and 21 bits.
    """

    key_set: bytes = wire(raw(5))
    device_and_counter: int = wire(uint(5))

    @property
    def device(self) -> int:
        return self.device_and_counter >> COUNTER_BITS

    @property
    def counter(self) -> int:
        """Which transaction; 0 is none yet, the initial key's own."""
        return self.device_and_counter & _COUNTERS

    def at(self, counter: int) -> Ksn:
        """The same device at another transaction, 0 to 0x1FFFFF."""
        if not 0 <= counter <= _COUNTERS:
            raise FormatError(f"KSN: the counter must have {COUNTER_BITS} bits")
        return Ksn(self.key_set, self.device << COUNTER_BITS | counter)

    def next(self) -> Ksn:
        """The KSN of the next transaction; counters with more than 10 ones are left out.

        Raises FormatError when the last one has been used: the device needs a new initial key.
        """
        counter = self.counter + 1
        while counter.bit_count() > MOST_ONES:
            counter += counter & -counter
        if counter > _COUNTERS:
            raise FormatError("KSN: all its transactions are used")
        return self.at(counter)
