# SPDX-License-Identifier: Apache-2.0
"""Cards of ours behind a socket of this machine: as a reader without PC/SC has them.

with over_a_socket(issue_test_card()) as channel:
    channel.transmit(bytes.fromhex("0084000008"))
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from fakereader import plugged

from host.channel.vpcd import VpcdChannel

DEADLINE = 60.0
"""Seconds that an answer may take before a test fails."""


@contextmanager
def over_a_socket(card: Any) -> Iterator[VpcdChannel]:
    """A channel to a card that a `Plug` puts into the reader; afterwards it has left."""
    with ExitStack() as stack:

        def waiting(host: str, port: int) -> None:
            stack.enter_context(plugged(card, (host, port)))

        yield stack.enter_context(VpcdChannel.listen(0, deadline=DEADLINE, waiting=waiting))
