# SPDX-License-Identifier: Apache-2.0
"""The PSAM (终端安全存取模块): its MF, and the application that holds the masters."""

from __future__ import annotations

from apdu.wire.hrss.application import SSSE_NAME
from apdu.wire.psam import PSAM_AID
from card_os.commands import administration, authentication, files, psam
from card_os.dispatch import Application, CommandTable

PSAM_ROOT = Application(
    "PSAM MF",
    SSSE_NAME,
    CommandTable(files.commands, authentication.challenge, administration.files),
)
PSAM = Application(
    "PSAM",
    PSAM_AID,
    CommandTable(
        files.commands,
        authentication.challenge,
        psam.crypt,
        psam.purchase,
        psam.personalisation,
        administration.files,
    ),
    scratch=psam.IDLE,
)
