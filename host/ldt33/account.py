# SPDX-License-Identifier: Apache-2.0
"""iDoDebit and iReadDebitRecord: purchases from the medical account (医保个人账户).

iDoDebit answers

    sequence|terminal sequence|TAC|time|terminal|MAC2 judged|

with the card's number of the purchase (4 hex digits), the terminal's (8), the TAC (8), the time
as given, the terminal's number, and 1 where the PSAM has found MAC2 right, 0 where nobody could
(profile choice `debit-output`). When a card is pulled in the middle of it, whether it has booked
is told by its record: iReadDebitRecord. The purchase is never sent twice.
"""

from __future__ import annotations

from apdu.wire.hrss.df04 import TRANSACTIONS
from apdu.wire.hrss.generations import DF04
from host.ldt33.codes import Code, DriverFault
from host.ldt33.desk import Desk
from host.ldt33.sources import Procedure, Sources
from host.ldt33.syntax import CardInfo, PayInfo, grouped, joined
from host.ldt33.values import content_of, record_values
from host.terminal.hrss import begin_transaction
from host.terminal.medical import Terms, begin_purchase, finish_purchase


def debit(desk: Desk, sources: Sources, meant: CardInfo, pay: PayInfo) -> Procedure:
    """Buy; the holder has the PIN entered, which must not be the initial one (-35)."""
    desk.check(meant)
    terminal = sources.terminal
    if not terminal:
        raise DriverFault(Code.UNSUPPORTED, "the terminal has no number")
    terms = Terms(pay.account, pay.own, 0, pay.at, terminal, sources.key_index())
    desk.show_pin(begin_transaction)
    with desk.kept():
        request = begin_purchase(desk.client, desk.identity, terms)
        begun = yield request
        receipt = finish_purchase(desk.client, request, begun)
        judged = sources.judge(request, begun, receipt.mac2)
    return joined(
        [
            f"{receipt.sequence:04X}",
            receipt.terminal_sequence.hex().upper(),
            receipt.tac.hex().upper(),
            f"{pay.at:%Y%m%d%H%M%S}",
            terminal,
            "1" if judged else "0",
        ]
    )


def read_record(desk: Desk) -> str:
    """The records of the account (DF04 EF08), the newest first: sequence|type|terminal|time|
    account|own|pool|$, amounts in fen. The holder has the PIN entered."""
    file = desk.generation.file(DF04.label, TRANSACTIONS.sfi)
    desk.go(DF04)
    desk.show_pin()
    content = content_of(file)
    return grouped(record_values(content, raw) for raw in desk.client.ring(file, content))
