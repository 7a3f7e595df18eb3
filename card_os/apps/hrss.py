# SPDX-License-Identifier: Apache-2.0
"""The HRSS application (人力资源和社会保障应用, LD/T 32)."""

from __future__ import annotations

from apdu.wire.hrss.application import SSSE_NAME
from card_os.commands import administration, authentication, blocking, files, medical
from card_os.dispatch import Application, CommandTable

HRSS = Application(
    "HRSS",
    SSSE_NAME,
    CommandTable(
        files.commands,
        authentication.challenge,
        authentication.pin,
        authentication.keys,
        blocking.commands,
        medical.commands,
        administration.commands,
    ),
    messaging=authentication.messaging,
)
