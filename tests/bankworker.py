# SPDX-License-Identifier: Apache-2.0
"""A process that works at a bank's store together with others, or until it is killed.

python -m bankworker drain STORE COUNT FIRST   so many withdrawals of 1 fen, references from FIRST;
                                               prints how many passed
python -m bankworker work STORE FIRST          order after order until somebody kills it; prints
                                               each one when it is answered
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import count

from bankbench import NOON, OTHER, PAN, PASSWORD

from host.issuer.bank import Bank
from host.issuer.faults import Refused
from host.issuer.limits import UNLIMITED


def drain(bank: Bank, often: int, first: int) -> int:
    passed = 0
    for number in range(first, first + often):
        try:
            bank.withdraw(f"{number:012d}", PAN, 1, NOON)
            passed += 1
        except Refused:
            pass
    return passed


def orders(bank: Bank, first: int) -> Iterator[str]:
    """References, each when its order has been answered; every one of them passes."""
    block = bank.pin_keys.enciphered(PASSWORD, PAN)
    for number in count(first, 5):
        added, loaded, back, given, spent = (f"{number + more:012d}" for more in range(5))
        bank.deposit(added, PAN, 40, NOON)
        yield added
        bank.load(loaded, PAN, 30, NOON)
        yield loaded
        bank.unload(back, PAN, 20, NOON)
        yield back
        bank.transfer(given, PAN, OTHER, 10, NOON)
        yield given
        bank.verify_pin(PAN, block)
        bank.purchase(spent, PAN, 5, NOON)
        yield spent
        bank.reverse(spent, PAN, 5, NOON)


def main(doing: str, store: str, *numbers: str) -> None:
    bank = Bank(store, limits=UNLIMITED)
    if doing == "drain":
        print(drain(bank, *map(int, numbers)))
    else:
        for reference in orders(bank, int(numbers[0])):
            print(reference, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
