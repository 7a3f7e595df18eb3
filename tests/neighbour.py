# SPDX-License-Identifier: Apache-2.0
"""A second application for chips on the bench: under the bank's name, with commands of files alone.

What an application may do to another one does not depend on what either is for.
"""

from __future__ import annotations

from apdu.wire.pboc.application import DEBIT_AID
from card_os.commands import administration, authentication, files
from card_os.dispatch import Application, CommandTable

NEIGHBOUR = Application(
    "NEIGHBOUR",
    DEBIT_AID,
    CommandTable(files.commands, authentication.challenge, administration.commands),
)
