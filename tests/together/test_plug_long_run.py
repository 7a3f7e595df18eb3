# SPDX-License-Identifier: Apache-2.0
"""A card in a reader for a long time: no memory, no descriptor and no thread is added."""

from __future__ import annotations

import gc
import os
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from apdu.wire.hrss.application import SSSE_NAME
from card_os.plug import Plug
from host.channel.vpcd import VpcdChannel
from host.cli.testcard import issue_test_card

SELECT = bytes((0x00, 0xA4, 0x04, 0x00, len(SSSE_NAME), *SSSE_NAME))
ROUND = (
    SELECT,
    bytes.fromhex("00C0000000"),
    bytes.fromhex("00B2012C00"),
    bytes.fromhex("0084000008"),
    bytes.fromhex("0020000003123456"),
    bytes.fromhex("00B2630400"),
    bytes.fromhex("00EE000000"),
    bytes.fromhex("00A4040008A000000333010101"),
    bytes.fromhex("80CA9F3600"),
    bytes.fromhex("80CA9F1300"),
)
"""Ten commands: selections, reads, a challenge, the PIN, and what is refused."""
COUNT = 100_000 if os.environ.get("HYPOTHESIS_PROFILE") == "long" else 10_000
ALLOWED = 64 * 1024
"""Bytes that may be added, however many commands there are: caches that fill."""


LONG = 60.0
"""Seconds after which a test fails instead of hanging."""


@contextmanager
def plugged_in() -> Iterator[VpcdChannel]:
    """A card in another thread, of which nobody keeps a diary."""
    started: list[tuple[Plug, threading.Thread]] = []

    def waiting(host: str, port: int) -> None:
        plug = Plug(issue_test_card(), (host, port), lambda _: None)
        thread = threading.Thread(target=plug.run, daemon=True)
        thread.start()
        started.append((plug, thread))

    with VpcdChannel.listen(0, deadline=LONG, waiting=waiting) as channel:
        yield channel
    for plug, thread in started:
        plug.stop()
        thread.join(LONG)
        assert not thread.is_alive()


def work(channel: VpcdChannel, count: int) -> None:
    for at in range(count // len(ROUND)):
        for command in ROUND:
            channel.transmit(command)
        if at % 100 == 0:
            channel.reset()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="this system has no /proc")
def test_a_long_run_adds_nothing() -> None:
    with plugged_in() as channel:
        work(channel, 1_000)
        descriptors, threads = len(os.listdir("/proc/self/fd")), threading.active_count()
        tracemalloc.start()
        try:
            work(channel, 1_000)  # what tracing makes anew is counted before
            gc.collect()
            before, _ = tracemalloc.get_traced_memory()
            work(channel, COUNT)
            gc.collect()
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert after - before < ALLOWED
        assert descriptors == len(os.listdir("/proc/self/fd"))
        assert threads == threading.active_count()
