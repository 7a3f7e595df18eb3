# SPDX-License-Identifier: Apache-2.0
"""No key and no PIN is in anything that is written while cards are made and used.

Keys and PINs here are none that the program's text has: every value that becomes a key or a
secret is noted, and all output, logs, traces and errors are searched for each of them.
"""

from __future__ import annotations

import json
import logging
import traceback
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import Result
from commandline import PLAIN, ROOT, SELECT, sscard
from keybench import GENERATION_OF
from secretscan import PAN, Watch, is_random, leaks, logged

from apdu.crypto.pinblock import build_iso_0
from apdu.crypto.suite import BlockKey, Suite
from apdu.crypto.suites import SUITES
from apdu.errors import FormatError
from apdu.secret import Secret
from apdu.trace import Exchange, write
from apdu.wire.codes import pin_bytes
from apdu.wire.hrss.keys import TABLES, key_named
from apdu.wire.purchase import Mac1Input
from card_os.chip import Chip
from card_os.world import seeded
from host.card import Card
from host.channel.memory import MemoryChannel
from host.channel.trace import RecordingChannel
from host.cli.explain import Explainer
from host.cli.story import STORY
from host.cli.testcard import (
    TEST_DAY,
    TEST_HOLDER,
    TEST_TERMINAL,
    blank_chip,
    issue,
    issue_test_psam,
)
from host.clients.hrss import HrssClient
from host.faults import CardFault, CardNotGenuine, InitialPinInForce, PinBlocked, PinWrong
from host.hsm import HsmAddresses, HsmKeys, MemoryHsm
from host.keys import CardIdentity, KeySource, MemoryKeys, Purchase
from host.psam import PsamKeys
from host.terminal import authentication
from host.terminal.hrss import activate, begin_transaction, log_in
from host.terminal.personalise import personalise

KEY = bytes.fromhex("8E2B90D7354CF1A6691DE04CB87352FA")
KEY_ROOT = bytes.fromhex("D3719C05E84A2F6BB0173E92C8651DFA")
PIN, CHOSEN, WRONG, RELOADED = "739158", "48026713", "951736", "6190385"
PINS = (PIN, CHOSEN, WRONG, RELOADED)
SLOTS = [spec for table in TABLES for spec in table]

