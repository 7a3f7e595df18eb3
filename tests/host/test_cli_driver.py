# SPDX-License-Identifier: Apache-2.0
"""`sscard driver`: the LD/T 33 functions from a shell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import pytest
from commandline import PLAIN, in_a_process, refusal, sscard

from apdu.recording import Exchanged
from apdu.wire.hrss.generations import GENERATIONS
from host.channel.recorder import reading
from host.channel.replay import ReplayCard
from host.driver import FUNCTIONS, Code

PIN = "864209"
PAY = "0|1.50|20260105093000|"


class Slots(NamedTuple):
    """A card image whose holder has chosen `PIN`, its PSAM, and its pCardInfo."""

    card: Path
    psam: Path
    info: str

    @property
    def options(self) -> tuple[object, ...]:
        return "--card", self.card, "--psam", self.psam


@pytest.fixture(params=GENERATIONS)
def slots(request: pytest.FixtureRequest, tmp_path: Path) -> Slots:
    generation = request.param
    card, psam = tmp_path / "card.img", tmp_path / "psam.img"
    made = ("--generation", generation, "--seed", 7)
    assert 0 == sscard("issue", PLAIN, "-o", card, *made).exit_code
    assert 0 == sscard("issue", "--psam", "430200", "-o", psam, *made).exit_code
    changed = sscard("driver", "iChangePIN", "--card", card, stdin=f"123456\n{PIN}\n{PIN}\n")
    assert (0, "\n") == (changed.exit_code, changed.stdout)
    basics = sscard("driver", "iReadCardBas", "--card", card, "--psam", psam).stdout.split("|")
    return Slots(card, psam, f"{basics[3]}|{basics[2]}|")


def test_every_plain_function_does_its_work(slots: Slots) -> None:
    def driver(function: str, *words: object, stdin: str = "") -> str:
        result = sscard("driver", function, *slots.options, *words, stdin=stdin)
        assert (0, "") == (result.exit_code, result.stderr), result.output
        return result.stdout.removesuffix("\n")

    info = ("--card-info", slots.info)
    house = ("--file-addr", "DF01EF05|20|21|$")
    assert "张三" in driver("iReadCardBas", "--type", 3)
    assert "" == driver("iWriteCard", *info, *house, "--write-data", "DF01EF05|1|某路|$")
    assert "DF01EF05|1|某路|$" == driver("iReadCard", "--auth", 2, *info, *house)
    by_pin = driver("iReadCard", "--auth", 1, *info, *house, stdin=f"{PIN}\n")
    assert "DF01EF05|1|某路|$" == by_pin
    assert "" == driver("iVerifyPIN", stdin=PIN)
    assert "0001|" == driver("iDoDebit", *info, "--pay-info", PAY, stdin=PIN)[:5]
    assert driver("iReadDebitRecord", stdin=PIN).startswith("0001|32|990000000001|20260105093000|")
    assert "" == driver("iReloadPIN", *info, stdin="97531864\n97531864\n")
    assert "" == driver("iUnblockPIN", *info)
    assert "" == driver("iVerifyPIN", stdin="97531864\n")


def test_a_recording_has_the_card_and_its_psam(slots: Slots, tmp_path: Path) -> None:
    file = tmp_path / "both.jsonl"
    read = ("--auth", 2, "--card-info", slots.info, "--file-addr", "DF01EF05|20|$")
    done = sscard("driver", "iReadCard", *slots.options, *read, "--record", file)
    assert 0 == done.exit_code, done.output
    with reading(file) as recording:
        events = list(recording)
    assert {"card", "psam"} == {each.slot for each in events if isinstance(each, Exchanged)}
    for slot, path in ("card", slots.card), ("psam", slots.psam):
        with reading(file) as again:
            there = ReplayCard(again, slot=slot, resets_at_will=True).reset()
        info = json.loads(sscard("info", "--card", path, "--json").stdout)
        assert info["atr"] == there.hex().upper()
    shown = sscard("trace", "show", file).stdout
    assert "psam" in shown


def test_a_key_centre_does_what_a_psam_would(slots: Slots) -> None:
    words = ("--card", slots.card, "--hsm", "test", "--terminal", "000000000042")
    basics = sscard("driver", "iReadCardBas", *words)
    assert "|000000000042||\n" == basics.stdout[-16:]
    for function, more in (
        ("iWriteCard", ("--file-addr", "DF03EF05|61|$", "--write-data", "DF03EF05|4302|$")),
        ("iDoDebit", ("--pay-info", PAY)),
        ("iUnblockPIN", ()),
    ):
        given = ("--card-info", slots.info, *more)
        result = sscard("driver", function, *words, *given, stdin=PIN)
        assert (0, "") == (result.exit_code, result.stderr)


def test_a_refusal_is_the_code_and_its_sentence(slots: Slots) -> None:
    wrong = sscard("driver", "iVerifyPIN", *slots.options, stdin="000000\n")
    assert "-51 the PIN is wrong: 5 tries are left (PIN校验失败)" == refusal(wrong, 1)
    other = ("--card-info", "00|1|", "--file-addr", "SSSEEF05|06|$", "--auth", 2)
    assert "-22 " == refusal(sscard("driver", "iReadCard", *slots.options, *other), 1)[:4]
    for stdin, code in (("", "-31"), ("\n", "-31"), ("12345\n", "-33"), ("1" * 99, "-33")):
        result = sscard("driver", "iVerifyPIN", *slots.options, stdin=stdin)
        assert code == refusal(result, 1)[:3]


def test_as_json_an_answer_is_an_object_either_way(slots: Slots) -> None:
    words = ("driver", "iVerifyPIN", *slots.options, "--json")
    good = sscard(*words, stdin=PIN)
    assert {"function": "iVerifyPIN", "code": 0, "pOutInfo": ""} == json.loads(good.stdout)
    bad = sscard(*words, stdin="000000")
    assert 1 == bad.exit_code
    found = json.loads(bad.stdout)
    assert Code.PIN_WRONG == found["code"]
    assert f"sscard: {found['error']['message']}\n" == bad.stderr
    assert "000000" not in bad.output
    basics = json.loads(sscard("driver", "iReadCardBas", *slots.options, "--json").stdout)
    assert "张三" == basics["pOutInfo"].split("|")[4]


# What needs no card


def test_a_name_that_is_no_function_is_not_supported(tmp_path: Path) -> None:
    card = tmp_path / "card.img"
    assert 0 == sscard("issue", PLAIN, "-o", card, "--seed", 7).exit_code
    assert "-13 " == refusal(sscard("driver", "iFoo", "--card", card), 1)[:4]


@pytest.mark.parametrize("function", [name for name in FUNCTIONS if "_HSM_" in name])
def test_steps_are_sent_where_they_can_be_taken(function: str) -> None:
    told = refusal(sscard("driver", function, "--card", "none.img"))
    assert "--hsm test" in told and "host.driver" in told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("iReadCardBas",), "--card"),
        (("iReadCardBas", "--card", "x", "--reader", "y"), "--card"),
        (("iReadCardBas", "--card", "none.img"), "cannot be opened"),
        (("iReadCardBas", "--card", "x", "--auth", 1), "takes no --auth"),
        (("iReadCard", "--card", "x", "--auth", 1, "--card-info", "x"), "needs --file-addr"),
        (("iReadCard", "--card", "x", "--auth", "one"), "--auth"),
        (("iDoDebit", "--card", "x", "--pay-info", "x"), "needs --card-info"),
        (("iReadCardBas", "--card", "x", "--hsm", "real"), "--hsm"),
        (("iVerifyPIN", "--card", "x", "--pin", "123456"), "--pin"),
        ((), "FUNCTION"),
    ],
)
def test_wrong_usage_is_one_sentence(words: tuple[object, ...], told: str) -> None:
    assert told in refusal(sscard("driver", *words))


def test_a_psam_comes_from_one_place(tmp_path: Path) -> None:
    card = tmp_path / "card.img"
    assert 0 == sscard("issue", PLAIN, "-o", card, "--seed", 7).exit_code
    both = ("--psam", "x", "--psam-reader", "y")
    assert "--psam" in refusal(sscard("driver", "iReadCardBas", "--card", card, *both))


def test_a_process_says_the_same(tmp_path: Path) -> None:
    card = tmp_path / "card.img"
    assert 0 == sscard("issue", PLAIN, "-o", card, "--seed", 7).exit_code
    ran = in_a_process("driver", "iVerifyPIN", "--card", card, input=b"123456\n")
    assert (0, b"\n", b"") == (ran.returncode, ran.stdout, ran.stderr)
    ran = in_a_process("driver", "iReadCardBas", "--card", card)
    assert (0, b"") == (ran.returncode, ran.stderr)
    assert "张三" in ran.stdout.decode()
