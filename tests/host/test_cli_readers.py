# SPDX-License-Identifier: Apache-2.0
"""`sscard readers`: what is there, once or as it changes, and a way out where there is no PC/SC."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator

import pytest
from commandline import refusal, sscard
from fakescard import CONTACTLESS, Service, installed

from host.channel.pcsc import watch as poller
from host.cli.readers import NONE, OURS
from host.cli.testcard import issue_test_card

ONE, TWO = "ACME One", "ACME Two"


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    service = installed(monkeypatch)
    yield service
    service.is_left_alone()


@pytest.fixture(scope="module")
def ours() -> bytes:
    return issue_test_card().reset()


def test_readers_are_listed_with_what_their_cards_tell(service: Service, ours: bytes) -> None:
    service.insert(ours)
    service.use(1)
    result = sscard("readers")
    assert 0 == result.exit_code
    assert [
        ONE,
        f"  card       {OURS}",
        f"  ATR        {ours.hex(' ').upper()}",
        "  protocols  T=0",
        "  interface  contact",
        "  in use     by one program alone",
        TWO,
        "  card       none",
    ] == result.stdout.splitlines()


@pytest.mark.parametrize(
    ("atr", "lines"),
    [
        (
            CONTACTLESS,
            ["another kind of card", "3B 80 80 01 01", "T=0, T=1", "contactless", "by nobody"],
        ),
        (
            b"\x12\x34",
            ["another kind of card", "12 34", "not told: the ATR is none", "contact", "by nobody"],
        ),
        (b"", ["mute: turn it round, or clean its contacts", "by nobody"]),
    ],
    ids=["in the field", "no ATR", "mute"],
)
def test_other_cards_are_told_as_such(service: Service, atr: bytes, lines: list[str]) -> None:
    service.insert(atr)
    said = sscard("readers", "one").stdout.splitlines()
    assert lines == [line[13:] for line in said[1:]]


def test_only_readers_with_the_name_are_listed(service: Service) -> None:
    assert [TWO, "  card       none"] == sscard("readers", "two").stdout.splitlines()
    result = sscard("readers", "three")
    assert 0 == result.exit_code
    assert "No reader has 'three' in its name; readers here: " in result.stdout
    assert f"'{TWO}'" in result.stdout
    assert {"readers": []} == json.loads(sscard("readers", "three", "--json").stdout)


def test_without_readers_the_doctor_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch).slots.clear()
    for words in ((), ("three",)):
        assert NONE == sscard("readers", *words).stdout.strip()


def test_a_program_gets_them_as_json(service: Service, ours: bytes) -> None:
    service.insert(ours)
    service.use(2)
    (line,) = sscard("readers", "--json").stdout.splitlines()
    empty = dict.fromkeys(("atr", "protocols", "interface", "social_security"))
    assert [
        {
            "name": ONE,
            "presence": "card",
            "atr": ours.hex().upper(),
            "protocols": [0],
            "interface": "contact",
            "social_security": True,
            "use": "shared",
        },
        {"name": TWO, "presence": "empty", "use": "free", **empty},
    ] == json.loads(line)["readers"]


def test_a_reader_s_name_does_not_steer_the_terminal(service: Service) -> None:
    service.slots = {"\a\rreader": service.slots[ONE]}
    for words in ("readers",), ("readers", "--json"):
        said = sscard(*words).stdout
        assert "reader" in said
        assert not {"\a", "\r"} & {*said}


def interrupted(monkeypatch: pytest.MonkeyPatch, *words: str) -> list[str]:
    """What a watch says until Ctrl-C, which comes as soon as it has nothing more to say."""

    class Stop:
        def wait(self, seconds: float) -> None:
            raise KeyboardInterrupt

        def is_set(self) -> bool:
            return False

    monkeypatch.setattr(poller, "Stop", Stop)
    monkeypatch.setattr(poller, "SLICE", 10.0)
    result = sscard("readers", "--watch", *words)
    assert 0 == result.exit_code
    assert "" == result.stderr
    return result.stdout.splitlines()


def hidden_hand(service: Service) -> list[Callable[[], object]]:
    """The service ends after the first look, and does not come back."""
    return [lambda: None, lambda: None, service.ends]


def test_a_watch_tells_what_is_there_and_what_happens_until_ctrl_c(
    service: Service, ours: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.slots = {ONE: service.slots[ONE]}
    service.insert(ours)
    service.meanwhile = hidden_hand(service)
    monkeypatch.setattr(poller, "_look", _without_waiting(poller._look))
    assert [
        f"reader added            {ONE}",
        f"card inserted           {ONE}  {ours.hex(' ').upper()}  ({OURS})",
        "service lost",
    ] == interrupted(monkeypatch)


def test_a_watch_writes_an_object_a_line(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    service.slots = {ONE: service.slots[ONE]}
    service.insert(CONTACTLESS)
    service.meanwhile = hidden_hand(service)
    monkeypatch.setattr(poller, "_look", _without_waiting(poller._look))
    blank = dict.fromkeys(("atr", "interface", "social_security"))
    of_card = {"atr": "3B80800101", "interface": "contactless", "social_security": False}
    assert [
        {"event": "reader added", "reader": ONE, **blank},
        {"event": "card inserted", "reader": ONE, **of_card},
        {"event": "service lost", "reader": None, **blank},
    ] == [json.loads(line) for line in interrupted(monkeypatch, "--json")]


def _without_waiting(look: Callable[..., object]) -> Callable[..., object]:
    return lambda context, *before: look(context)


@pytest.mark.parametrize("more", [[], ["--watch"]])
def test_where_pcsc_cannot_be_used_the_doctor_is_named(
    monkeypatch: pytest.MonkeyPatch, more: list[str]
) -> None:
    service = installed(monkeypatch)
    service.alive = False
    said = refusal(sscard("readers", *more), status=1)
    assert "service does not run" in said
    assert said.endswith("`sscard doctor` looks into it")
    monkeypatch.setitem(sys.modules, "smartcard", None)
    said = refusal(sscard("readers", *more), status=1)
    assert "pip install 'sscard[pcsc]'" in said
    assert said.endswith("`sscard doctor` looks into it")
