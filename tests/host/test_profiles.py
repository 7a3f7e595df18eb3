# SPDX-License-Identifier: Apache-2.0
"""Profiles of debit cards as files: what is shipped can be read, what is wrong is named."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest

from apdu.errors import FormatError
from apdu.wire.pboc.groups import DataGroup
from host.issuer.card_data import CardData
from host.issuer.profile import (
    DEFAULT,
    PUBLISHED,
    SHIPPED,
    bank_profile,
    known_chance,
    pan_in,
    parse_profile,
    shipped_profile,
)


def text_of(name: str) -> str:
    return files("host.issuer").joinpath("profiles", f"{name}.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_profile_makes_the_same_groups_each_time(name: str) -> None:
    assert shipped_profile(name) == shipped_profile(name)
    assert pan_in(shipped_profile(name)).startswith("622800")


def test_every_profile_that_is_there_is_shipped_by_name() -> None:
    there = files("host.issuer").joinpath("profiles").iterdir()
    assert sorted(f"{name}.toml" for name in SHIPPED) == sorted(path.name for path in there)
    assert DEFAULT in SHIPPED
    with pytest.raises(FormatError, match="profile: there are"):
        shipped_profile("nothing")


def test_shipped_cards_have_pans_of_their_own() -> None:
    assert len(SHIPPED) == len({pan_in(shipped_profile(name)) for name in SHIPPED})


def test_a_profile_is_found_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text_of("sm2"), encoding="utf-8")
    assert shipped_profile("sm2") == bank_profile(str(path)).groups(known_chance())
    with pytest.raises(OSError, match="missing"):
        bank_profile(str(tmp_path / "missing.toml"))
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(FormatError, match="UTF-8"):
        bank_profile(str(path))


def test_known_chance_gives_as_many_bytes_as_asked_and_always_others() -> None:
    chance = known_chance()
    drawn = [chance(size) for size in (1, 31, 32, 33, 100)]
    assert [1, 31, 32, 33, 100] == [len(each) for each in drawn]
    assert drawn[1] != drawn[2][:31]
    again = known_chance()
    assert drawn[0] == again(1)


# Wrong card data


def lines(name: str = "sm2") -> list[tuple[str, str]]:
    """Every setting of a profile: its table, and its whole line."""
    table, found = "", []
    for line in text_of(name).splitlines():
        if line.startswith("["):
            table = line.strip("[]")
        elif " = " in line and not line.startswith("#"):
            found.append((table, line))
    return found


OPTIONAL = {
    "terminal_lower_limit",
    "terminal_upper_limit",
    "lower_limit",
    "upper_limit",
    "amount_limit",
    "amount_upper_limit",
    "international_currency_limit",
    "international_country_limit",
}


@pytest.mark.parametrize(("table", "line"), lines(), ids=lambda part: part.split(" =")[0])
def test_a_setting_is_needed_and_has_to_fit(table: str, line: str) -> None:
    name, whole = line.split(" = ")[0], text_of("sm2")
    start = whole.index(f"[{table}]")
    at = whole.index("\n" + line, start) + 1
    without = whole[:at] + whole[at + len(line) :]
    if name in OPTIONAL:
        parse_profile(without)
    else:
        with pytest.raises(FormatError, match=f"^{table}.{name}: "):
            parse_profile(without)
    for wrong in ("-1", "[]", '"x\\u0007"', "1.5"):
        with pytest.raises(FormatError, match=f"^{table}.{name}: "):
            parse_profile(whole[:at] + f"{name} = {wrong}" + whole[at + len(line) :])
    with pytest.raises(FormatError, match=f"^{table}.{name}x: there is no such setting"):
        parse_profile(whole[:at] + f"{name}x = 1\n" + whole[at:])


@pytest.mark.parametrize("table", ["card", "application", "risk", "keys", "rsa"])
def test_a_table_is_needed(table: str) -> None:
    whole = text_of("rsa-1152").replace(f"[{table}]", f"[{table}x]")
    with pytest.raises(FormatError, match=f"^{table}: is missing"):
        parse_profile(whole)


@pytest.mark.parametrize("table", ["cash", "qpboc", "sm"])
def test_a_table_may_be_left_out(table: str) -> None:
    whole = text_of("sm2")
    start = whole.index(f"[{table}]")
    end = whole.find("\n[", start)
    found = parse_profile(whole[:start] + (whole[end:] if end > 0 else "")).source
    assert isinstance(found, CardData)
    assert {"cash": found.cash, "qpboc": found.contactless, "sm": found.sm or None}[table] is None
    assert found != bank_profile("sm2").source


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("bits = 1152", "bits = 1024", "rsa.bits"),
        ("bits = 1152", "bits = 1153", "rsa.bits"),
        ('tell_issuer = "balance"', 'tell_issuer = "all"', "keys.tell_issuer"),
        ('cvn = "01"', 'cvn = "10"', "qpboc.cvn"),
        ("balance = 0", "balance = 100001", "cash.balance"),
        ('pan = "6228004234567890126"', 'pan = "6228004234567890127"', "card.pan"),
        ('expires = "2035-12-31"', 'expires = "2024-12-31"', "card.expires"),
        ('expires = "2035-12-31"', 'expires = "2035-13-31"', "card.expires"),
        ('cvm = "1F00"', 'cvm = "1F0001"', "cash.cvm"),
        ("[sm]", "[unknown]", "unknown"),
        ("[sm]", "[sm", "profile"),
    ],
)
def test_what_contradicts_itself_is_named(old: str, new: str, where: str) -> None:
    whole = text_of("sm2")
    assert whole.count(old) == 1
    with pytest.raises(FormatError, match=f"^{where}: "):
        parse_profile(whole.replace(old, new))


def test_a_second_currency_is_read_and_its_balance_held_to_its_limit() -> None:
    more = """
