# SPDX-License-Identifier: Apache-2.0
"""The MF: what a card answers before an application is selected."""

from __future__ import annotations

from card_os.commands import administration, authentication, files
from card_os.dispatch import Application, CommandTable

ROOT = Application(
    "MF",
    b"",
    CommandTable(files.commands, authentication.challenge, administration.commands),
)
