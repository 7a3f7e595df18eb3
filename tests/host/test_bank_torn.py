# SPDX-License-Identifier: Apache-2.0
"""Whatever breaks off an order, it is done wholly or not at all, and can be given again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bankbench import MONEY, NOON, OTHER, PAN, PASSWORD, UNKNOWN, new, opened
from sqlalchemy import text

from host.issuer.accounts import AccountView, Posted
from host.issuer.bank import Bank
from host.issuer.faults import BankUnavailable
from host.issuer.prepared import Prepared

TESTS = Path(__file__).parents[1]
REFERENCE = "900000000000"
SPENT = "900000000001"

ORDERS: dict[str, Callable[[Bank], Posted]] = {
    "open": lambda bank: bank.open(REFERENCE, UNKNOWN, "01", "LI SI", NOON),
    "reset_password": lambda bank: bank.reset_password(REFERENCE, PAN, "864209", NOON),
    "deposit": lambda bank: bank.deposit(REFERENCE, PAN, 70, NOON),
    "purchase": lambda bank: bank.purchase(REFERENCE, PAN, 70, NOON),
    "transfer": lambda bank: bank.transfer(REFERENCE, PAN, OTHER, 70, NOON),
    "load": lambda bank: bank.load(REFERENCE, PAN, 70, NOON),
    "settle": lambda bank: bank.settle(REFERENCE, PAN, 70, 3, NOON),
    "hold": lambda bank: bank.hold(REFERENCE, PAN, 70, NOON),
    "reverse": lambda bank: bank.reverse(SPENT, PAN, 50, NOON),
}


def prepared(store: str = "sqlite://") -> Bank:
    bank = opened(opened(Bank(store)), OTHER)
    bank.load(new(), PAN, 20, NOON)
    bank.purchase(SPENT, PAN, 50, NOON)
    return bank


def accounts(bank: Bank) -> list[AccountView]:
    return [bank.account(pan) for pan in (PAN, OTHER)]


class Broken(Exception):
    """What a test throws in."""


@pytest.mark.parametrize("name", ORDERS)
def test_an_order_that_fails_at_any_statement_has_done_nothing(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = prepared()
    wanted = ORDERS[name](done)
    bank, runs = prepared(), 0
    before = accounts(bank)
    run, left = Prepared.__call__, 0

    def failing(statement: Prepared, *given: Any, **values: Any) -> list[Any]:
        nonlocal left
        left -= 1
        if not left:
            raise Broken
        return run(statement, *given, **values)

    while True:
        runs += 1
        left = runs
        monkeypatch.setattr(Prepared, "__call__", failing)
        try:
            found = ORDERS[name](bank)
        except Broken:
            found = None
        monkeypatch.undo()
        if found is not None:
            break
        assert before == accounts(bank)
        assert () == bank.audit()
    assert runs > 3
    assert wanted == found
    assert accounts(done) == accounts(bank)


@pytest.mark.parametrize("name", ORDERS)
def test_an_order_that_the_store_breaks_off_anywhere_is_old_or_new(name: str) -> None:
    """At any instruction of SQLite's own machine, the one that commits included."""
    done = prepared()
    wanted = ORDERS[name](done)
    bank = prepared()
    before, after = accounts(bank), accounts(done)
    driver: Any = bank.ledger.engine.raw_connection().driver_connection
    broken, left = 0, 0

    def count() -> int:
        nonlocal left
        left -= 1
        return left == 0

    for after_steps in range(1, 100_000, 13):
        left = after_steps
        driver.set_progress_handler(count, 1)
        try:
            found = ORDERS[name](bank)
        except BankUnavailable:
            broken += 1
            driver.set_progress_handler(None, 1)
            assert accounts(bank) in (before, after)
            assert () == bank.audit()
        else:
            driver.set_progress_handler(None, 1)
            break
    assert broken > 5
    assert wanted == found
    assert after == accounts(bank)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("name", ["purchase", "transfer", "reverse"])
def test_a_process_killed_at_any_statement_leaves_the_store_old_or_new(
    name: str, tmp_path: Path
) -> None:
    store = str(tmp_path / "bank.db")
    bank = prepared(store)
    before = accounts(bank)
    bank.ledger.close()
    killed = 0
    while True:
        child = os.fork()
        if not child:
            die_at(killed + 1)
            ORDERS[name](Bank(store))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            break
        assert signal.SIGKILL == os.WTERMSIG(status)
        killed += 1
        bank = Bank(store)
        assert before == accounts(bank)
        assert () == bank.audit()
        bank.ledger.close()
    assert killed > 4
    bank = Bank(store)
    assert before != accounts(bank)
    assert () == bank.audit()
    assert ORDERS[name](bank).again


def die_at(statement: int) -> None:
    run, left = Prepared.__call__, statement

    def dying(prepared: Prepared, *given: Any, **values: Any) -> list[Any]:
        nonlocal left
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        return run(prepared, *given, **values)

    Prepared.__call__ = dying  # type: ignore[method-assign]


@pytest.mark.parametrize("answers", [1, 13, 58])
def test_what_was_answered_survives_the_end_of_the_process(answers: int, tmp_path: Path) -> None:
    store = str(tmp_path / "bank.db")
    opened(opened(Bank(store)), OTHER).ledger.close()
    worker = [sys.executable, "-m", "bankworker", "work", store, "700000000000"]
    path = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    with subprocess.Popen(
        worker, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": path}
    ) as running:
        assert running.stdout is not None
        said = [running.stdout.readline().strip() for _ in range(answers)]
        running.kill()
        said += [line.strip() for line in running.stdout if line.endswith("\n")]
    bank = Bank(store)
    assert () == bank.audit()
    assert all(isinstance(bank.answered(reference), Posted) for reference in said)
    assert bank.account(PAN).pin_tries in (2, 3)
    with bank.ledger.reading() as connection:
        kept = connection.scalar(text("SELECT count(*) FROM journal WHERE reference >= '7'"))
        # Each fifth order has its reversal beside it.
        assert len(said) <= kept <= len(said) + len(said) // 5 + 2


def test_a_wrong_password_is_paid_for_though_the_process_ends(tmp_path: Path) -> None:
    if not hasattr(os, "fork"):
        pytest.skip("needs fork")
    store = str(tmp_path / "bank.db")
    opened(Bank(store)).ledger.close()
    for tries in 2, 1, 0:
        child = os.fork()
        if not child:
            die_at(2)
            bank = Bank(store)
            bank.verify_pin(PAN, bank.pin_keys.enciphered(PASSWORD, PAN))
            os._exit(0)
        os.waitpid(child, 0)
        bank = Bank(store)
        assert tries == bank.account(PAN).pin_tries
        assert MONEY == bank.account(PAN).balance
        bank.ledger.close()
