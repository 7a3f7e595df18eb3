# SPDX-License-Identifier: Apache-2.0
"""No key and no PIN is in anything that is written while people pay: not in logs, objects, traces,
errors, messages, the bank's books, or what the commands say.

Everything here is made from known chance: what is searched must not have a PIN's digits by luck.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from itertools import count
from pathlib import Path
from sqlite3 import connect

import pytest
from commandline import sscard
from deskbench import on_a_fixed_day, save
from moneybench import CONTACT, FIELD, NOON
from paymentbench import payment_chip, published
from paymentdesk import Typing, config
from secretscan import Watch, is_random, logged

pytest.importorskip("iso8583", reason="needs pyiso8583: pip install 'sscard[bank]'")

from apdu.atr import Interface
from apdu.crypto.derive import pboc_session_key
from apdu.crypto.pinblock import build_iso_0, build_iso_2
from apdu.crypto.suite import BlockKey
from apdu.errors import FormatError
from apdu.secret import Secret
from apdu.tlv import parse
from apdu.trace import Exchange, write
from apdu.wire.pboc import tags
from apdu.wire.pboc.flags import TerminalCapabilities
from apdu.wire.pboc.groups import PIN, SECRET
from card_os.world import seeded
from host.card import Card
from host.channel.memory import MemoryChannel
from host.channel.trace import RecordingChannel
from host.cli.testcard import TEST_DAY
from host.issuer import scripts
from host.issuer.authorisation import IssuerHost
from host.issuer.bank import Bank
from host.issuer.faults import Refused
from host.issuer.keys import IssuerKeys, KeySet, keys_in
from host.issuer.limits import UNLIMITED
from host.issuer.profile import shipped_profile
from host.issuer.test_keys import TEST_IMKS
from host.network.authorisation import (
    AuthorisationRequest,
    AuthorisationResponse,
    Purpose,
    Reversal,
)
from host.network.iso8583 import decode, encode
from host.network.messages import Asked, answer_to, question_of, read_answer, read_question
from host.terminal.kernel.config import TerminalConfig
from host.terminal.kernel.pin_entry import PinPad
from host.terminal.kernel.transaction import Order
from host.terminal.pboc import pay
from host.terminal.result import Result
from host.terminal.tap import tap

OFFLINE_PIN, PASSWORD, WRONG, NEW = "48026713", "739158", "951736", "61903852"
PINS = (OFFLINE_PIN, PASSWORD, WRONG, NEW)
PINS_OFFLINE = config(capabilities=config().capabilities & ~TerminalCapabilities.ONLINE_PIN)
BASES = ("rsa-1152", "sm2")


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[Watch]:
    """Listens to everybody, at every level."""
    caplog.set_level(logging.DEBUG)
    found = Watch(monkeypatch, Secret, BlockKey)
    yield found
    found.hear(*logged(caplog))
    assert [] == found.leaks(*PINS)


class Wire:
    """The bank behind messages, whose bytes and values are heard."""

    def __init__(self, host: IssuerHost, watch: Watch) -> None:
        self.host, self.watch = host, watch

    def _asked(self, value: Asked) -> AuthorisationResponse:
        sent = question_of(value)
        raw = encode(sent)
        question = decode(raw)
        found = read_question(question, NOON.date())
        shown = [repr(each) for each in (sent, question, value, found)]
        self.watch.hear(raw, raw.hex(), *shown)
        hidden = sent.fields.get("52")  # the enciphered PIN is for the message alone
        assert not hidden or not any(hidden.casefold() in each.casefold() for each in shown)
        match found:
            case Reversal():
                response = self.host.reverse(found)
            case AuthorisationRequest(advice=True):
                response = self.host.advise(found)
            case AuthorisationRequest():
                response = self.host.authorise(found)
        said = answer_to(question, response)
        raw = encode(said)
        self.watch.hear(raw, raw.hex(), repr(said), repr(response))
        return read_answer(decode(raw), sent)

    authorise = reverse = advise = _asked


class Shop:
    """A card with a PIN that is in nobody's text, its bank, and a terminal that is recorded."""

    def __init__(self, watch: Watch, base: str, folder: Path) -> None:
        self.watch = watch
        self.folder = folder
        self.log: list[Exchange] = []
        self.chip = payment_chip(groups={PIN: build_iso_2(OFFLINE_PIN)}, base=base)
        found = {
            item.tag: item.value.hex()
            for number, value in published(base).items()
            if 0x0100 < number < 0x0B00
            for template in parse(value)
            for item in template.children
        }
        self.pan = found[tags.PAN].rstrip("f")
        self.bank = Bank(str(folder / "bank.db"), limits=UNLIMITED)
        # The masters are nobody else's, so the card's own keys are given beside them.
        chance = seeded(5, TEST_DAY).random
        self.masters = {each: KeySet(*(Secret(chance(16)) for _ in range(3))) for each in TEST_IMKS}
        cards = {
            (self.pan, "01", each): keys for each, keys in keys_in(shipped_profile(base)).items()
        }
        self.host = IssuerHost(self.bank, IssuerKeys(self.masters, cards))
        self.line = Wire(self.host, watch)
        self.bank.open("900000000001", self.pan, "01", "测试持卡人", NOON)
        self.bank.activate("900000000002", self.pan, PASSWORD, NOON)
        self.bank.deposit("900000000003", self.pan, 1_000_000, NOON)
        self.numbers = count(1)
        # Keys as the card keeps them, those of its transactions, and PINs in the blocks in which
        # they travel.
        own = published(base)
        watch.keys |= {own[number] for number in SECRET & own.keys() - {PIN}}
        watch.keys |= {build_iso_0(pin, self.pan) for pin in PINS}
        self.keys = [self.host.keys.card(*each) for each in cards]
        for keys in self.keys:
            for key in (keys.ac, keys.mac, keys.enc):
                watch.keys |= {pboc_session_key(key, atc.to_bytes(2)) for atc in range(1, 30)}
        masters = {
            each.reveal()
            for found in self.masters.values()
            for each in (found.ac, found.mac, found.enc)
        }
        assert masters <= watch.keys
        assert all(map(is_random, masters))

    def order(self, amount: int, purpose: Purpose, online: bool) -> Order:
        number = next(self.numbers)
        return Order(
            amount,
            purpose,
            NOON,
            f"{number:012d}",
            number,
            number.to_bytes(4),
            force_online=online,
        )

    def pay(
        self,
        amount: int = 100,
        purpose: Purpose = Purpose.PURCHASE,
        where: Interface = CONTACT,
        pin: str | None = None,
        setup: TerminalConfig | None = None,
        online: bool = True,
    ) -> Result:
        pad = PinPad(Typing(pin), self.bank.pin_keys.pin.encrypt) if pin else None
        channel = RecordingChannel(MemoryChannel(self.chip, where), self.log.append)
        verb = pay if where is CONTACT else tap
        asked = self.order(amount, purpose, online)
        result = verb(Card(channel), asked, setup or config(), self.line, pad=pad)
        self.watch.hear(repr(asked), repr(pad), repr(result), str(result.as_json()))
        self.watch.hear(repr(result.trail), repr(result.outstanding), repr(result.fault))
        return result

    def finish(self) -> None:
        """Hand over all that was taken down, objects, and what the books hold."""
        self.watch.hear(write(self.log), repr(self.log))
        self.watch.hear(repr(vars(self)), repr(vars(self.host)), repr(vars(self.bank)))
        self.watch.hear(repr(self.host.scripts.outbox.all(self.pan)))
        keys = list(map(repr, self.keys))
        self.watch.hear(repr(keys), repr(self.host.keys), repr(self.bank.pin_keys))
        self.watch.hear(repr(self.chip), repr(self.bank.account(self.pan)))
        self.bank.ledger.close()
        path = self.folder / "bank.db"
        with closing(connect(path)) as books:
            rows = list(books.iterdump())
        assert any(self.pan in row for row in rows)
        self.watch.hear(*rows, path.read_bytes())


