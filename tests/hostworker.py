# SPDX-License-Identifier: Apache-2.0
"""A process in which an issuer answers terminals, together with others over the same books.

python -m hostworker STORE COUNT    the same purchases of 1 fen in every process, one counter each,
                                    and every fifth with a wrong cryptogram; prints how many passed
"""

from __future__ import annotations

import sys

from issuerbench import BenchCard

from host.issuer.authorisation import IssuerHost
from host.issuer.bank import Bank
from host.issuer.keys import IssuerKeys
from host.issuer.limits import UNLIMITED
from host.issuer.test_keys import TEST_IMKS
from host.network.authorisation import Purpose

WRONG_EVERY = 5


def main(store: str, often: int) -> None:
    keys = IssuerKeys(TEST_IMKS)
    host = IssuerHost(Bank(store, limits=UNLIMITED), keys)
    card = BenchCard(keys)
    passed = 0
    for number in range(often):
        wrong = {} if number % WRONG_EVERY else {"t9F26": bytes(8)}
        passed += host.authorise(card.request(Purpose.PURCHASE, 1, **wrong)).approved
    print(passed)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
