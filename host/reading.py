# SPDX-License-Identifier: Apache-2.0
"""From the bytes of a file of the HRSS application to typed values, as its clients give them."""

from __future__ import annotations

from typing import TypeVar

from apdu.errors import FormatError
from apdu.wire.hrss.erased import canonical
from apdu.wire.record import Record
from host.faults import CardMisspoke

R = TypeVar("R", bound=Record)


def read_as(layout: type[R], found: bytes) -> R:
    """The value, items that were erased (FF.. or 00..) absent; CardMisspoke for another shape."""
    try:
        return layout.parse(canonical(layout, found))
    except FormatError as error:
        raise CardMisspoke(str(error)) from None
