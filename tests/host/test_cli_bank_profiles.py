# SPDX-License-Identifier: Apache-2.0
"""`sscard issue --bank-profile` and `--pan`: whose bank card is on the card."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import pytest
from commandline import PLAIN as HOLDER
from commandline import sscard

from host.cli.testcard import issue_test_card
from host.issuer.card_data import luhn_digit
from host.issuer.profile import DEFAULT, SHIPPED, bank_profile, pan_in, shipped_profile

PAN = "622800987654321098" + luhn_digit("622800987654321098")


def issued(tmp_path: Path, *options: object, name: str = "card.img") -> dict[str, object]:
    image = tmp_path / name
    ran = sscard("issue", HOLDER, "-o", image, "--json", "--seed", 7, *options)
    assert (0, "") == (ran.exit_code, ran.stderr)
    found: dict[str, object] = json.loads(ran.stdout)
    return found


@pytest.mark.parametrize("name", SHIPPED)
def test_a_card_is_issued_with_a_shipped_profile(tmp_path: Path, name: str) -> None:
    found = issued(tmp_path, "--bank-profile", name, "--generation", "3.0")
    assert (name, pan_in(shipped_profile(name))) == (found["bank_profile"], found["pan"])


def test_a_card_has_the_usual_profile_unless_another_is_asked_for(tmp_path: Path) -> None:
    found = issued(tmp_path)
    assert (DEFAULT, pan_in(shipped_profile(DEFAULT))) == (found["bank_profile"], found["pan"])


def test_a_card_is_issued_with_a_profile_of_ones_own_and_a_pan_of_ones_own(tmp_path: Path) -> None:
    text = files("host.issuer").joinpath("profiles", "sm2.toml").read_text(encoding="utf-8")
    path = tmp_path / "mine.toml"
    path.write_text(text.replace("balance = 0", "balance = 777"), encoding="utf-8")
    found = issued(tmp_path, "--bank-profile", path, "--pan", PAN)
    assert (str(path), PAN) == (found["bank_profile"], found["pan"])


@pytest.mark.parametrize("name", ["sm2", DEFAULT])
def test_the_same_seed_makes_the_same_bytes(tmp_path: Path, name: str) -> None:
    for image in ("one.img", "other.img"):
        issued(tmp_path, "--bank-profile", name, "--pan", PAN, name=image)
    assert (tmp_path / "one.img").read_bytes() == (tmp_path / "other.img").read_bytes()


def test_a_person_reads_the_pan(tmp_path: Path) -> None:
    ran = sscard("issue", HOLDER, "-o", tmp_path / "card.img", "--pan", PAN)
    assert f"bank card            {PAN} ({DEFAULT})\n" in ran.stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--bank-profile", "nothing"], "--bank-profile: there are rsa-1152"),
        (["--bank-profile", "holder.json"], "--bank-profile: there are rsa-1152"),
        (["--pan", PAN[:-1] + str((int(PAN[-1]) + 1) % 10)], "pan: its last digit"),
        (["--pan", "4111111111111111"], "pan: must begin with 622800"),
        (["--pan", "62280098765x"], "pan: must be 13 to 19 digits"),
        (["--pan", PAN, "--bank-profile", "published"], "pan: the profile has groups"),
    ],
)
def test_what_a_card_cannot_be_issued_with_is_bad_input_and_leaves_nothing(
    tmp_path: Path, options: list[str], said: str
) -> None:
    ran = sscard("issue", HOLDER, "-o", tmp_path / "card.img", *options)
    assert 2 == ran.exit_code
    assert said in ran.stderr
    assert not (tmp_path / "card.img").exists()


def test_a_profile_that_is_wrong_is_told_by_its_setting(tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    text = files("host.issuer").joinpath("profiles", "sm2.toml").read_text(encoding="utf-8")
    path.write_text(text.replace("bits = 1152", "bits = 1000"), encoding="utf-8")
    ran = sscard("issue", HOLDER, "-o", tmp_path / "card.img", "--bank-profile", path)
    assert 2 == ran.exit_code
    assert "rsa.bits: must be a whole number from 1152 to 1984" in ran.stderr


@pytest.mark.parametrize("option", [["--bank-profile", "sm2"], ["--pan", PAN]])
def test_a_psam_has_no_bank_card(tmp_path: Path, option: list[str]) -> None:
    ran = sscard("issue", "--psam", "national", "-o", tmp_path / "psam.img", *option)
    assert 2 == ran.exit_code
    assert "they need HOLDER.json" in ran.stderr


def test_a_test_card_takes_a_profile_by_name_or_as_a_value() -> None:
    named, given = issue_test_card(bank="sm2"), issue_test_card(bank=bank_profile("sm2"))
    assert named.snapshot() == given.snapshot()
    assert named.snapshot() != issue_test_card().snapshot()
    assert issue_test_card(pan=PAN).snapshot() != issue_test_card().snapshot()
