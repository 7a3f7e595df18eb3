# SPDX-License-Identifier: Apache-2.0
"""How many online purchases does the issuer authorise in a second, on one core, store in a file?

python benchmarks/authorisation.py           prints a table
python benchmarks/authorisation.py --check   exit status 1 when one kind is slower than the goal

All of it counts: DE55 taken apart, the card's keys, cryptogram and IDD verified, the books, ARPC.
Time of the processor, microseconds, the median of rounds of one run; beside it the ratio to the
cryptography of it alone.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import process_time

sys.path[:0] = [str(Path(__file__).resolve().parent.parent)]

from apdu.crypto.cryptogram import cryptogram, idd_mac, transaction_key  # noqa: E402
from apdu.crypto.derive import pboc_session_key  # noqa: E402
from apdu.tlv import build, tlv  # noqa: E402
from apdu.wire.cryptogram import Cvn, IadAlgorithm, OneAmount, OneAmountIdd  # noqa: E402
from apdu.wire.pboc import tags  # noqa: E402
from apdu.wire.pboc.amounts import amount_bytes  # noqa: E402
from apdu.wire.perso import Algorithm  # noqa: E402
from host.issuer.authorisation import IssuerHost  # noqa: E402
from host.issuer.bank import Bank  # noqa: E402
from host.issuer.cryptograms import verify  # noqa: E402
from host.issuer.keys import IssuerKeys  # noqa: E402
from host.issuer.limits import UNLIMITED  # noqa: E402
from host.issuer.test_keys import TEST_IMKS  # noqa: E402
from host.network.authorisation import AuthorisationRequest, Purpose  # noqa: E402
from host.network.elements55 import read_elements  # noqa: E402

GOAL = 1000
"""In a second, without a PIN."""
ROUNDS, REQUESTS = 5, 300
PAN, PSN, PASSWORD = "6228000100001117", "01", "135790"
NOON = datetime(2026, 1, 5, 12)
KEYS = IssuerKeys(TEST_IMKS)


def request(
    number: int, algorithm: Algorithm, cvn: Cvn, pin_block: bytes = b""
) -> AuthorisationRequest:
    """The number-th purchase of a card, of 1 fen."""
    keys, atc = KEYS.card(PAN, PSN, algorithm), number.to_bytes(2)
    amount, chance, cvr = amount_bytes(1), bytes(4), bytes.fromhex("03A00000")
    fixed = {
        tags.OTHER_AMOUNT: bytes(6),
        tags.TERMINAL_COUNTRY: b"\x01\x56",
        tags.TVR: bytes(5),
        tags.CURRENCY: b"\x01\x56",
        tags.DATE: b"\x26\x01\x05",
        tags.TRANSACTION_TYPE: b"\x00",
    }
    aip = b"\x7c\x00"
    if cvn is Cvn.CVN_01:
        data = amount + b"".join(fixed.values()) + chance + aip + atc + cvr
    else:
        data = amount + chance + atc + cvr[1:2]
    idd = OneAmountIdd(OneAmount.BALANCE, bytes(5))
    mac_key = keys.mac.suite.key(pboc_session_key(keys.mac, atc))
    told = bytes(idd)[:-4] + idd_mac(mac_key, atc, idd)
    iad = bytes((7, 1, cvn)) + cvr + bytes((IadAlgorithm[algorithm.name],)) + told
    elements = {
        **fixed,
        tags.AMOUNT: amount,
        tags.UNPREDICTABLE_NUMBER: chance,
        tags.AIP: aip,
        tags.ATC: atc,
        tags.IAD: iad,
        tags.AC: cryptogram(transaction_key(keys.ac, cvn, atc), data),
    }
    return AuthorisationRequest(
        reference=f"{number:012d}",
        trace=number,
        time=NOON,
        purpose=Purpose.PURCHASE,
        amount=1,
        pan=PAN,
        psn=PSN,
        terminal_id="TERM0001",
        merchant_id="MERCHANT0000001",
        icc=build(tlv(tag, value) for tag, value in elements.items()),
        pin_block=pin_block,
    )


def timed(rounds: list[list[AuthorisationRequest]], one: Callable[[object], object]) -> float:
    """Microseconds of the processor for one request: the median of rounds."""
    spent = []
    for each in rounds:
        start = process_time()
        for asked in each:
            one(asked)
        spent.append((process_time() - start) / len(each))
    return median(spent) * 1e6


def measure(folder: Path, algorithm: Algorithm, cvn: Cvn, with_pin: bool) -> tuple[float, float]:
    """An authorisation, and its cryptography alone."""
    bank = Bank(str(folder / f"{algorithm.name}-{cvn}-{with_pin}.db"), limits=UNLIMITED)
    bank.open("900000000001", PAN, PSN, "X", NOON)
    bank.activate("900000000002", PAN, PASSWORD, NOON)
    bank.deposit("900000000003", PAN, 10**9, NOON)
    block = bank.pin_keys.enciphered(PASSWORD, PAN) if with_pin else b""
    numbers = range(1, ROUNDS * REQUESTS + 1)
    asked = [request(number, algorithm, cvn, block) for number in numbers]
    rounds = [asked[at : at + REQUESTS] for at in range(0, len(asked), REQUESTS)]
    host = IssuerHost(bank, KEYS)
    whole = timed(rounds, host.authorise)  # type: ignore[arg-type]
    proofs = [read_elements(each.icc) for each in asked[:REQUESTS]]

    def prove(elements: object) -> object:
        return verify(KEYS, PAN, PSN, elements).answer("00")  # type: ignore[arg-type]

    alone = timed([proofs] * ROUNDS, prove)  # type: ignore[list-item]
    if bank.account(PAN).balance != 10**9 - len(asked) or bank.audit():
        raise AssertionError("the books are not as they must be")
    return whole, alone


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="fail below the goal")
    check = parser.parse_args().check
    slow = False
    print(f"{'':24}{'us':>8}{'a second':>10}{'cryptography':>14}{'ratio':>7}")
    with TemporaryDirectory() as name:
        for algorithm in TEST_IMKS:
            for cvn, with_pin in (Cvn.CVN_01, False), (Cvn.CVN_17, False), (Cvn.CVN_01, True):
                whole, alone = measure(Path(name), algorithm, cvn, with_pin)
                kind = f"{algorithm.name} {cvn.name} {'PIN' if with_pin else ''}"
                rate = 1e6 / whole
                print(f"{kind:24}{whole:8.0f}{rate:10.0f}{alone:14.0f}{whole / alone:7.1f}")
                slow |= not with_pin and rate < GOAL
    return int(check and slow)


if __name__ == "__main__":
    sys.exit(main())
