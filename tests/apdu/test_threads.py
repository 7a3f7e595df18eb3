# SPDX-License-Identifier: Apache-2.0
"""The whole core, used by eight threads at once, gives each of them the answers that one gets.

Kept keys have a test of their own. Here are the operations, all of them through the cases of the
books, and what is made on first use: tables, libraries, kept beginnings.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from random import Random
from threading import Barrier
from typing import Any

import pytest
from books import of_format
from operations import OPERATIONS
from rsakeys import key_of_size

from apdu.crypto import cryptogram, derive, dukpt, pinblock, pinvalue, sm2, sm2_python, sm3
from apdu.crypto.sm2_curve import RECOMMENDED
from apdu.crypto.suites import SUITES
from apdu.messaging import challenge_messaging
from apdu.wire import cryptogram as inputs
from apdu.wire import record
from apdu.wire.cryptogram import Cvn
from apdu.wire.ksn import Ksn

THREADS = 8
KEY = bytes.fromhex("8E2B90D7354CF1A6691DE04CB87352FA")
OTHER = bytes.fromhex("D3719C05E84A2F6BB0173E92C8651DFA")
PAN, PIN = "6217001234567890", "7391"
KSN = Ksn.parse(bytes.fromhex("FFFF9876543210E00000"))

Work = Callable[[int], Any]
"""What one thread does: the same for the same number."""


@pytest.fixture(autouse=True)
def often() -> Iterator[None]:
    """Threads take turns a thousand times as often as usual."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    yield
    sys.setswitchinterval(usual)


def together(work: Work, threads: int = THREADS) -> list[Any]:
    """What each thread gets, all of them let go at the same moment."""
    gate = Barrier(threads)

    def run(number: int) -> Any:
        gate.wait(60)
        return work(number)

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, range(threads)))


def alike(work: Work) -> None:
    """Threads get what one gets, before and after them."""
    expected = [work(number) for number in range(THREADS)]
    assert expected == together(work)
    assert expected[0] == work(0)


# Everything that the books have


def outcome(case: dict[str, Any]) -> Any:
    try:
        return OPERATIONS[case["op"]](**case["given"])
    except ValueError as error:
        return str(error)


def test_every_case_comes_out_the_same_while_others_run() -> None:
    cases = [case for case, _ in of_format("crypto") if "needs" not in case]
    expected = [outcome(case) for case in cases]

    def work(number: int) -> list[str]:
        mine = Random(number).sample(range(len(cases)), len(cases) // 4)  # noqa: S311 - test data
        return [cases[at]["id"] for at in mine if outcome(cases[at]) != expected[at]]

    for _ in range(2):
        forget()
        assert [[]] * THREADS == together(work)


def forget() -> None:
    """As before anybody has used anything."""
    for name, module in list(sys.modules.items()):
        for kept in vars(module).values() if name.startswith("apdu.") else ():
            if isinstance(kept, type(cache(len))):
                kept.cache_clear()
    for made in (record._DECLARATIONS, record._PLANS, record._TABLES, inputs._PLACES):
        made.clear()


# Shared keys, chosen at random


def test_cryptograms_and_pins_are_verified_under_shared_keys() -> None:
    masters = [suite.key(KEY) for suite in SUITES.values()]
    pin_key, pvk = SUITES[1].key(KEY), SUITES[1].key(OTHER)
    cards = [f"621700{n:010}" for n in range(6)]
    blocks = {pan: pin_key.encrypt(pinblock.build_iso_0(PIN, pan)) for pan in cards}
    values = {pan: pinvalue.pvv(pvk, PIN, pan) for pan in cards}

    def work(number: int) -> list[Any]:
        chance, found = Random(number), []  # noqa: S311 - test data
        for _ in range(150):
            master, pan = chance.choice(masters), chance.choice(cards)
            data = chance.randbytes(13)
            card = master.suite.key(derive.udk(master, pan))
            session = cryptogram.transaction_key(card, Cvn.CVN_17, data[10:12])
            ac = cryptogram.cryptogram(session, data)
            assert cryptogram.verify(master, pan, "00", Cvn.CVN_17, data, ac)
            assert not cryptogram.verify(master, pan, "00", Cvn.CVN_17, data, bytes(8))
            shown = chance.choice(cards)
            right = pinvalue.verify_pvv(pin_key, blocks[pan], pan, pvk, "1", values[shown])
            assert right == (values[shown] == values[pan])
            messaging = challenge_messaging(master, data[:8])
            found += [ac, messaging.mac_key.check_value(), right]
        return found

    alike(work)


def test_many_keys_are_derived_at_once() -> None:
    keys = [suite.key(KEY) for suite in SUITES.values()]

    def work(number: int) -> list[bytes]:
        blocks = derive.factors_with_complement(
            (1000 * number + n).to_bytes(8) for n in range(1000)
        )
        return [derive.derive_many(key, blocks, 1 + number % 3) for key in keys]

    alike(work)


@pytest.mark.parametrize("bits", [512, 1016])
def test_an_rsa_key_signs_for_all(bits: int) -> None:
    key = key_of_size(bits)

    def work(number: int) -> list[bytes]:
        chance, found = Random(number), []  # noqa: S311 - test data
        for _ in range(12):
            block = b"\x00" + chance.randbytes(key.public.size - 1)
            found.append(key.sign(block, chance.randbytes))
            assert block == key.public.recover(found[-1])
        return found

    alike(work)


# DUKPT


def test_a_terminal_that_many_threads_use_gives_every_key_once() -> None:
    initial = dukpt.initial_key(KEY, KSN)
    keys = dukpt.FutureKeys(initial, KSN)
    taken = [each for part in together(lambda _: [keys.take() for _ in range(40)]) for each in part]
    counters = sorted(ksn.counter for ksn, _ in taken)
    alone = dukpt.FutureKeys(initial, KSN)
    assert [alone.take()[0].counter for _ in taken] == counters
    for ksn, key in taken[::7]:
        assert dukpt.transaction_key(initial, ksn) == key


# SM2, and what is made on first use


def test_sm2_is_ready_for_eight_threads_that_all_come_first() -> None:
    key = sm2.PrivateKey(KEY + OTHER)

    def work(number: int) -> list[Any]:
        chance, found = Random(number), []  # noqa: S311 - test data
        for _ in range(3):
            message = chance.randbytes(20)
            signature = sm2.sign(key, message, chance.randbytes)
            sealed = sm2.encrypt(key.public, message, chance.randbytes)
            assert message == sm2.decrypt(key, sealed)
            assert sm2.verify(key.public, message, signature)
            assert not sm2.verify(key.public, message + b"\x00", signature)
            made = sm2.generate(chance.randbytes)
            found += [signature, sealed, made.public.value, sm3.digest(message)]
        return found

    expected = [work(number) for number in range(THREADS)]
    for _ in range(3):
        forget()
        assert expected == together(work)


def test_the_table_of_the_base_point_is_whole_for_whoever_sees_it() -> None:
    expected = sm2_python.base_point(RECOMMENDED, 0xABCDEF << 200)
    for _ in range(5):
        forget()
        found = together(lambda _: sm2_python.base_point(RECOMMENDED, 0xABCDEF << 200))
        assert [expected] * THREADS == found
