# SPDX-License-Identifier: Apache-2.0
"""What a service window does with the holder's social security account."""

from __future__ import annotations

from apdu.wire.hrss.application import INITIAL_PIN
from host.clients.hrss import HrssClient
from host.faults import InitialPinInForce


def log_in(client: HrssClient, pin: str) -> None:
    """Prove the PIN, enough to read and query (LD/T 33 iVerifyPIN)."""
    client.verify(pin)


def begin_transaction(client: HrssClient, pin: str) -> None:
    """Prove the PIN for something that moves money or rights.

    Raises InitialPinInForce when the PIN is right but still the initial one: an account is used
    only once its holder has chosen a PIN (LD/T 33 error -35).
    """
    client.verify(pin)
    if pin == INITIAL_PIN:
        raise InitialPinInForce("the initial PIN cannot transact; choose another one first")


def activate(client: HrssClient, old: str, new: str) -> None:
    """Activate the account (启用) by choosing a PIN in place of the initial one, and log in.

    Raises InitialPinInForce when the new PIN is the initial one (LD/T 33 error -36): the card
    would refuse it too, without saying why.
    """
    if new == INITIAL_PIN:
        raise InitialPinInForce("the PIN cannot be changed to the initial PIN")
    with client.card.transaction():
        client.change_pin(old, new)
        client.verify(new)
