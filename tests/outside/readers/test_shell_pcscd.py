# SPDX-License-Identifier: Apache-2.0
"""The shell on a card in a reader of PC/SC: the same script as on an image, behind the gate."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from commandline import sscard
from hermetic import READERS, Inserted, Pcscd, until

from host.cli.testcard import issue_test_card

pytestmark = pytest.mark.outside

SCRIPT = """
select HRSS
expect 9000 data 6F .. 84 0F *
read EF06
expect value 姓名 测试持卡人
read EF08
expect 6982
select DF01
tries
expect 63C6
select DEBIT
get 9F36
expect data 9F 36 02 *
"""


@pytest.fixture
def inserted(pcscd: Pcscd) -> Iterator[Inserted]:
    pytest.importorskip("smartcard.scard", reason="needs pyscard: pip install 'sscard[pcsc]'")
    card = pcscd.insert(issue_test_card())
    until("the card is in its reader", pcscd.atr)
    yield card
    card.pull()
    until("the reader is empty", lambda: not pcscd.atr())


def test_a_script_runs_on_a_card_in_a_reader(inserted: Inserted) -> None:
    found = sscard("shell", "--reader", READERS[0], stdin=SCRIPT)
    assert 0 == found.exit_code, found.output


def test_what_would_cost_the_card_something_is_held_back(pcscd: Pcscd, inserted: Inserted) -> None:
    script = "select HRSS\nauthenticate RKSSSE\n"
    found = sscard("shell", "--reader", READERS[0], stdin=script)
    assert 1 == found.exit_code
    assert "is not on the allow-list" in " ".join(found.output.split())
    allowed = pcscd.atr().hex()
    found = sscard("shell", "--reader", READERS[0], "--allow", allowed, stdin=script)
    assert 0 == found.exit_code, found.output
