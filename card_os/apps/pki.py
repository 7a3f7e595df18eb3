# SPDX-License-Identifier: Apache-2.0
"""The PKI application of generation 3.0: its environment, and the application that holds keys.

They are two: each has a master key of its own, and what was proven in one is nothing in the other.
"""

from __future__ import annotations

from apdu.wire.pki import CERTIFICATES_NAME, PKI_NAME
from card_os.commands import administration, authentication, files, pki, pki_pairs
from card_os.dispatch import Application, CommandTable

PKI = Application(
    "PKI",
    PKI_NAME,
    CommandTable(
        files.commands,
        authentication.challenge,
        pki.master,
        pki.personalisation,
        administration.files,
    ),
    messaging=pki.messaging,
    scratch=pki.IDLE,
)
CERTIFICATES = Application(
    "SS.CERT.ADF1",
    CERTIFICATES_NAME,
    CommandTable(
        files.commands,
        authentication.challenge,
        pki.master,
        pki.pins,
        pki_pairs.commands,
        pki.personalisation,
        administration.files,
    ),
    messaging=pki.messaging,
    scratch=pki.IDLE,
)
