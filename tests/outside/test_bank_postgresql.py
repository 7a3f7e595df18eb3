# SPDX-License-Identifier: Apache-2.0
"""The bank on a PostgreSQL server of our own: in a temporary directory, on a socket in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from bankbench import NOON, OTHER, PAN, PASSWORD, UNKNOWN, new, opened, refused, standing
from sqlalchemy import text

from host.issuer.bank import Bank
from host.issuer.faults import Reason, Refused
from host.issuer.limits import UNLIMITED

pytest.importorskip("psycopg", reason="needs psycopg: pip install 'psycopg[binary]'")

pytestmark = pytest.mark.outside
NOBODY = "nobody"


def programs() -> Path | None:
    """Where the server's programs are."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    here = shutil.which("initdb")
    return found[-1].parent if found else Path(here).parent if here else None


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    where = programs()
    if where is None:
        pytest.skip("needs PostgreSQL: apt-get install postgresql")
    # Short, or the name of the socket is too long; and the server does not run as root.
    user = NOBODY if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="bank"))
    try:
        if user:
            shutil.chown(folder, user)
        data = folder / "data"

        def run(program: str, *words: object) -> None:
            command = [str(where / program), "-D", str(data), *map(str, words)]
            subprocess.run(command, user=user, cwd=folder, check=True, stdout=subprocess.DEVNULL)

        run("initdb", "-A", "trust", "-U", "bank", "-E", "UTF8", "--locale=C")
        run("pg_ctl", "-w", "-l", folder / "log", "-o", f"-k {folder} -h '' -F", "start")
        try:
            yield f"postgresql+psycopg://bank@/postgres?host={folder}"
        finally:
            run("pg_ctl", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def bank(url: str) -> Iterator[Bank]:
    """A bank in a store without cards."""
    bank = Bank(url, limits=UNLIMITED)
    with bank.ledger.writing() as connection:
        names = "queue, usage, holds, moves, journal, cards, accounts, layout"
        connection.execute(text(f"DROP TABLE {names} CASCADE"))
        connection.execute(text("DROP FUNCTION post_move, keep_move"))
    bank.ledger.close()
    bank = Bank(url, limits=UNLIMITED)
    yield bank
    bank.ledger.close()


def test_money_moves_and_is_undone(bank: Bank) -> None:
    opened(opened(bank), OTHER)
    before = standing(bank)
    done = [
        bank.purchase(new(), PAN, 5, NOON),
        bank.transfer(new(), PAN, OTHER, 6, NOON),
        bank.load(new(), PAN, 7, NOON),
        bank.hold(new(), PAN, 8, NOON),
    ]
    assert () == bank.audit()
    for each in reversed(done):
        assert each.amount == bank.reverse(each.reference, PAN, each.amount, NOON).amount
    assert before == standing(bank)
    assert 8 == bank.settle(new(), PAN, 8, 1, NOON).short
    with refused(Reason.SETTLED):
        bank.settle(new(), PAN, 8, 1, NOON)
    found = bank.statement(PAN, NOON.date(), NOON.date())
    assert (0, before[0]) == (found.opening, found.closing)
    assert () == bank.audit()


def test_passwords_are_paid_for(bank: Bank) -> None:
    opened(bank)
    for tries in 2, 1, 0:
        with pytest.raises(Refused) as caught:
            bank.verify_pin(PAN, bytes(8))
        assert tries == caught.value.tries_left
    with refused(Reason.PIN_BLOCKED):
        bank.verify_pin(PAN, bank.pin_keys.enciphered(PASSWORD, PAN))


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO moves (journal, payer, payee, amount) VALUES (1, 4, 1, 100001)",
        "UPDATE accounts SET held = 100001 WHERE id = 4",
        "UPDATE moves SET amount = 1",
        "DELETE FROM moves",
    ],
)
def test_the_store_itself_refuses_what_no_ledger_may_hold(bank: Bank, statement: str) -> None:
    opened(bank)
    with pytest.raises(Exception, match=r"no_overdraft|never changed"):
        with bank.ledger.writing() as connection:
            connection.execute(text(statement))
    assert () == bank.audit()


def test_connections_that_work_at_once_lose_nothing(bank: Bank) -> None:
    opened(opened(bank, balance=100), OTHER, 100)
    shared = [new() for _ in range(15)]
    mine = [[new() for _ in shared] for _ in range(4)]

    def work(worker: int) -> int:
        passed = 0
        for at, reference in enumerate(shared):
            bank.deposit(reference, PAN, 3, NOON)
            pans = (PAN, OTHER) if (at + worker) % 2 else (OTHER, PAN)
            try:
                bank.transfer(mine[worker][at], *pans, 30, NOON)
                bank.purchase(f"{worker}{reference[1:]}", PAN, 1, NOON)
                passed += 1
            except Refused as error:
                assert Reason.NO_FUNDS is error.reason
        return passed

    with ThreadPoolExecutor(4) as pool:
        spent = sum(pool.map(work, range(1, 4)))
    assert 200 + 3 * len(shared) - spent == sum(standing(bank, pan)[0] for pan in (PAN, OTHER))
    assert () == bank.audit()


def test_one_reference_given_by_many_at_once_is_done_once(bank: Bank) -> None:
    opened(opened(bank), OTHER)
    for _ in range(10):
        reference = new()
        before = standing(bank)[0]
        with ThreadPoolExecutor(4) as pool:
            came = list(
                pool.map(lambda _, ref=reference: bank.purchase(ref, PAN, 5, NOON), range(4))
            )
        assert 1 == len({each.balance for each in came})
        assert [False, True, True, True] == sorted(each.again for each in came)
        assert before - 5 == standing(bank)[0]

    def begin(worker: int) -> str:
        try:
            bank.open(f"{worker:012d}", UNKNOWN, "01", "LI SI", NOON)
        except Refused as error:
            return error.reason.name
        return "opened"

    with ThreadPoolExecutor(4) as pool:
        came_of = list(pool.map(begin, range(910, 914)))
    assert ["INVALID"] * 3 + ["opened"] == sorted(came_of)
    assert () == bank.audit()
