# SPDX-License-Identifier: Apache-2.0
"""The bank's own counter (柜面): commands for a card that no other terminal takes any more.

Where the application is blocked, or was personalised to wait for its holder, terminals leave it
out, so nothing of it comes online and no script gets there. At the counter the card gives a
declining cryptogram (AAC), and takes the scripts that are bound to it (JR/T 0025.5 clause 17).
"""

from __future__ import annotations

from collections.abc import Iterable

from apdu.command import CommandAPDU
from apdu.wire.pboc.application import DEBIT_AID
from apdu.wire.pboc.flags import Result
from host.card import Card
from host.clients.pboc import PbocClient
from host.faults import CardFault, CardNotGenuine
from host.issuer.cryptograms import CryptogramWrong, verify
from host.issuer.keys import IssuerKeys
from host.issuer.scripts import protected
from host.network.elements55 import read_elements
from host.terminal.kernel import cryptogram, initiation, online, records
from host.terminal.kernel.config import TerminalConfig
from host.terminal.kernel.terminal_data import application_data, terminal_data
from host.terminal.kernel.transaction import Order, Transaction


def give(
    card: Card,
    commands: Iterable[CommandAPDU],
    keys: IssuerKeys,
    config: TerminalConfig,
    order: Order,
    aid: bytes = DEBIT_AID,
) -> str:
    """Have the card in the slot carry out commands; returns its PAN.

    `commands`: plain, as `host.issuer.scripts` makes them. `order`: of nothing, it only costs the
    card a number. Raises CardNotGenuine for a card that does not prove its keys, and a CardFault
    with the first command that it did not carry out. A card on which nothing is blocked takes
    none of them here, but with its next online transaction.
    """
    transaction = Transaction(order, terminal_data(config, order))
    with card.transaction():
        client = PbocClient(card)
        selected = client.select(aid)
        parameters = config.parameters(selected.name)
        if parameters is None:
            raise CardFault("the terminal does not know the card's application")
        transaction.aid, transaction.parameters = selected.name, parameters
        transaction.card.update(selected.elements)
        transaction.terminal.update(application_data(parameters, order))
        initiation.initiate_contact(transaction, client)
        records.read(transaction, client)
        cryptogram.first(transaction, client, Result.AAC)
        elements = read_elements(online.chip_data(transaction))
        try:
            proven = verify(keys, transaction.pan, transaction.psn, elements)
        except CryptogramWrong as error:
            raise CardNotGenuine(str(error)) from None
        for command in protected(proven.keys, proven.atc, proven.ac, commands):
            client.script_command(CommandAPDU.parse(command))
    return transaction.pan
