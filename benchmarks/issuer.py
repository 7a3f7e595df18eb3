# SPDX-License-Identifier: Apache-2.0
"""How many orders does the bank answer in a second, on one core, with its store in a file?

python benchmarks/issuer.py             prints a table
python benchmarks/issuer.py --check     exit status 1 when the whole of an online purchase is slower
                                        than 1,000 a second

Time of the processor (microseconds, medians of one run), because what else runs on the machine is
not the question; and as a ratio to one transaction of SQLite itself, which writes two rows.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
from collections.abc import Callable
from datetime import datetime
from itertools import count
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import process_time

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from host.issuer.bank import Bank  # noqa: E402
from host.issuer.limits import UNLIMITED  # noqa: E402

GOAL = 1000
"""Online purchases with a PIN in a second: is the reference new, is the counter, is the password
right, and the money moved."""
ROUNDS, ORDERS = 7, 400
PAN, PASSWORD = "6228000100001117", "135790"
NOON = datetime(2026, 1, 5, 12)


def timed(action: Callable[[], object]) -> float:
    """Microseconds of the processor for one: the median of rounds."""
    spent = []
    for _ in range(ROUNDS):
        start = process_time()
        for _ in range(ORDERS):
            action()
        spent.append((process_time() - start) / ORDERS)
    return median(spent) * 1e6


def bare(folder: Path) -> Callable[[], object]:
    """A transaction of SQLite itself."""
    store = sqlite3.connect(folder / "bare.db", isolation_level=None)
    for statement in (
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = NORMAL",
        "CREATE TABLE one (id INTEGER PRIMARY KEY, reference TEXT UNIQUE, amount INTEGER)",
        "CREATE TABLE two (id INTEGER PRIMARY KEY, balance INTEGER)",
        "INSERT INTO two VALUES (1, 0)",
    ):
        store.execute(statement)
    numbers = count()

    def transaction() -> None:
        store.execute("BEGIN IMMEDIATE")
        store.execute("INSERT INTO one VALUES (NULL, ?, 1)", (f"{next(numbers):012d}",))
        store.execute("UPDATE two SET balance = balance + 1 WHERE id = 1")
        store.execute("COMMIT")

    return transaction


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="fail below the goal")
    check = parser.parse_args().check
    with TemporaryDirectory() as name:
        folder = Path(name)
        bank = Bank(str(folder / "bank.db"), limits=UNLIMITED)
        numbers, counters = count(1), count(1)

        def new() -> str:
            return f"{next(numbers):012d}"

        bank.open(new(), PAN, "01", "ZHANG SAN", NOON)
        bank.activate(new(), PAN, PASSWORD, NOON)
        bank.deposit(new(), PAN, 10**9, NOON)
        block = bank.pin_keys.enciphered(PASSWORD, PAN)

        def online_purchase() -> None:
            reference = new()
            bank.answered(reference)
            bank.raise_atc(PAN, next(counters))
            bank.verify_pin(PAN, block)
            bank.purchase(reference, PAN, 1, NOON)

        kept = bank.pin_keys.kept(PASSWORD, PAN)
        rows: dict[str, Callable[[], object]] = {
            "a transaction of SQLite itself": bare(folder),
            "was the reference answered": lambda: bank.answered(new()),
            "password, compared only": lambda: bank.pin_keys.right(block, PAN, kept),
            "password, with its tries": lambda: bank.verify_pin(PAN, block),
            "purchase": lambda: bank.purchase(new(), PAN, 1, NOON),
            "load": lambda: bank.load(new(), PAN, 1, NOON),
            "online purchase, all of it": online_purchase,
        }
        print(f"{'':34}{'µs':>8}{'ratio':>7}{'a second':>10}")
        alone = whole = 0.0
        for row, action in rows.items():
            whole = timed(action)
            alone = alone or whole
            print(f"{row:34}{whole:8.0f}{whole / alone:7.1f}{1e6 / whole:10.0f}")
        assert () == bank.audit()  # noqa: S101 - a figure of a wrong ledger is worth nothing
        bank.ledger.close()
    return int(check and 1e6 / whole < GOAL)


if __name__ == "__main__":
    sys.exit(main())
