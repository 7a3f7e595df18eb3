# SPDX-License-Identifier: Apache-2.0
"""The virtual reader protocol of vsmartcard's vpcd, as declared. `apdu.vpcd` is what runs."""

from __future__ import annotations

from apdu.wire.fields import counted, rest, wire
from apdu.wire.record import Record, record


@record
class Frame(Record):
    """A length in two bytes, and as many bytes of body."""

    body: bytes = wire(counted(rest(), size=2))
