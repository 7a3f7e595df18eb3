# SPDX-License-Identifier: Apache-2.0
"""How long does an import take, against the bare interpreter? Ratios of medians, in one run.

python benchmarks/startup.py [--check]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from statistics import median
from time import perf_counter

ROOT = Path(__file__).resolve().parent.parent
GOAL = 3.5
ROUNDS = 15
STATEMENTS = ("import apdu", "import card_os", "import card_os.chip", "import host.card")


def timed(statement: str) -> float:
    """Milliseconds for an interpreter that runs one statement."""
    start = perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True, cwd=ROOT)  # noqa: S603 - ours
    return (perf_counter() - start) * 1e3


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="fail above the goal")
    check = parser.parse_args().check
    late = False
    print(f"{'':22}{'ms':>8}{'bare ms':>9}{'ratio':>7}{'goal':>6}")
    for statement in STATEMENTS:
        rounds = [(timed(statement), timed("pass")) for _ in range(ROUNDS)]
        ratio = median(a / b for a, b in rounds)
        mine, bare = (median(column) for column in zip(*rounds, strict=True))
        late = late or ratio > GOAL
        print(f"{statement:22}{mine:8.1f}{bare:9.1f}{ratio:7.2f}{GOAL:6.1f}")
    return int(check and late)


if __name__ == "__main__":
    raise SystemExit(main())
