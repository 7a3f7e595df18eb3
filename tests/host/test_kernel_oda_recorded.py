# SPDX-License-Identifier: Apache-2.0
"""A recorded UnionPay card passes the terminal's authentication under the keys in use."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from terminalfiles import shipped

from apdu.tlv import parse
from apdu.wire.pboc.answers import parse_afl
from apdu.wire.pboc.flags import TerminalCapabilities, Tsi
from host.network.authorisation import Purpose
from host.terminal.kernel import oda
from host.terminal.kernel.oda import Method
from host.terminal.kernel.terminal_data import terminal_data
from host.terminal.kernel.transaction import Order, Transaction


def recorded(aip: int) -> tuple[Transaction, Any]:
    """The card of the journey when its records were read, and what it signed."""
    tape = Path(__file__).parents[2] / "vectors/journeys/upi_contact.apdu"
    lines = [bytes.fromhex(line[2:]) for line in tape.read_text().splitlines() if line[0] in "<>"]
    said = dict(zip(lines[::2], lines[1::2], strict=True))
    card, static = {}, b""
    for entry in parse_afl(bytes.fromhex("080103001001050020010100")):
        for number in range(entry.first, entry.last + 1):
            read = bytes((0, 0xB2, number, entry.sfi << 3 | 4, 0))
            (template,) = parse(said[read][:-2])
            card.update({item.tag: item.value for item in template.children})
            if (entry.sfi, number) == (2, 1):
                static = template.value
    (signed,) = (parse(reply[:-2])[0].value for sent, reply in said.items() if sent[1] == 0x88)

    class Recorded:
        def internal_authenticate(self, data: bytes) -> bytes:
            assert bytes.fromhex("7863AFC6") == data
            return signed

    time = datetime(2015, 3, 16, 10, 54, 14)
    number = bytes.fromhex("0E160136")
    made = Order(6580, Purpose.PURCHASE, time, "1" * 12, 1, number)
    ordered = replace(made, authentication_number=bytes.fromhex("7863AFC6"))
    aid = bytes.fromhex("A000000333010102")
    terminal = terminal_data(shipped(), ordered)
    return Transaction(ordered, terminal, card, aid, aip=aip, static_data=static), Recorded()


@pytest.mark.parametrize("method", [Method.SDA, Method.DDA])
def test_a_recorded_unionpay_card_passes_under_the_key_in_use(method: Method) -> None:
    transaction, client = recorded(0x7C00)
    capabilities = shipped().capabilities & ~TerminalCapabilities.DDA
    config = replace(shipped(), capabilities=capabilities) if method is Method.SDA else shipped()
    assert method is oda.authenticate(transaction, config, client)
    assert (Tsi.ODA_PERFORMED, False) == (
        transaction.tsi,
        bool(transaction.tvr & method.failed),
    )
    assert "under CA key A000000333 09" == transaction.trail[0].why