[cash.second]
currency = "840"
balance = 5
balance_limit = 100
single_limit = 10
reset_threshold = 1
cvm_limit = 7
"""
    found = parse_profile(text_of("rsa-1152") + more).source
    assert isinstance(found, CardData)
    assert found.cash is not None
    assert found.cash.second is not None
    assert ("840", 5) == (found.cash.second.currency, found.cash.second.balance)
    with pytest.raises(FormatError, match=r"^cash\.second\.balance: "):
        parse_profile(text_of("rsa-1152") + more.replace("balance = 5", "balance = 101"))


# Groups


def test_a_profile_of_groups_keeps_their_order() -> None:
    found = parse_profile('[groups]\n9102 = "AA"\n0101 = ""\n').groups(known_chance())
    assert (DataGroup(0x9102, b"\xaa"), DataGroup(0x0101, b"")) == found


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[groups]\n", "groups"),
        ("groups = 1\n", "groups"),
        ('[groups]\n9102 = "A"\n', "group 9102"),
        ("[groups]\n9102 = 1\n", "group 9102"),
        ('[groups]\nxy = "AA"\n', "group xy"),
        ('[groups]\n91 = "AA"\n', "group 91"),
        ('[groups]\n910203 = "AA"\n', "group 910203"),
        ('[groups]\n91aa = "AA"\n91AA = "BB"\n', "group 91AA"),
        ('[groups]\n9102 = "AA"\n[card]\n', "card"),
    ],
)
def test_groups_that_are_none_are_refused_by_number(text: str, what: str) -> None:
    with pytest.raises(FormatError, match=f"^{what}: "):
        parse_profile(text)


def test_the_published_card_has_its_pan() -> None:
    assert "6228000100001117" == pan_in(shipped_profile(PUBLISHED))
    assert "" == pan_in([DataGroup(0x0101, b"\x70"), DataGroup(0x9102, b"")])