both = pytest.mark.parametrize("suite", SUITES.values(), ids=repr)


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[Watch]:
    """Listens to everybody, at every level, while cards get keys and PINs of our own."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr("host.keys.TEST_ROOT", KEY_ROOT)
    for where in ("host.terminal.personalise", "host.terminal.hrss", "host.cli.story"):
        monkeypatch.setattr(f"{where}.INITIAL_PIN", PIN)
    monkeypatch.setattr("host.cli.story.CHOSEN_PIN", CHOSEN)
    monkeypatch.setattr("host.cli.story.MISTYPED_PIN", WRONG)
    found = Watch(monkeypatch, Secret, BlockKey)
    yield found
    found.hear(*logged(caplog))
    assert [] == found.leaks(*PINS)


# That it would be found


@pytest.mark.parametrize(
    "planted",
    [
        b"\x00" + KEY[:8] + b"\x00",
        KEY[8:],
        KEY.hex(),
        KEY[8:].hex(" ").upper(),
        KEY.hex(":", 2),
        "\n".join(f"{byte:02X}" for byte in KEY),
        ", ".join(map(hex, KEY)),
        "".join(f"\\x{byte:02x}" for byte in KEY[:8]),
        f"value={KEY!r}",
        f"value={bytearray(KEY[8:])!r}",
        str(list(KEY)),
        str(tuple(KEY[8:])),
        str(int.from_bytes(KEY)),
        f"{int.from_bytes(KEY[:8]):d}",
        *(b64encode(bytes(n) + KEY + bytes(n)) for n in range(3)),
        b64encode(KEY[:8]).decode(),
    ],
    ids=str,
)
def test_a_key_is_found_in_every_form(planted: str | bytes) -> None:
    said = ["before", planted, "behind"]
    assert leaks(said, [KEY], [])
    assert not leaks(said, [KEY_ROOT], [PIN])


@pytest.mark.parametrize(
    "planted",
    [
        PIN,
        f"pin={PIN!r}",
        " ".join(PIN),
        pin_bytes(PIN),
        b"\x03" + pin_bytes(PIN) + b"\xff" * 5,
        f"data={pin_bytes(PIN)!r}",
        pin_bytes(PIN).hex(" "),
        PIN.encode().hex(),
        PIN.encode().hex(" ").upper(),
        str(list(pin_bytes(PIN))),
        str(list(PIN.encode())),
        build_iso_0(PIN, PAN),
        build_iso_0(PIN, PAN).hex(),
        repr(build_iso_0(PIN, PAN)),
        b64encode(PIN.encode()),
        b64encode(pin_bytes(PIN)),
        f"00 20 00 00 03 {pin_bytes(PIN).hex(' ')}",
    ],
    ids=str,
)
def test_a_pin_is_found_in_every_form(planted: str | bytes) -> None:
    said = ["before", planted, "behind"]
    assert leaks(said, [], [PIN])
    assert not leaks(said, [KEY], [WRONG])


def test_the_secrets_used_here_are_not_in_the_programs_text() -> None:
    files = [path for top in ("apdu", "card_os", "host") for path in (ROOT / top).rglob("*.py")]
    files += (ROOT / "examples").glob("*.json")
    assert [] == leaks((path.read_text("utf-8") for path in files), [KEY, KEY_ROOT], PINS)


def test_what_a_card_has_is_noted_as_secret(watch: Watch) -> None:
    chip = blank_chip(seeded(7, TEST_DAY))
    issue(chip, TEST_HOLDER)
    unique = chip.reset()[-8:]
    keys = {MemoryKeys().card_key(spec, TEST_HOLDER.region, unique).reveal() for spec in SLOTS}
    assert len(keys) == len(SLOTS) == 65
    watch.hear(repr(chip), repr(MemoryKeys()))
    assert keys | {KEY_ROOT} <= watch.keys
    assert all(map(is_random, keys))
    assert all(leaks([key[8:].hex()], watch.keys, []) for key in list(keys)[:3])


# The command


@pytest.mark.parametrize("options", [(), ("--all",), ("--json",), ("--all", "--json")])
def test_the_demo_keeps_its_secrets(watch: Watch, options: tuple[str, ...]) -> None:
    result = sscard("demo", *options)
    assert 0 == result.exit_code
    watch.hear(result.output)


@pytest.mark.parametrize("at", range(len(STORY)))
def test_a_demo_that_goes_wrong_keeps_its_secrets(
    watch: Watch, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    transmit, seen = MemoryChannel._exchange, 0

    def failing(channel: MemoryChannel, command: bytes) -> bytes:
        nonlocal seen
        seen += command[1] in (0x20, 0x5E, 0xD4)
        return b"\x6f\x00" if seen == 5 * at + 1 else transmit(channel, command)

    monkeypatch.setattr(MemoryChannel, "_exchange", failing)
    told(watch, sscard("demo", "--all"))


def told(watch: Watch, result: Result) -> Result:
    """All that a call said, a traceback included."""
    watch.hear(result.output)
    if result.exception is not None:
        watch.hear(*traceback.format_exception(result.exception))
    return result


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_an_image_that_is_made_and_used_keeps_its_secrets(
    watch: Watch, options: tuple[str, ...], tmp_path: Path
) -> None:
    path = tmp_path / "card.img"
    told(watch, sscard("issue", PLAIN, "-o", path, "--seed", 7, *options))
    # The memory itself has them, of course, so the search would find them.
    assert leaks([path.read_bytes()], watch.keys, [PIN])
    coded, chosen = pin_bytes(PIN).hex(), pin_bytes(CHOSEN).hex()
    wrong = pin_bytes(WRONG).hex()
    key = KEY.hex()
    commands = [
        f"0020000003{wrong}",
        f"0020000003{coded}",
        f"805E010008{coded}ff{chosen}",
        f"0020000004{chosen}",
        f"80D4000014{'01010102'}{key}",
        f"80D4000007{'3A000006'}{coded}",
        "0084000008",
        f"8424000108{key[:16]}",
        f"00200000{coded}",
        f"002000000000030000{coded}",
        f"10200000{coded}03",
        f"0024000006{coded}{wrong}",
    ]
    watch.keys.add(KEY)
    for auto in ((), ("--auto",)):
        for command in commands:
            words = ["apdu", "--card", path, *auto, *options]
            told(watch, sscard(*words, SELECT, command))
            told(watch, sscard(*words, stdin=f"{SELECT}\n{command}\n"))
            told(watch, sscard(*words, command[:-1]))
            told(watch, sscard(*words, command + "zz"))
            told(watch, sscard(*words, f"{command};"))
    told(watch, sscard("info", "--card", path, *options))
    path.write_bytes(path.read_bytes()[:-1])
    told(watch, sscard("info", "--card", path, *options))


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_key_that_is_checked_is_not_shown(watch: Watch, options: tuple[str, ...]) -> None:
    for key in (KEY, KEY[:8], KEY + KEY[:8]):
        for typed in (
            key.hex(),
            key.hex(" "),
            key.hex()[:-1],
            key.hex() + "zz",
            f"{key.hex()}\n" * 2,
        ):
            told(watch, sscard("key", "check", *options, stdin=typed))
            told(watch, sscard("key", "check", typed, *options))
            told(watch, sscard("key", typed, *options))
    assert KEY in watch.keys


# The library


class Bench:
    """A card and a PSAM that are listened to, with keys of one suite."""

    def __init__(self, watch: Watch, suite: Suite) -> None:
        self.watch = watch
        self.keys = MemoryKeys(suite=suite)
        self.log: list[Exchange] = []
        card = blank_chip(seeded(7, TEST_DAY))
        personalise(self._card(card), TEST_HOLDER, self.keys, GENERATION_OF[suite.number])
        self.client = HrssClient(self._card(card))
        self.psam = self._card(issue_test_psam(self.keys))
        unique = self.client.card.channel.atr[-8:]
        self.card = CardIdentity(TEST_HOLDER.region, unique, suite)

    def _card(self, chip: Chip) -> Card:
        return Card(RecordingChannel(MemoryChannel(chip), self.log.append))

    def sources(self) -> list[KeySource]:
        addresses = HsmAddresses({spec.name: n for n, spec in enumerate(SLOTS, 0x1000)})
        hsm = MemoryHsm(self.keys, self.card, addresses)
        return [
            self.keys,
            PsamKeys(self.psam),
            HsmKeys(hsm.answer, self.keys.suite, addresses),
        ]

    def finish(self) -> None:
        """Hand over all that was taken down, as text and as objects."""
        assert any(each.hidden for each in self.log)
        explainer = Explainer()
        told = [explainer.explain(each) for each in self.log]
        self.watch.hear(write(self.log), repr(self.log), json.dumps(self.log, default=str))
        self.watch.hear(repr(told), json.dumps([each.as_json() for each in told]))
        self.watch.hear(repr(vars(self)), repr(self.client), repr(self.client.card))


@both
def test_a_desk_that_uses_pins_keeps_them(watch: Watch, suite: Suite) -> None:
    bench = Bench(watch, suite)
    client = bench.client
    log_in(client, PIN)
    assert isinstance(watch.refused(begin_transaction, client, PIN), InitialPinInForce)
    assert isinstance(watch.refused(activate, client, PIN, PIN), InitialPinInForce)
    assert isinstance(watch.refused(activate, client, WRONG, CHOSEN), PinWrong)
    activate(client, PIN, CHOSEN)
    for pin in (CHOSEN[:5], CHOSEN + PIN, CHOSEN[:-1] + "a", "".join(map(chr, full_width(PIN)))):
        assert isinstance(watch.refused(client.verify, pin), FormatError)
        assert isinstance(watch.refused(client.change_pin, CHOSEN, pin), FormatError)
        assert isinstance(watch.refused(client.change_pin, pin, CHOSEN), FormatError)
        assert isinstance(
            watch.refused(authentication.reload_pin, client, bench.keys, bench.card, pin),
            FormatError,
        )
    while not isinstance(watch.refused(client.verify, WRONG), PinBlocked):
        pass
    assert isinstance(watch.refused(client.change_pin, CHOSEN, RELOADED), PinBlocked)
    client.card.channel.reset()
    watch.refused(client.verify, CHOSEN)
    bench.finish()


def full_width(digits: str) -> list[int]:
    return [0xFF10 + int(digit) for digit in digits]


@both
@pytest.mark.parametrize("which", range(3), ids=["memory", "PSAM", "HSM"])
def test_a_desk_that_uses_keys_keeps_them(watch: Watch, suite: Suite, which: int) -> None:
    bench = Bench(watch, suite)
    client, card, source = bench.client, bench.card, bench.sources()[which]
    authentication.prove_card(client, source, card, seeded(3, TEST_DAY).random)
    for pin in (RELOADED, PIN):
        authentication.unblock_pin(client, source, card)
        authentication.reload_pin(client, source, card, pin)
        log_in(client, pin)
    if not isinstance(source, HsmKeys):  # which is told the card in another way
        other, random = replace(card, region="110000"), seeded(3, TEST_DAY).random
        watch.refused(authentication.prove_card, client, source, other, random)
        watch.refused(authentication.unblock_pin, client, source, other)
        watch.refused(authentication.reload_pin, client, source, other, RELOADED)
    wrong = replace(card, suite=next(each for each in SUITES.values() if each is not suite))
    watch.refused(authentication.reload_pin, client, source, wrong, RELOADED)
    watch.refused(authentication.authenticate, client, source, card, key_named("STK"))
    buy(bench, source)
    watch.hear(repr(source), f"{source}", json.dumps({"source": source}, default=str))
    bench.finish()


def buy(bench: Bench, source: KeySource) -> None:
    """A purchase that the card does not know yet, as far as keys go."""
    terminal = bytes.fromhex(TEST_TERMINAL)
    terms = Mac1Input(1200, 300, 0, terminal, bytes.fromhex("20260105093000"))
    request = Purchase(key_named("DPK1"), bench.card, b"\x01\x02\x03\x04", b"\x00\x01", terms)
    begun = source.begin_purchase(request)
    bench.watch.hear(repr(request), repr(begun))
    try:
        source.end_purchase(request, begun, bytes(4))
    except CardNotGenuine as error:
        bench.watch.hear(*traceback.format_exception(error))


@both
def test_a_card_that_breaks_off_at_any_command_gives_no_secret_away(
    watch: Watch, suite: Suite
) -> None:
    bench = Bench(watch, suite)
    channel = bench.client.card.channel

    def journey() -> None:
        bench.client.select()
        authentication.reload_pin(bench.client, bench.keys, bench.card, RELOADED)
        bench.client.change_pin(RELOADED, CHOSEN)
        bench.client.verify(CHOSEN)

    whole = exchanges_of(bench, journey)
    transmit = channel.transmit
    for answer in (b"\x6f\x00", b"\x90", b"\x63\xc0"):
        for at in range(whole):
            passed = iter(range(whole))

            def break_off(command: bytes, at: int = at, answer: bytes = answer) -> bytes:
                return answer if next(passed, at) == at else transmit(command)  # noqa: B023

            channel.transmit = break_off  # type: ignore[method-assign]
            try:
                journey()
            except (CardFault, FormatError) as error:
                watch.hear(*traceback.format_exception(error))
            channel.transmit = transmit  # type: ignore[method-assign]
    bench.finish()


def exchanges_of(bench: Bench, journey: Callable[[], None]) -> int:
    before = len(bench.log)
    journey()
    return len(bench.log) - before
