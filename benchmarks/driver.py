# SPDX-License-Identifier: Apache-2.0
"""How long do the LD/T 33 functions take over chips in memory, power-on included?

python benchmarks/driver.py             prints a table
python benchmarks/driver.py --check     exit status 1 when one takes longer than its goal

Milliseconds, medians of one run; and as a ratio to what the card alone takes for the commands of
the same call.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from apdu.crypto.suites import SUITES  # noqa: E402
from apdu.wire.hrss.generations import GENERATIONS  # noqa: E402
from card_os.chip import Chip  # noqa: E402
from host.channel import Channel  # noqa: E402
from host.channel.memory import MemoryChannel  # noqa: E402
from host.cli.testcard import issue_test_card, issue_test_psam  # noqa: E402
from host.driver import Driver  # noqa: E402
from host.keys import MemoryKeys  # noqa: E402

ROUNDS = 200
GOALS = {"iReadCardBas, 2.0": 2.0}
"""Milliseconds."""


class Heard(MemoryChannel):
    """Writes down what the card is asked."""

    def __init__(self, chip: Chip) -> None:
        super().__init__(chip)
        self.said: list[bytes] = []

    def _exchange(self, command: bytes) -> bytes:
        self.said.append(command)
        return super()._exchange(command)


def timed(action: Callable[[], object]) -> float:
    """The median of what it takes, in milliseconds."""
    spent = []
    for _ in range(ROUNDS):
        start = perf_counter()
        action()
        spent.append(perf_counter() - start)
    return median(spent) * 1e3


def measured(generation: str, psam: Channel | None) -> tuple[float, float]:
    """iReadCardBas, and the card alone: its reset, and the commands of that call."""
    chip = issue_test_card(generation)
    heard = Heard(chip)
    Driver(lambda _: heard, psam).iReadCardBas(1)
    driver = Driver(lambda _: MemoryChannel(chip), psam)

    def card_alone() -> None:
        chip.reset()
        for command in heard.said:
            chip.transmit(command)

    return timed(lambda: driver.iReadCardBas(1)), timed(card_alone)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="fail above the goal")
    check = parser.parse_args().check
    late = False
    print(f"{'':30}{'ms':>8}{'card ms':>9}{'ratio':>7}{'goal ms':>9}")
    for name, generation in GENERATIONS.items():
        keys = MemoryKeys(suite=SUITES[generation.algorithm])
        for psam in (None, MemoryChannel(issue_test_psam(keys))):
            if psam is None and name == "3.0":
                continue  # it shows its holder to nobody who has no key
            label = f"iReadCardBas, {name}" + (" with PSAM" if psam else "")
            took, alone = measured(name, psam)
            goal = GOALS.get(label)
            late = late or (goal is not None and took > goal)
            shown = f"{goal:9.1f}" if goal else ""
            print(f"{label:30}{took:8.2f}{alone:9.2f}{took / alone:7.1f}{shown}")
    return int(check and late)


if __name__ == "__main__":
    raise SystemExit(main())
