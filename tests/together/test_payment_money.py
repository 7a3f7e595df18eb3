# SPDX-License-Identifier: Apache-2.0
"""Money is conserved: whatever the network, the holder's hand and the power do to a card, its
terminal and its bank, once everybody has been asked they agree on every fen."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from mishaps import CALM, Loss, Mishap
from moneybench import (
    DOINGS,
    LOAD,
    MONEY,
    NOON,
    PAN,
    Doing,
    Market,
)
from powercuts import DAMAGES

from apdu.wire.pboc import tags
from apdu.wire.pboc.amounts import amount_bytes
from host.issuer import scripts
from host.terminal.result import Result

doings = st.sampled_from(list(DOINGS.values()))
amounts = st.sampled_from([1, 99, 100, 5_000, 30_001, 100_000, 100_001, 2 * MONEY])
losses = st.lists(st.sampled_from(list(Loss)), max_size=3).map(tuple)
calm = st.just(CALM)
pulled = st.builds(Mishap, pulled=st.integers(0, 30), done=st.booleans(), losses=losses)
torn = st.builds(
    Mishap,
    torn=st.integers(0, 30),
    damage=st.sampled_from(DAMAGES),
    unsynced=st.none() | st.integers(0, 9),
    losses=losses,
)
lossy = st.builds(Mishap, losses=losses)
stopped = st.builds(Mishap, losses=losses, stops=st.just(True))
mishaps = calm | lossy | pulled | torn | stopped


class World(RuleBasedStateMachine):
    """Everybody's day. `Market.agree` is the whole model: it is asked when everybody was asked what
    he knows, at once or some transactions later."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.market = Market(Path(self.folder.name))
        self.open: list[tuple[Doing, Result]] = []
        """Transactions of which nobody has yet asked what became of them."""

    @initialize()
    def begin_with_some_cash(self) -> None:
        self.market.happen(LOAD, 20_000)

    @rule(doing=doings, amount=amounts, mishap=mishaps)
    def pay_and_ask(self, doing: Doing, amount: int, mishap: Mishap) -> None:
        self.market.happen(doing, amount, mishap)

    @rule(doing=doings, amount=amounts, mishap=mishaps)
    def pay_and_go(self, doing: Doing, amount: int, mishap: Mishap) -> None:
        result = self.market.begin(doing, amount, mishap)
        if result is not None and result.cash and result.doubt:
            # Of these only the balance tells, so the card must be asked before it is used again.
            self.market.end(doing, result)
        elif result is not None:
            self.open.append((doing, result))

    @rule(limit=st.integers(1, 10**6))
    def let_the_bank_want_a_limit(self, limit: int) -> None:
        wish = scripts.put_data(tags.CARD_CVM_LIMIT, amount_bytes(limit))
        self.market.host.scripts.commands(PAN, [wish], NOON)

    @rule(data=st.data())
    def ask_everybody(self, data: st.DataObject) -> None:
        for doing, result in data.draw(st.permutations(self.open)):
            self.market.end(doing, result)
        self.open.clear()
        self.market.settle()
        self.market.agree()

    @invariant()
    def the_books_are_in_order(self) -> None:
        assert () == self.market.bank.audit()
        assert 0 <= self.market.bank.account(PAN).balance

    def teardown(self) -> None:
        try:
            for doing, result in self.open:
                self.market.end(doing, result)
            self.market.settle()
            self.market.agree()
        finally:
            self.market.close()
            self.folder.cleanup()


World.TestCase.settings = settings(
    max_examples=20,
    stateful_step_count=12,
    phases=[each for each in Phase if each is not Phase.explain],
)
TestWorld = World.TestCase
