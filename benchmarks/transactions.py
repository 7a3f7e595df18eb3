# SPDX-License-Identifier: Apache-2.0
"""How long do whole payments take, with card, terminal and issuer in one process?

python benchmarks/transactions.py             prints a table
python benchmarks/transactions.py --check     exit status 1 when one misses its goal

From the directory of applications to what the books say: the terminal's kernel with all its
certificates, the card's signature, the issuer's proof, books in a file. Milliseconds, medians of
one run: of the processor, which the goals are for, because what else runs on the machine is not
the question, and by the clock. Beside them the ratio to the card's one RSA signature, done in
Python: gmpy2 is left out where there is one. What the issuer's part of it can bear by itself is in
`authorisation.py`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from itertools import count
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

sys.modules["gmpy2"] = None  # type: ignore[assignment]
sys.path[:0] = [str(Path(__file__).resolve().parent.parent)]

from apdu.atr import Interface  # noqa: E402
from apdu.crypto.rsa import RsaPrivateKey  # noqa: E402
from apdu.tlv import parse  # noqa: E402
from apdu.wire.pboc import tags  # noqa: E402
from apdu.wire.pboc.flags import TerminalCapabilities  # noqa: E402
from host.card import Card  # noqa: E402
from host.channel.memory import MemoryChannel  # noqa: E402
from host.cli.testcard import issue_test_card  # noqa: E402
from host.issuer.authorisation import IssuerHost  # noqa: E402
from host.issuer.bank import Bank  # noqa: E402
from host.issuer.keys import IssuerKeys  # noqa: E402
from host.issuer.limits import UNLIMITED  # noqa: E402
from host.issuer.profile import shipped_profile  # noqa: E402
from host.issuer.test_keys import TEST_IMKS, rsa_chain  # noqa: E402
from host.network.authorisation import Purpose  # noqa: E402
from host.terminal.kernel.config import TerminalConfig  # noqa: E402
from host.terminal.kernel.config_file import load_config  # noqa: E402
from host.terminal.kernel.pin_entry import DocumentKind, PinPad  # noqa: E402
from host.terminal.kernel.transaction import Order, Outcome  # noqa: E402
from host.terminal.pboc import pay  # noqa: E402
from host.terminal.result import Result  # noqa: E402
from host.terminal.tap import tap  # noqa: E402

ROUNDS = 80
PURCHASE_MS, TAP_MS = 15.0, 8.0
CONTACT, FIELD = Interface.CONTACT, Interface.CONTACTLESS
NOON = datetime(2026, 1, 5, 12)
PASSWORD = "271828"  # noqa: S105 - of an account for tests
NUMBERS = count(1)
SHIPPED = load_config()
WITHOUT_CDA = replace(SHIPPED, capabilities=SHIPPED.capabilities & ~int(TerminalCapabilities.CDA))
CHANCE = bytes(range(1, 145))


class People:
    """They know the password."""

    def offline_pin(self, tries_left: int | None) -> str | None:
        return None

    def online_pin(self) -> str | None:
        return PASSWORD

    def document(self, kind: DocumentKind, number: str) -> bool:
        return False


def number_of(profile: str) -> str:
    """The PAN of a shipped card."""
    found = [
        item.value.hex().upper().rstrip("F")
        for group in shipped_profile(profile)
        if 0x0100 < group.number < 0x0B00
        for template in parse(group.value)
        for item in template.children
        if item.tag == tags.PAN
    ]
    return found[0]


class Desk:
    """A card whose account has money, and whose electronic cash was loaded; its bank."""

    def __init__(self, profile: str, folder: Path) -> None:
        pan = number_of(profile)
        self.bank = Bank(str(folder / f"{profile}.db"), limits=UNLIMITED)
        self.host = IssuerHost(self.bank, IssuerKeys(TEST_IMKS))
        self.bank.open("900000000001", pan, "01", "X", NOON)
        self.bank.activate("900000000002", pan, PASSWORD, NOON)
        self.bank.deposit("900000000003", pan, 10**9, NOON)
        self.pad = PinPad(People(), self.bank.pin_keys.pin.encrypt)
        self.chip = issue_test_card(bank=profile)
        self.done(Outcome.APPROVED_ONLINE, purpose=Purpose.LOAD, amount=90_000)

    def done(
        self,
        outcome: Outcome,
        *,
        purpose: Purpose = Purpose.PURCHASE,
        amount: int = 1,
        where: Interface = CONTACT,
        config: TerminalConfig = SHIPPED,
        force_online: bool = False,
        line: bool = True,
        pad: bool = False,
    ) -> Result:
        """A whole transaction, which must end so."""
        number = next(NUMBERS)
        order = Order(
            amount,
            purpose,
            NOON,
            f"{number:012d}",
            number,
            number.to_bytes(4),
            force_online=force_online,
        )
        card = Card(MemoryChannel(self.chip, where))
        verb = pay if where is CONTACT else tap
        people = self.pad if pad else None
        result = verb(card, order, config, self.host if line else None, pad=people)
        if result.outcome is not outcome:
            raise SystemExit(f"{result.outcome.value}: {result.trail}")
        return result


def timed(action: Callable[[], object]) -> tuple[float, float]:
    """The medians of what it takes of the processor and by the clock, in milliseconds."""
    own, all_ = [], []
    for _ in range(ROUNDS):
        start, begun = perf_counter(), process_time()
        action()
        own.append(process_time() - begun)
        all_.append(perf_counter() - start)
    return median(own) * 1e3, median(all_) * 1e3


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="fail above the goals")
    check = parser.parse_args().check
    late = False
    online, offline = Outcome.APPROVED_ONLINE, Outcome.APPROVED_OFFLINE
    key: RsaPrivateKey = rsa_chain(1152).icc
    block = b"\x6a" + bytes(key.public.size - 1)
    alone, _ = timed(lambda: key.sign(block, lambda size: CHANCE[:size]))
    print(f"{'':40}{'ms':>8}{'clock':>8}{'ratio':>7}{'goal':>6}")
    print(f"{'a signature of the card (RSA)':40}{alone:8.2f}")
    with TemporaryDirectory() as name:
        rsa, sm2 = (Desk(profile, Path(name)) for profile in ("rsa-1152", "sm2"))
        dda = {"config": WITHOUT_CDA, "force_online": True}
        lines: list[tuple[str, float | None, Callable[[], object]]] = [
            ("online purchase, DDA", PURCHASE_MS, lambda: rsa.done(online, **dda)),
            ("online purchase, DDA, online PIN", None, lambda: rsa.done(online, pad=True, **dda)),
            ("online purchase, CDA", None, lambda: rsa.done(online, force_online=True)),
            ("online purchase, SM2 and SM4", None, lambda: sm2.done(online, force_online=True)),
            ("load by script", None, lambda: rsa.done(online, purpose=Purpose.LOAD)),
            ("electronic cash in the slot", None, lambda: rsa.done(offline)),
            ("tap, fDDA, advice to the issuer", TAP_MS, lambda: rsa.done(offline, where=FIELD)),
            ("tap, fDDA", TAP_MS, lambda: rsa.done(offline, where=FIELD, line=False)),
            ("tap, SM2 and SM4", None, lambda: sm2.done(offline, where=FIELD, line=False)),
            (
                "tap online",
                TAP_MS,
                lambda: rsa.done(online, where=FIELD, force_online=True),
            ),
        ]
        for label, goal, action in lines:
            took, clock = timed(action)
            missed = goal is not None and took > goal
            late |= missed
            aim = "" if goal is None else f"{goal:6.1f}{' !' * missed}"
            print(f"{label:40}{took:8.2f}{clock:8.2f}{took / alone:7.1f}{aim}", flush=True)
    return int(check and late)


if __name__ == "__main__":
    raise SystemExit(main())
