# SPDX-License-Identifier: Apache-2.0
"""The commands of GlobalPlatform by which an application is personalised (Card Specification 2.3
chapter 11, EMV Card Personalization Specification)."""

from __future__ import annotations

from apdu.wire.fields import bit_const, bits, fixed, wire
from apdu.wire.form import NOTHING, RAW, CommandForm
from apdu.wire.record import BitRecord, record


@record
class StoreDataRef(BitRecord):
    """P1-P2 of STORE DATA: whether it is the last block, whether its groups are enciphered, and
    the number of the block."""

    last: int = wire(bits(1), default=0)
    enciphered: int = wire(bits(2), default=0)
    """0 no, 3 all groups in it, under the data encryption key."""
    reserved: int = fixed(bit_const(0, 5))
    block: int = wire(bits(8), default=0)


STORE_DATA = CommandForm(
    "STORE DATA",
    0xE2,
    StoreDataRef,
    RAW,
    NOTHING,
    cases=frozenset({3}),
    cla=0x80,
    lc=range(1, 256),
    secret=True,
    spec="GlobalPlatform 2.3 11.11, EMV CPS",
)
