# SPDX-License-Identifier: Apache-2.0
"""The bank's application, in its first cut: it is there, and answers for itself alone."""

from __future__ import annotations

from apdu.wire.pboc import DEBIT_AID
from card_os.commands import administration, authentication, files
from card_os.dispatch import Application, CommandTable

DEBIT = Application(
    "DEBIT",
    DEBIT_AID,
    CommandTable(files.commands, authentication.challenge, administration.commands),
)
