# SPDX-License-Identifier: Apache-2.0
"""How many commands a second get through to a card in a virtual reader, and how late is the last?

python benchmarks/readers.py             prints a table
python benchmarks/readers.py --check     exit status 1 when a figure misses its goal

This process sends one READ RECORD over and over: to a card in memory, to one in another process
behind a socket, and through a pcscd with vpcd in namespaces of their own - with nothing but
pyscard, with our channel, with both to the same card on a system without TCP_QUICKACK, and to
`sscard serve`. Where there can be no pcscd those are skipped with a message.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "outside" / "readers")]

from hermetic import READERS, Pcscd, missing, until  # noqa: E402
from serving import Served, issued_card  # noqa: E402

from apdu.vpcd import PORT  # noqa: E402
from apdu.wire.hrss.application import SSSE_NAME  # noqa: E402
from card_os import plug  # noqa: E402
from host.channel.memory import MemoryChannel  # noqa: E402
from host.channel.pcsc import PcscChannel, readers  # noqa: E402
from host.channel.vpcd import VpcdChannel  # noqa: E402
from host.cli.testcard import issue_test_card  # noqa: E402

SELECT = bytes((0x00, 0xA4, 0x04, 0x00, len(SSSE_NAME), *SSSE_NAME))
READ = bytes.fromhex("00B2012C00")
"""READ RECORD 01 of EF05, 17 bytes long."""
COUNT, SLOW_COUNT, WARM = 10_000, 40, 300
RATE_GOAL = 5_000
"""Commands a second through pcscd."""
GAIN_GOAL = 200
"""Times as many as without TCP_QUICKACK."""
P50_GOAL, P99_GOAL = 1_000, 5_000
"""Microseconds."""

Transmit = Callable[[bytes], bytes]


Process = subprocess.Popen[bytes]


class Figures(NamedTuple):
    """Of one run: commands a second, and microseconds that half and 99 % of them took at most."""

    rate: float
    p50: float
    p99: float


class Row(NamedTuple):
    """A line of the table."""

    way: str
    figures: Figures
    memory: float = 0.0
    """MiB of the card process."""


def measured(transmit: Transmit, count: int = COUNT) -> Figures:
    transmit(SELECT)
    for _ in range(min(WARM, count)):
        expected = transmit(READ)
    if expected[-2:] != b"\x90\x00":
        raise SystemExit(f"READ RECORD: {expected[-2:].hex()}, 9000 expected")
    took = []
    begun = last = perf_counter()
    for _ in range(count):
        answer = transmit(READ)
        now = perf_counter()
        took.append(now - last)
        last = now
        if answer != expected:
            raise SystemExit("READ RECORD: an answer that is not the record's")
    took.sort()
    return Figures(count / (last - begun), took[count // 2] * 1e6, took[count * 99 // 100] * 1e6)


# The card


def card(port: int, quick: bool) -> None:
    """What the card process does: the test card in a reader, until it is killed."""
    if not quick:
        plug._QUICK = None  # a system that has none
    chip = issue_test_card()
    plug.Plug(chip, ("127.0.0.1", port)).run()


@contextmanager
def card_process(
    port: int, *, quick: bool = True, inside: Pcscd | None = None
) -> Iterator[Process]:
    words = [sys.executable, __file__, "--card", str(port), *([] if quick else ["--slow"])]
    process = inside.inside(*words) if inside else subprocess.Popen(words)  # noqa: S603 - ours
    try:
        yield process
    finally:
        process.kill()
        process.wait()


# Ways to it


def through_pcscd() -> Iterator[Row]:
    """With pyscard alone and with our channel; to the command that users start; and with both to
    the first card without TCP_QUICKACK."""
    daemon = Pcscd()
    try:
        until("the readers are there", lambda: len(readers()) == 2)
        with (
            card_process(PORT, inside=daemon) as quick,
            card_process(PORT + 1, quick=False, inside=daemon),
        ):
            until("the cards are there", lambda: daemon.atr(0) and daemon.atr(1))
            for slot, count, how in (0, COUNT, ""), (1, SLOW_COUNT, ", no TCP_QUICKACK"):
                with raw_pyscard(READERS[slot]) as transmit:
                    yield Row(f"pcscd, pyscard alone{how}", measured(transmit, count))
                with PcscChannel.open(READERS[slot]) as channel:
                    figures = measured(channel.transmit, count)
                    yield Row(f"pcscd, our channel{how}", figures, resident(quick) * (not slot))
        until("the readers are empty", lambda: not daemon.atr(0) and not daemon.atr(1))
        with TemporaryDirectory() as folder:
            served = Served(daemon, issued_card(Path(folder)))
            with PcscChannel.open(READERS[0]) as channel:
                figures = measured(channel.transmit)
                yield Row("pcscd, our channel, sscard serve", figures, resident(served.process))
            served.stop()
    finally:
        code = daemon.stop()
        daemon.remove()
    if code:
        raise SystemExit(f"pcscd crashed: {code}")


@contextmanager
def raw_pyscard(reader: str) -> Iterator[Transmit]:
    """SCardTransmit as it is, with nothing of ours but the bytes."""
    from smartcard import scard

    def call(function: str, *arguments: Any) -> Any:
        answer = getattr(scard, function)(*arguments)
        code, *found = answer if isinstance(answer, list) else [answer]
        if code:
            raise SystemExit(f"{function}: {code & 0xFFFF_FFFF:08X}")
        return found

    (context,) = call("SCardEstablishContext", scard.SCARD_SCOPE_USER)
    handle, _ = call(
        "SCardConnect", context, reader, scard.SCARD_SHARE_SHARED, scard.SCARD_PROTOCOL_T0
    )
    send, pci = scard.SCardTransmit, scard.SCARD_PCI_T0

    def transmit(command: bytes) -> bytes:
        code, answer = send(handle, pci, list(command))
        if code:
            raise SystemExit(f"SCardTransmit: {code & 0xFFFF_FFFF:08X}")
        return bytes(answer)

    try:
        yield transmit
    finally:
        call("SCardDisconnect", handle, scard.SCARD_LEAVE_CARD)
        call("SCardReleaseContext", context)


def over_a_socket() -> Row:
    """Our reader and our card in two processes, without pcscd."""
    with ExitStack() as stack:
        started: list[Process] = []

        def start(_: str, port: int) -> None:
            started.append(stack.enter_context(card_process(port)))

        channel = stack.enter_context(VpcdChannel.listen(0, deadline=30.0, waiting=start))
        return Row("socket, our reader", measured(channel.transmit), resident(started[0]))


def in_memory() -> Row:
    channel = MemoryChannel(issue_test_card())
    channel.reset()
    return Row("memory", measured(channel.transmit))


def why_no_pcscd() -> str:
    if why := missing():
        return why
    try:
        import smartcard.scard  # noqa: F401
    except ImportError:
        return "needs pyscard: pip install 'sscard[pcsc]'"
    return ""


def resident(process: Process) -> float:
    """MiB of memory that a process has now; 0 where nobody tells."""
    try:
        lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def show(row: Row) -> None:
    memory = f"{row.memory:9.0f}" if row.memory else ""
    figures = row.figures
    print(f"{row.way:40}{figures.rate:9.0f}{figures.p50:9.0f}{figures.p99:9.0f}{memory}")


def goals(rows: list[Row]) -> bool:
    """Print figures beside their goals; whether all are reached."""
    raw, ours, slow, ours_slow, served = (row.figures for row in rows)
    at_least = (
        ("pyscard alone, APDU/s", raw.rate, RATE_GOAL),
        ("our channel, APDU/s", ours.rate, RATE_GOAL),
        ("sscard serve, APDU/s", served.rate, RATE_GOAL),
        ("pyscard alone, times without QUICKACK", raw.rate / slow.rate, GAIN_GOAL),
        ("our channel, times without QUICKACK", ours.rate / ours_slow.rate, GAIN_GOAL),
    )
    at_most = (
        ("sscard serve, p50 us", served.p50, P50_GOAL),
        ("sscard serve, p99 us", served.p99, P99_GOAL),
    )
    print(f"\n{'through pcscd':40}{'':9}{'goal':>11}")
    for name, figure, goal in at_least:
        print(f"{name:40}{figure:9.0f}{'>=':>5}{goal:6}")
    for name, figure, goal in at_most:
        print(f"{name:40}{figure:9.0f}{'<=':>5}{goal:6}")
    reached = all(figure >= goal for _, figure, goal in at_least)
    return reached and all(figure <= goal for _, figure, goal in at_most)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="fail when a goal is missed")
    parser.add_argument("--card", type=int, metavar="PORT", help=argparse.SUPPRESS)
    parser.add_argument("--slow", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.card:
        card(given.card, not given.slow)
        return 0
    print(f"{'':40}{'APDU/s':>9}{'p50 us':>9}{'p99 us':>9}{'card MiB':>9}")
    show(in_memory())
    show(over_a_socket())
    if why := why_no_pcscd():
        print(f"through pcscd: skipped, {why}")
        return 0
    rows = []
    for row in through_pcscd():
        show(row)
        rows.append(row)
    reached = goals(rows)
    return int(given.check and not reached)


if __name__ == "__main__":
    raise SystemExit(main())
