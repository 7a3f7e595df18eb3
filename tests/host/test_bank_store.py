# SPDX-License-Identifier: Apache-2.0
"""The bank's store: shared by processes and threads, guarded by itself, said to two databases."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from traceback import format_exception

import pytest
from bankbench import MONEY, NOON, OTHER, PAN, UNKNOWN, new, opened, refused, standing
from sqlalchemy import text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from apdu.errors import FormatError
from host.issuer import journal, life, online_pin, outbox, posting
from host.issuer.bank import Bank
from host.issuer.faults import BankUnavailable, Reason, Refused
from host.issuer.ledger import Ledger
from host.issuer.limits import UNLIMITED
from host.issuer.outbox import Outbox
from host.issuer.prepared import Prepared
from host.issuer.schema import TABLES

TESTS = Path(__file__).parents[1]


@pytest.fixture
def store(tmp_path: Path) -> str:
    return str(tmp_path / "bank.db")


# Many at once


def test_two_processes_do_not_withdraw_the_same_money(store: str) -> None:
    often, money = 150, 200
    opened(Bank(store), balance=money).ledger.close()
    path = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "bankworker", "drain", store, str(often), first],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": path},
        )
        for first in ("700000000000", "800000000000")
    ]
    passed = [int(each.communicate()[0]) for each in running]
    bank = Bank(store)
    assert money == sum(passed)
    assert (0, 0, 0) == standing(bank)
    assert () == bank.audit()


@pytest.mark.parametrize("where", ["memory", "file"])
def test_threads_share_a_bank(where: str, store: str) -> None:
    bank = opened(Bank("sqlite://" if where == "memory" else store), balance=50)
    opened(bank, OTHER, 50)
    bank.limits = UNLIMITED
    shared = [new() for _ in range(20)]

    def work(worker: int) -> int:
        passed = 0
        for at, reference in enumerate(shared):
            bank.deposit(reference, PAN, 3, NOON)
            pans = (PAN, OTHER) if (at + worker) % 2 else (OTHER, PAN)
            try:
                bank.transfer(new(), *pans, 20, NOON)
                bank.purchase(new(), PAN, 1, NOON)
                passed += 1
            except Refused as error:
                assert Reason.NO_FUNDS is error.reason
        return passed

    with ThreadPoolExecutor(4) as pool:
        spent = sum(pool.map(work, range(4)))
    assert 100 + 3 * len(shared) - spent == sum(standing(bank, pan)[0] for pan in (PAN, OTHER))
    assert () == bank.audit()
    bank.ledger.close()


def test_a_store_that_is_busy_for_too_long_is_given_up(store: str) -> None:
    opened(Bank(store)).ledger.close()
    hurried = Bank(Ledger(store, wait=0))
    with Bank(store).ledger.writing():
        with pytest.raises(BankUnavailable, match=r"^the bank's store failed \(Operational"):
            hurried.deposit(new(), PAN, 1, NOON)
        # Who only reads waits for nobody.
        assert MONEY == hurried.account(PAN).balance
    hurried.deposit(new(), PAN, 1, NOON)
    assert "96" == BankUnavailable.code


def test_a_failure_of_the_store_shows_no_value_that_was_given_to_it() -> None:
    bank = Bank()
    with pytest.raises(BankUnavailable) as caught, bank.ledger.writing() as connection:
        connection.execute(text("SELECT nothing FROM cards WHERE pan = :pan"), {"pan": PAN})
    assert PAN not in "".join(format_exception(caught.value))


# Its own guard


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE moves SET amount = 1",
        "DELETE FROM moves",
        "INSERT INTO moves (journal, payer, payee, amount) VALUES (1, 1, 2, 0)",
        "INSERT INTO moves (journal, payer, payee, amount) VALUES (1, 1, 1, 5)",
        "INSERT INTO moves (journal, payer, payee, amount) VALUES (1, 1, 99, 5)",
        "INSERT INTO moves (journal, payer, payee, amount) VALUES (1, 4, 1, 100001)",
        "INSERT INTO moves (journal, payer, payee, amount) VALUES (1, 5, 1, 1)",
        "INSERT INTO moves (journal, payer, payee, amount) VALUES (1, 1, 2, 'much')",
        "UPDATE accounts SET held = 100001 WHERE id = 4",
        "UPDATE accounts SET balance = -1 WHERE id = 4",
        "UPDATE cards SET state = 'lost'",
        "UPDATE cards SET tries = -1",
        "UPDATE journal SET reference = '1'",
    ],
)
def test_the_store_itself_refuses_what_no_ledger_may_hold(statement: str) -> None:
    bank = opened(Bank())
    broken = bank.ledger.broken_rule
    with pytest.raises(broken), bank.ledger.writing() as connection:
        connection.execute(text(statement))
    assert () == bank.audit()


@pytest.mark.parametrize(
    ("statement", "finding"),
    [
        (
            "UPDATE accounts SET balance = balance + 5 WHERE id = 4",
            "the sum of all balances is 5, not 0",
        ),
        (
            "UPDATE accounts SET balance = balance + 5 WHERE id = 4",
            "account 4 (customer): the balance is 100005, its entries make 100000",
        ),
        (
            "UPDATE accounts SET held = 5 WHERE id = 4",
            "account 4 (customer): 5 are held, its holds make 0",
        ),
        (
            "INSERT INTO moves (journal, payer, payee, amount) VALUES (1, 1, 4, 5)",
            "reference 800000000001: 5 moved, must be 0",
        ),
        (
            "UPDATE journal SET amount = 7 WHERE operation = 'deposit'",
            "reference 800000000003: 100000 moved, must be 7",
        ),
        ("INSERT INTO accounts (kind) VALUES ('float')", "account 6 (float): belongs to 0 cards"),
        (
            "UPDATE journal SET reversal = 1 WHERE operation = 'deposit'",
            "reference 800000000003: reversed, but there is no original",
        ),
        (
            "UPDATE journal SET refused = 'NO_FUNDS' WHERE operation = 'deposit'",
            "reference 800000000003: refused, and yet it has an amount",
        ),
    ],
)
def test_the_audit_finds_what_was_written_behind_the_banks_back(
    statement: str, finding: str
) -> None:
    bank = Bank()
    bank.open("800000000001", PAN, "01", "ZHANG SAN", NOON)
    bank.activate("800000000002", PAN, "135790", NOON)
    bank.deposit("800000000003", PAN, MONEY, NOON)
    assert () == bank.audit()
    with bank.ledger.writing() as connection:
        connection.execute(text(statement))
    assert finding in bank.audit()


# Opening it


def test_a_store_is_kept_and_is_its_owners_alone(store: str) -> None:
    opened(Bank(store)).ledger.close()
    assert 0o600 == stat.S_IMODE(os.stat(store).st_mode)
    assert (MONEY, 0, 0) == standing(Bank(f"sqlite:///{store}"))


def test_a_store_of_another_layout_is_refused(store: str) -> None:
    bank = Bank(store)
    with bank.ledger.writing() as connection:
        connection.execute(text("UPDATE layout SET version = version + 1"))
    bank.ledger.close()
    with pytest.raises(BankUnavailable, match=r"is not of layout 1$"):
        Bank(store)


def test_what_is_no_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("not a database, but long enough to look at" * 100)
    for url in (
        str(tmp_path / "text.db"),
        str(tmp_path / "nowhere" / "bank.db"),
        "nosuchthing://bank",
        "://",
    ):
        with pytest.raises(BankUnavailable):
            Bank(url)


@pytest.mark.parametrize(("durable", "mode"), [(False, 1), (True, 2)])
def test_sqlite_writes_ahead_and_waits_for_the_disk_when_it_is_told_to(
    durable: bool, mode: int, store: str
) -> None:
    with Ledger(store, durable=durable).reading() as connection:
        settings = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    assert ["wal", mode, 1] == settings


# The queue of a card


def test_what_waits_for_a_card_comes_in_order_until_it_is_closed() -> None:
    bank = opened(opened(Bank()), OTHER)
    box = Outbox(bank.ledger)
    first, second = (box.add(PAN, content, NOON) for content in ("one", "two"))
    box.add(OTHER, "three", NOON)
    assert ["one", "two"] == [each.content for each in box.waiting(PAN)]
    assert [True, False] == [box.close(first, "done"), box.close(first, "failed")]
    assert [second] == [each.number for each in box.waiting(PAN)]
    assert "two" not in repr(box.waiting(PAN))
    with refused(Reason.UNKNOWN_CARD):
        box.add(UNKNOWN, "one", NOON)
    for bad in (lambda: box.add(PAN, "", NOON), lambda: box.close(second, "")):
        with pytest.raises(FormatError):
            bad()


# Other databases


STATEMENTS = {
    f"{module.__name__}.{name}": value
    for module in (journal, life, online_pin, outbox, posting)
    for name, value in vars(module).items()
    if isinstance(value, Prepared)
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_every_statement_can_be_said_in_both_databases(name: str) -> None:
    for dialect, marker in (sqlite.dialect(), "?"), (postgresql.dialect(), "%("):
        found = STATEMENTS[name].text(dialect)
        assert marker in found
        assert found.split()[0] in ("SELECT", "INSERT", "UPDATE", "DELETE")


def test_postgresql_locks_the_cards_of_an_order_and_sqlite_the_whole_store() -> None:
    lock = STATEMENTS["host.issuer.journal._LOCK"]
    assert lock.text(postgresql.dialect()).endswith("FOR UPDATE")
    assert "FOR UPDATE" not in lock.text(sqlite.dialect())


def test_the_tables_can_be_made_in_both_databases() -> None:
    for table in TABLES.sorted_tables:
        theirs = str(CreateTable(table).compile(dialect=postgresql.dialect()))
        assert "STRICT" not in theirs
        assert "STRICT" in str(CreateTable(table).compile(dialect=sqlite.dialect()))
        if "balance" in table.c:
            assert "balance BIGINT" in theirs
        for index in table.indexes:
            for dialect in sqlite.dialect(), postgresql.dialect():
                made = str(CreateIndex(index).compile(dialect=dialect))
                assert ("WHERE refused = ''" in made) == (index.name == "journal_settled")
