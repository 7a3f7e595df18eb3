# SPDX-License-Identifier: Apache-2.0
"""How much slower than the floor is the chip? Ratios of medians, both in one run.

python benchmarks/commands.py             prints a table
python benchmarks/commands.py --check     exit status 1 when a ratio is above its goal
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import floor  # noqa: E402 - found beside this file

from apdu.wire.hrss.application import SSSE_NAME  # noqa: E402
from apdu.wire.hrss.generations import SSSE  # noqa: E402
from card_os.chip import Chip  # noqa: E402
from host.cli.testcard import issue_test_card  # noqa: E402

GOAL = 6.0
ROUNDS, COUNT = 15, 20_000
PIN_BLOCK = bytes.fromhex("241234FFFFFFFFFF")

SELECT = bytes.fromhex("00A404000F") + SSSE_NAME + b"\x00"
CASES = (
    ("SELECT by name", SELECT, SELECT),
    ("READ RECORD", bytes.fromhex("00B2012C00"), bytes.fromhex("00B2010400")),
    ("VERIFY, right PIN", bytes.fromhex("0020000003123456"), b"\x00\x20\x00\x80\x08" + PIN_BLOCK),
)
"""What is measured, as our chip and as the floor want it said."""


def timed(transmit: Callable[[bytes], bytes], command: bytes) -> float:
    """Microseconds for one command."""
    start = perf_counter()
    for _ in range(COUNT):
        transmit(command)
    return (perf_counter() - start) / COUNT * 1e6


def floor_card(chip: Chip) -> floor.Card:
    """A floor with the chip's FCI and a record as long as the chip's first."""
    record = chip.transmit(CASES[1][1])[:-2]
    app = floor.App(SSSE_NAME, SSSE.fci, bytes(128), [record] * 7, PIN_BLOCK)
    return floor.Card([app])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="fail above the goal")
    check = parser.parse_args().check
    chip = issue_test_card()
    chip.transmit(SELECT)
    ground = floor_card(chip)
    late = False
    print(f"{'':20}{'chip us':>9}{'floor us':>9}{'ratio':>7}{'goal':>6}")
    for name, ours, theirs in CASES:
        pair = (chip.transmit, ours), (ground.transmit, theirs)
        if any(transmit(command)[-2:] != b"\x90\x00" for transmit, command in pair):
            raise SystemExit(f"{name}: not answered with 9000")
        rounds = [[timed(*each) for each in pair] for _ in range(ROUNDS)]
        ratio = median(a / b for a, b in rounds)
        mine, least = (median(column) for column in zip(*rounds, strict=True))
        late = late or ratio > GOAL
        print(f"{name:20}{mine:9.2f}{least:9.2f}{ratio:7.1f}{GOAL:6.0f}")
    return int(check and late)


if __name__ == "__main__":
    raise SystemExit(main())
