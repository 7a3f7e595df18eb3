# SPDX-License-Identifier: Apache-2.0
"""The service in the foreground: from its start to Ctrl-C or SIGTERM."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from contextlib import suppress

from host.service.web import Service


def run(
    service: Service,
    port: int,
    also_ipv6: bool,
    started: Callable[[int], None],
    stopping: Callable[[], None],
) -> None:
    """Serve until told to end; `started` hears the port, `stopping` that the end has come.

    A call that is being made is made to its end. Raises OSError for a port in use.
    """
    with suppress(KeyboardInterrupt):  # where signals cannot be handled otherwise
        asyncio.run(_run(service, port, also_ipv6, started, stopping))


async def _run(
    service: Service,
    port: int,
    also_ipv6: bool,
    started: Callable[[int], None],
    stopping: Callable[[], None],
) -> None:
    told = asyncio.Event()
    with suppress(NotImplementedError):
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, told.set)
    started(await service.start(port, also_ipv6))
    try:
        await told.wait()
    finally:
        stopping()
        await service.stop()
