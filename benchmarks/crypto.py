# SPDX-License-Identifier: Apache-2.0
"""What do keys, MACs and PINs cost beside the ciphers they are made of? Ratios, all in one run.

python benchmarks/crypto.py             prints a table
python benchmarks/crypto.py --check     exit status 1 when a ratio misses its goal

pyemv is measured against when it is installed: pip install pyemv==1.5.0
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter, thread_time

sys.path[:0] = [str(Path(__file__).resolve().parent.parent)]

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES  # noqa: E402
from cryptography.hazmat.primitives.ciphers import Cipher, modes  # noqa: E402
from cryptography.hazmat.primitives.ciphers.algorithms import SM4 as Sm4Cipher  # noqa: E402

from apdu.crypto import cryptogram, derive, pinblock, pinvalue  # noqa: E402
from apdu.crypto.sm4 import SM4  # noqa: E402
from apdu.crypto.suite import ecb  # noqa: E402
from apdu.crypto.tdes import TDES  # noqa: E402
from apdu.wire.cryptogram import Cvn  # noqa: E402

KEY = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
TEXT = bytes(range(40))
FILLED = TEXT + b"\x80" + bytes(7)
INPUT = bytes(31) + bytes.fromhex("001C 03A0A000")
"""37 bytes, as CVN 01 has them: ATC 001C."""
PAN = "6228000100001234567"
PANS = [f"62280001{number:08d}" for number in range(2_000)]
CARDS, BATCH_ROUNDS = 1_000_000, 5

Work = Callable[[], object]
Clock = Callable[[], float]


@dataclass(frozen=True)
class Line:
    """One comparison. Where `at_least` is false, less is better."""

    what: str
    against: str
    ours: float
    theirs: float
    ratio: float
    goal: float | None = None
    at_least: bool = False
    per_second: str = ""

    @property
    def missed(self) -> bool:
        if self.goal is None:
            return False
        return self.ratio < self.goal if self.at_least else self.ratio > self.goal

    def __str__(self) -> str:
        sign = ">=" if self.at_least else "<="
        goal = "" if self.goal is None else f"{sign}{self.goal:5.1f}{'  !' * self.missed}"
        head = f"{self.what:36}{self.against:36}{shown(self.ours)}{shown(self.theirs)}"
        return f"{head}{self.ratio:7.2f}  {goal:10}{self.per_second}".rstrip()


def shown(seconds: float) -> str:
    return f"{seconds * 1e3:9.0f} ms" if seconds > 1e-2 else f"{seconds * 1e6:9.2f} us"


def timed(work: Work, clock: Clock) -> float:
    start = clock()
    work()
    return clock() - start


def rounds(count: int, *works: tuple[Work, float], clock: Clock = thread_time) -> list[list[float]]:
    """Seconds of each work, divided by how many things it does, in turns: a list a work.

    The time of this thread alone, unless another clock is given: others use the machine as well.
    """
    for work, _ in works:
        work()
    found = [[timed(work, clock) / things for work, things in works] for _ in range(count)]
    return [list(column) for column in zip(*found, strict=True)]


def ratio(ours: list[float], theirs: list[float]) -> float:
    return median(a / b for a, b in zip(ours, theirs, strict=True))


def repeat(call: Callable[[bytes], object], data: bytes, count: int) -> tuple[Work, float]:
    def work() -> None:
        for _ in range(count):
            call(data)

    return work, count


def context(mode: object, value: bytes = KEY + KEY[:8]) -> Callable[[bytes], bytes]:
    """A kept context of the library, bare."""
    update: Callable[[bytes], bytes] = Cipher(TripleDES(value), mode).encryptor().update
    return update


# The lines


def retail_mac() -> Iterator[Line]:
    """The MAC of a command. Its work in C: five blocks of single DES and one of triple DES."""
    name, count = "retail MAC of 40 bytes, kept key", 3_000
    long, blocks = bytes(8 * 20_000), 20_000
    once = context(modes.CBC(bytes(8)))
    chain, last = context(modes.CBC(bytes(8)), KEY[:8] * 3), context(ecb())

    def both(text: bytes) -> None:
        chain(text)
        last(KEY[:8])

    bulk = context(modes.CBC(bytes(8)))
    mac, per_block, one, two = rounds(
        40,
        repeat(TDES.key(KEY).mac, TEXT, count),
        (lambda: bulk(long), blocks * 3 / 8),
        repeat(once, FILLED, count),
        repeat(both, TEXT, count),
    )
    for against, theirs, goal in (
        ("C: 8/3 of a block in long 3DES CBC", per_block, 3.5),
        ("one bare 3DES CBC update, 48 bytes", one, 1.3),
        ("its own two bare updates, 40 + 8", two, None),
    ):
        yield Line(name, against, median(mac), median(theirs), ratio(mac, theirs), goal)


def unknown_card() -> Iterator[Line]:
    """ARQC of a card seen for the first time: card key, session key, MAC over 37 bytes."""
    master, name = TDES.key(KEY), "ARQC of an unknown card (CVN 01)"

    def ours() -> None:
        for pan in PANS:
            cryptogram.verify(master, pan, "00", Cvn.CVN_01, INPUT, KEY[:8])

    try:
        from pyemv import ac, kd
    except ImportError:
        (mine,) = rounds(15, (ours, len(PANS)))
        print(f"{name}: {shown(median(mine)).strip()}, {speed(median(mine), 40_000)};", end=" ")
        print("no ratio, for pyemv is not installed")
        return

    def theirs() -> None:
        for pan in PANS:
            card = kd.derive_icc_mk_a(KEY, pan, "00")
            # It does not know PBOC's session keys; EMV's take the same two blocks.
            session = kd.derive_common_sk(card, b"\x00\x1c" + bytes(6))
            found = ac.generate_ac(session, INPUT, ac.PaddingType.EMV)
            assert found != KEY[:8]  # noqa: S101 - a comparison, as ours makes one

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mine, other = rounds(15, (ours, len(PANS)), (theirs, len(PANS)))
    yield Line(
        name,
        "pyemv, times slower",
        median(mine),
        median(other),
        ratio(other, mine),
        3.0,
        at_least=True,
        per_second=speed(median(mine), 40_000),
    )


def speed(seconds: float, goal: int) -> str:
    """The goal holds on the machine that speed was planned on, so it is not checked."""
    return f"{1 / seconds:9,.0f}/s (reference machine: {goal:,})"


def pin() -> Iterator[Line]:
    """A PIN block of format 0, deciphered, and its PIN held to a PVV."""
    pin_key, pvk = TDES.key(KEY), TDES.key(KEY[::-1])
    block = pin_key.encrypt(pinblock.build_iso_0("1234", PAN))
    pvv = pinvalue.pvv(pvk, "1234", PAN)
    count = 10_000

    def ours() -> None:
        for _ in range(count):
            pinvalue.verify_pvv(pin_key, block, PAN, pvk, "1", pvv)

    mine, kept, bare = rounds(
        25,
        (ours, count),
        repeat(pin_key.encrypt, block, count),
        repeat(context(ecb()), block, count),
    )
    for against, one, goal, text in (
        ("one 3DES block, kept key", kept, 7.0, speed(median(mine), 400_000)),
        ("one bare 3DES block", bare, None, ""),
    ):
        name = "PIN block deciphered, PVV verified"
        yield Line(
            name, against, median(mine), median(one), ratio(mine, one), goal, per_second=text
        )


def batches() -> Iterator[Line]:
    """A million card keys of one master key, against the cipher alone on the same 16 MB."""
    blocks = derive.factors_with_complement(number.to_bytes(8) for number in range(CARDS))
    bare_sm4 = Cipher(Sm4Cipher(KEY), ecb()).encryptor().update
    for suite, bare, goal in ((TDES, context(ecb()), 1.1), (SM4, bare_sm4, 1.2)):
        key = suite.key(KEY)
        whole, two, alone = rounds(
            BATCH_ROUNDS,
            (lambda key=key: derive.derive_many(key, blocks), 1),
            (lambda key=key: derive.derive_many(key, blocks, 2), 1),
            (lambda bare=bare: bare(blocks), 1),
            clock=perf_counter,
        )
        name = f"1,000,000 {suite.name} card keys"
        for what, against, mine, theirs, limit in (
            (name, "one bare ECB update", whole, alone, goal),
            (f"{name}, 2 threads", "the same with 1 thread", two, whole, None),
        ):
            yield Line(what, against, median(mine), median(theirs), ratio(mine, theirs), limit)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="fail when a ratio misses its goal")
    check = parser.parse_args().check
    late = False
    print(f"{'':36}{'against':36}{'ours':>12}{'theirs':>12}{'ratio':>7}  goal")
    for measure in (retail_mac, unknown_card, pin, batches):
        for line in measure():
            late = late or line.missed
            print(line, flush=True)
    return int(check and late)


if __name__ == "__main__":
    raise SystemExit(main())
