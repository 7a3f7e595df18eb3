# SPDX-License-Identifier: Apache-2.0
"""The suites there are, by the number that a key's header names them with."""

from __future__ import annotations

from typing import Final

from apdu.crypto.aes import AES
from apdu.crypto.sm4 import SM4
from apdu.crypto.suite import Suite
from apdu.crypto.tdes import TDES

SUITES: Final[dict[int, Suite]] = {suite.number: suite for suite in (TDES, SM4)}
"""What cards of social security and of banks work with."""
CHANNEL_SUITES: Final[dict[int, Suite]] = {suite.number: suite for suite in (TDES, AES)}
"""What the secure channel of personalisation works with."""
KEY_SUITES: Final = SUITES | CHANNEL_SUITES
"""What a key in a chip may be of."""