@pytest.mark.parametrize("base", BASES)
def test_a_day_of_payments_keeps_its_secrets(watch: Watch, base: str, tmp_path: Path) -> None:
    shop = Shop(watch, base, tmp_path)
    assert shop.pay(pin=PASSWORD).approved
    assert "55" == shop.pay(pin=WRONG).response_code
    assert shop.pay(200, Purpose.WITHDRAWAL, pin=PASSWORD).approved
    assert shop.pay(5_000, Purpose.LOAD, pin=PASSWORD).approved
    assert shop.pay(pin=OFFLINE_PIN, setup=PINS_OFFLINE).approved
    assert shop.pay(pin=WRONG, setup=PINS_OFFLINE).cvr
    assert shop.pay(where=FIELD, online=False).approved
    assert shop.pay(40_000, where=FIELD, pin=PASSWORD).approved
    shop.host.scripts.pin(shop.pan, "01", NEW, NOON)
    shop.host.scripts.commands(shop.pan, [scripts.pin_unblock()], NOON)
    assert shop.pay(pin=PASSWORD).approved
    assert shop.pay(pin=NEW, setup=PINS_OFFLINE).approved
    assert shop.pay(0, Purpose.PIN_CHANGE, pin=PASSWORD).approved
    assert {0x20, 0x24} <= {each.command[1] for each in shop.log if each.hidden}
    shop.finish()


