# SPDX-License-Identifier: Apache-2.0
"""What cannot be undone on a card, in a plain sentence each, and which commands do it."""

from __future__ import annotations

from enum import Enum
from functools import cache
from typing import Any, Final

from apdu.wire import perso, pki_commands
from apdu.wire import psam_commands as psam
from apdu.wire.effects import Effect, base_class, effect_of
from apdu.wire.form import CommandForm
from apdu.wire.globalplatform import STORE_DATA
from apdu.wire.hrss import commands as hrss
from apdu.wire.hrss import medical
from apdu.wire.pboc import commands as pboc


class Stake(Enum):
    """Something that is gone for good; the value says what."""

    CARD = "the card refuses everything from then on, and no command undoes that (锁卡)"
    APPLICATION = (
        "the application refuses its transactions until its issuer unblocks it, and for ever when"
        " it is blocked for good (应用锁定)"
    )
    END = "what is in the application can never be reached again"
    KEY = "the key that was there is lost, and whoever does not know the new one is locked out"
    PERSONALISATION = "a card is personalised once; what was written cannot be taken back"
    COUNTER = (
        "a counter of the card goes up and never down, and when it is used up the card makes no"
        " more transactions (ATC, 交易序号)"
    )
    LAST_TRY = "a wrong PIN blocks it now, and only its issuer can unblock it (PIN 锁定)"


_FORMS: Final[dict[Stake, tuple[CommandForm[Any, Any, Any], ...]]] = {
    Stake.CARD: (hrss.CARD_BLOCK, pboc.CARD_BLOCK),
    Stake.APPLICATION: (hrss.APPLICATION_BLOCK, pboc.APPLICATION_BLOCK),
    Stake.END: (perso.TERMINATE_DF,),
    Stake.KEY: (
        perso.WRITE_KEY,
        psam.WRITE_MASTER_KEY,
        pki_commands.UPDATE_MASTER_KEY,
        pki_commands.WRITE_PKI_KEY,
        pki_commands.IMPORT_KEY,
        pki_commands.GENERATE_KEY_PAIR,
    ),
    Stake.PERSONALISATION: (perso.CREATE_FILE, perso.ACTIVATE_FILE, STORE_DATA),
    Stake.COUNTER: (medical.DEBIT, medical.CREDIT_LOAD),
}


def stake_of(command: bytes) -> Stake | None:
    """What a command does that cannot be undone; None: nothing of the kind.

    That a PIN has one try left no command shows.
    """
    found = _by_code().get((base_class(command[0]), command[1]))
    if found is None and effect_of(command) is Effect.COUNT:
        return Stake.COUNTER
    return found


@cache
def _by_code() -> dict[tuple[int | None, int], Stake]:
    return {
        (base_class(form.cla), form.ins): stake for stake, forms in _FORMS.items() for form in forms
    }
