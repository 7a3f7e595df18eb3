# SPDX-License-Identifier: Apache-2.0
"""The commands of a PSAM in words. Data that it is given to encipher or to MAC is hidden."""

from __future__ import annotations

from typing import Any, Final

from apdu.wire import psam_commands
from apdu.wire.form import CommandForm
from apdu.wire.hrss.keys import TABLES, PsamName
from apdu.wire.psam import CryptMode, with_levels
from apdu.wire.psam_commands import FACTOR, MasterRef

PSAM_FORMS: Final = (
    psam_commands.DERIVE_SESSION_KEY,
    psam_commands.CRYPT,
    psam_commands.INITIALISE_PURCHASE,
    psam_commands.VERIFY_MAC2,
)
_NAMES: Final = {
    with_levels(spec.psam, count): spec.name
    for table in TABLES
    for spec in table
    if spec.psam
    for count in range(1, spec.psam.levels + 1)
}
"""As they are called in national PSAMs, and in those of provinces and cities."""
_LEVELS: Final = ("", "card", "city and card", "province, city and card")


def master_words(ref: MasterRef) -> str:
    """Usage byte and key id, and the name of the cards' key where it is one of the table."""
    name = _NAMES.get(PsamName(ref.usage, ref.id), "")
    return f"{ref.usage:02X} {ref.id:02X} {name}".rstrip()


def psam_words(form: CommandForm[Any, Any, Any], params: Any, data: bytes) -> str:
    """What one of `PSAM_FORMS` is about."""
    if form is psam_commands.DERIVE_SESSION_KEY:
        count = min(max(len(data) // FACTOR - 1, 0), len(_LEVELS) - 1)
        way = f" by {_LEVELS[count]}" if count else ""
        return f"a session under master {master_words(params)}{way}"
    if form is psam_commands.CRYPT:
        done = "enciphers" if params.mode is CryptMode.ENCIPHER else "computes a MAC over"
        return f"{done} what is hidden here"
    if form is psam_commands.INITIALISE_PURCHASE:
        return "a purchase from the medical account: its number and MAC1"
    return "whether the card has booked it"