def test_what_goes_wrong_keeps_its_secrets(watch: Watch, tmp_path: Path) -> None:
    shop = Shop(watch, "rsa-1152", tmp_path)
    bank, keys = shop.bank, shop.bank.pin_keys
    for pin in (PASSWORD[:3], PASSWORD + NEW, PASSWORD[:-1] + "a"):
        watch.refused(bank.activate, "900000000009", shop.pan, pin, NOON)
        watch.refused(bank.reset_password, "900000000009", shop.pan, pin, NOON)
        watch.refused(keys.enciphered, pin, shop.pan)
        watch.refused(shop.host.scripts.pin, shop.pan, "01", pin, NOON)
        watch.refused(shop.pay, pin=pin)
    wrong = keys.enciphered(WRONG, shop.pan)
    for _ in range(4):
        assert isinstance(watch.refused(bank.verify_pin, shop.pan, wrong), Refused)
    watch.refused(bank.verify_pin, shop.pan, wrong[:-1])
    watch.refused(bank.change_password, "900000000010", shop.pan, wrong, NEW, NOON)
    # A store that fails in the middle, with all that it was given in its hands.
    shop.pay(pin=PASSWORD)
    with connect(tmp_path / "bank.db") as books:
        books.execute("DROP TABLE moves")
    watch.refused(bank.purchase, "900000000011", shop.pan, 1, NOON)
    request = AuthorisationRequest(
        "900000000012",
        1,
        NOON,
        Purpose.PURCHASE,
        1,
        shop.pan,
        "01",
        "TERM0001",
        "MERCHANT0000001",
        pin_block=wrong,
    )
    message = question_of(request)
    for number in message.fields:
        # Whatever field it is, a PIN in it is not repeated by the error, if there is one.
        bad = replace(message, fields={**message.fields, number: PASSWORD + "x"})
        try:
            encode(bad)
        except FormatError as error:
            watch.hear(error, *traceback.format_exception(error))
    watch.hear(repr(request), str(request))
    shop.finish()


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_the_commands_keep_their_secrets(
    watch: Watch, options: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = seeded(11, TEST_DAY).random
    monkeypatch.setattr("secrets.token_bytes", chance)
    monkeypatch.setattr("host.cli.orders.token_bytes", chance)
    numbers = count(1)
    monkeypatch.setattr("host.cli.orders.randbelow", lambda most: next(numbers) % most)
    desk = on_a_fixed_day(tmp_path, monkeypatch)
    card = save(
        payment_chip(groups={PIN: build_iso_2(OFFLINE_PIN)}, base="rsa-1152"), tmp_path / "card.img"
    )

    def said(*words: object, stdin: str = "") -> None:
        result = sscard(*words, *options, stdin=stdin)
        watch.hear(result.stdout, result.stderr)
        if result.exception is not None:
            watch.hear(*traceback.format_exception(result.exception))

    said("bank", "open", "--card", card)
    said("bank", "activate", "--card", card, stdin=f"{PASSWORD}\n{WRONG}\n")
    said("bank", "activate", "--card", card, stdin=f"{PASSWORD}\n{PASSWORD}\n")
    said("bank", "deposit", "--card", card, "--amount", "1000")
    for number, typed in enumerate([PASSWORD, WRONG, PASSWORD[:3], PASSWORD + "x", ""]):
        trace = f"online{number}.trace"
        words = ("pay", "--card", card, "--amount", "12.34", "--pin", "--record", trace)
        said(*words, stdin=f"{typed}\n{OFFLINE_PIN}\n")
        said(*words[:-2], "--offline", stdin=f"{OFFLINE_PIN}\n")
        said(*words[:-2], "--contactless", stdin=f"{typed}\n")
    said("load", "--card", card, "--amount", "100", stdin=f"{PASSWORD}\n")
    said("bank", "withdraw", "--card", card, "--amount", "5", stdin=f"{WRONG}\n")
    said("bank", "withdraw", "--card", card, "--amount", "5", stdin=f"{PASSWORD}\n")
    said("bank", "script", "pin-unblock", "--card", card)
    for word in ("balance", "log", "info"):
        said(word, "--card", card)
    said("bank", "statement", "--card", card)
    written = [path for path in tmp_path.rglob("*") if path.is_file() and path != card]
    assert {".db", ".trace"} == {path.suffix for path in written}
    watch.hear(*(path.read_bytes() for path in written))
    assert desk.account(desk.pan(card)).balance < 100_000
