# SPDX-License-Identifier: Apache-2.0
"""A terminal's configuration: what is shipped, what is refused and how, and what a card may ask."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from terminalfiles import (
    changed,
    config_of,
    config_with,
    keyless_table,
    paths,
    place,
    schema,
    shipped,
    shipped_table,
    without,
    written,
)

from apdu.errors import FormatError
from apdu.wire.elements import BY_TAG, Format
from apdu.wire.pboc import tags
from apdu.wire.pboc.amounts import LARGEST_AMOUNT, amount_of
from apdu.wire.pboc.flags import TerminalCapabilities
from host.network.authorisation import EntryMode, Purpose
from host.terminal.kernel.config import ApplicationParameters
from host.terminal.kernel.config_file import load_config, parse_config
from host.terminal.kernel.terminal_data import AMOUNT_BINARY, application_data, terminal_data
from host.terminal.kernel.transaction import Order

DEBIT = bytes.fromhex("A000000333010101")
TABLE = keyless_table()
VALIDATOR = jsonschema.Draft202012Validator(schema())


def order(amount: int = 1234, purpose: Purpose = Purpose.PURCHASE, **more: Any) -> Order:
    when = datetime(2026, 1, 5, 9, 30, 1)
    return Order(amount, purpose, when, "1" * 12, 42, b"\x1e\x78\xee\xbc", **more)


def parameters(name: bytes = DEBIT) -> ApplicationParameters:
    found = shipped().parameters(name)
    assert found is not None
    return found


# What is shipped


def test_the_shipped_terminal_has_the_values_of_unionpay() -> None:
    found = parameters()
    assert "D84000A800" == found.tac_default.hex().upper()
    assert "D84004F800" == found.tac_online.hex().upper()
    assert "0010000000" == found.tac_denial.hex().upper()
    assert (0, 99, 99, 0) == (
        found.risk.floor_limit,
        found.risk.random_target,
        found.risk.random_maximum,
        found.risk.random_threshold,
    )
    assert bytes.fromhex("0030") == found.version
    assert bytes.fromhex("9F3704") == found.default_ddol
    assert ("156", "156", 2) == (
        shipped().country,
        shipped().currency,
        shipped().currency_exponent,
    )


def test_the_shipped_file_fits_its_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    assert [] == list(VALIDATOR.iter_errors(shipped_table()))


def test_a_file_is_read_from_where_it_is(tmp_path: Path) -> None:
    file = tmp_path / "desk.toml"
    file.write_text(written(changed(TABLE, ("terminal", "id"), "DESK0001")), encoding="utf-8")
    assert "DESK0001" == load_config(file).id
    with pytest.raises(OSError, match="absent"):
        load_config(tmp_path / "absent.toml")


@pytest.mark.parametrize("content", [b"\xff\xfe", b"terminal = {"])
def test_what_is_no_toml_is_said_to_be_none(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "broken.toml"
    file.write_bytes(content)
    with pytest.raises(FormatError, match=r"^configuration: "):
        load_config(file)


# What is refused, and how


@pytest.mark.parametrize("path", paths(TABLE), ids=place)
def test_what_is_left_out_is_named_unless_it_need_not_be_there(path: tuple[Any, ...]) -> None:
    table = without(TABLE, path)
    if VALIDATOR.is_valid(table):
        config_of(table)
        return
    with pytest.raises(FormatError) as refused:
        config_of(table)
    wanted = f"{place(path)}: is missing"
    assert str(refused.value) in (wanted, "applications: there must be one at least")


@pytest.mark.parametrize(
    "path",
    [(), *(path for path in paths(TABLE) if path[-1] in ("terminal", "merchant", 0))],
    ids=place,
)
def test_what_is_not_known_is_named(path: tuple[Any, ...]) -> None:
    if path == ("exceptions", 0):
        return
    table = changed(TABLE, (*path, "colour"), "red")
    assert not VALIDATOR.is_valid(table)
    with pytest.raises(FormatError) as refused:
        config_of(table)
    assert f"{place((*path, 'colour'))}: there is no such setting" == str(refused.value)


ODD = st.one_of(
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.sampled_from(["", "0", "00", "ff", "FF", "GG", "FFF", "1234567", "99", "37", "红", "\n"]),
    st.text("0123456789ABCDEF", max_size=42),
    st.lists(st.sampled_from(["1", 1, "6228000100001117"]), max_size=2),
    st.dictionaries(st.sampled_from(["rid", "colour"]), st.just("00"), max_size=2),
    st.just(0.5),
)
BEYOND_THE_SCHEMA = (
    "check value does not match",
    "cannot be",
    "modulus",
    "exponent",
    "must ask for 9F37",
    "DOL",
    "must not be below",
    "must be text of 1 to 20 bytes",
)
"""What the schema cannot say, in the words of the loader."""


@given(path=st.sampled_from(paths(TABLE)), value=ODD)
def test_schema_and_loader_refuse_the_same(path: tuple[Any, ...], value: Any) -> None:
    table = changed(TABLE, path, value)
    try:
        config_of(table)
    except FormatError as refusal:
        said = str(refusal)
        if VALIDATOR.is_valid(table):
            assert any(words in said for words in BEYOND_THE_SCHEMA), said
        else:
            named, wrong = said.partition(":")[0], place(path)
            assert named.startswith(wrong) or wrong.startswith(named)
    else:
        assert VALIDATOR.is_valid(table)


@pytest.mark.parametrize(
    ("path", "value", "rule"),
    [
        (("terminal", "id"), "SHORT", "terminal.id: must be 8 printable characters of ASCII"),
        (("terminal", "type"), "27", "terminal.type: must be 11 to 36"),
        (
            ("terminal", "capabilities"),
            "E0F9C8",
            "terminal.capabilities: enciphered offline PINs are not done",
        ),
        (("terminal", "country"), "CN", "terminal.country: must be 3 digits"),
        (("terminal", "sm"), 1, "terminal.sm: must be true or false"),
        (("merchant", "name"), "店" * 11, "merchant.name: must be text of 1 to 20 bytes in GBK"),
        (("merchant", "name"), "🙂", "merchant.name: must be text of 1 to 20 bytes in GBK"),
        (("merchant", "acquirer"), "12345", "merchant.acquirer: must be 6 to 11 digits"),
        (
            ("applications", 0, "tac_denial"),
            "00100000",
            "applications[0].tac_denial: must be 5 bytes in hexadecimal digits",
        ),
        (
            ("applications", 0, "floor_limit"),
            -1,
            "applications[0].floor_limit: must be a whole number from 0 to 4294967295",
        ),
        (
            ("applications", 0, "random_target"),
            100,
            "applications[0].random_target: must be a whole number from 0 to 99",
        ),
        (
            ("applications", 0, "random_maximum"),
            98,
            "applications[0].random_maximum: must not be below random_target",
        ),
        (
            ("applications", 0, "default_ddol"),
            "9F0206",
            "applications[0].default_ddol: must ask for 9F37",
        ),
        (("applications", 0, "default_ddol"), "9F3781", "applications[0].default_ddol: DOL"),
        (("ca_keys", 0, "check_value"), "00" * 20, "CA key A000000333 02: its check value"),
        (("ca_keys", 0, "expires"), "2021-02-30", "ca_keys[0].expires: must be a date"),
        (("exceptions", 0), "6228", "exceptions[0]: must be 8 to 19 digits"),
        (("exceptions",), "6228", "exceptions: must be a list"),
        (("terminal",), "x", "terminal: must be a table, [terminal]"),
        (("ca_keys",), "x", "ca_keys: must be tables, [[ca_keys]]"),
    ],
)
def test_an_error_names_the_setting_and_the_rule(
    path: tuple[Any, ...], value: Any, rule: str
) -> None:
    with pytest.raises(FormatError) as refused:
        config_of(changed(TABLE, path, value))
    assert str(refused.value).startswith(rule)


def test_no_aid_stands_there_twice() -> None:
    twice = [TABLE["applications"][0]] * 2
    with pytest.raises(FormatError, match=r"^applications: an AID is there twice"):
        config_of(changed(TABLE, ("applications",), twice))


def test_a_wrong_signature_of_an_sm2_key_names_the_key() -> None:
    table = changed(shipped_table(), ("sm2_ca_keys", 0, "signature"), "11" * 64)
    with pytest.raises(FormatError, match=r"^CA key A000000333 18: its signature does not verify"):
        config_of(table)


# What it says of the terminal


@pytest.mark.parametrize(
    ("type", "online", "attended"),
    [
        ("11", True, True),
        ("13", False, True),
        ("22", True, True),
        ("25", True, False),
        ("26", False, False),
        ("36", False, False),
        ("34", True, False),
    ],
)
def test_the_type_tells_what_a_terminal_can_do(type: str, online: bool, attended: bool) -> None:
    found = config_of(changed(TABLE, ("terminal", "type"), type))
    assert (online, attended) == (found.online_capable, found.attended)


def test_an_atm_is_a_banks_machine_with_cash() -> None:
    table = changed(TABLE, ("terminal", "type"), "14")
    assert config_of(table).dispenses_cash
    no_cash = changed(table, ("terminal", "additional_capabilities"), "6C80F0A001")
    assert not config_of(no_cash).dispenses_cash
    assert not config_of(changed(table, ("terminal", "type"), "11")).dispenses_cash
    assert not config_of(changed(table, ("terminal", "type"), "24")).dispenses_cash
    assert config_of(table).can(TerminalCapabilities.SDA)
    assert not config_of(table).can(TerminalCapabilities.ENCIPHERED_PIN)


def test_the_longest_aid_that_covers_a_name_counts() -> None:
    first = TABLE["applications"][0]
    exact = first | {"aid": "A000000333010101", "partial": False, "version": "0031"}
    found = config_of(changed(TABLE, ("applications",), [first, exact]))
    for name, version in (("01", "0031"), ("0101", "0030"), ("02", "0030")):
        known = found.parameters(bytes.fromhex("A0000003330101" + name))
        assert known is not None and bytes.fromhex(version) == known.version
    assert None is found.parameters(bytes.fromhex("A0000003330102"))
    assert None is found.parameters(bytes.fromhex("A00000033301"))


# What a card may ask for

orders = st.builds(
    order,
    st.integers(0, LARGEST_AMOUNT),
    st.sampled_from(Purpose),
    other_amount=st.integers(0, LARGEST_AMOUNT),
    currency=st.integers(0, 999).map("{:03}".format),
    force_online=st.booleans(),
)


@given(orders, st.sampled_from(EntryMode))
def test_every_element_fits_its_declaration(given: Order, entry: EntryMode) -> None:
    data = terminal_data(shipped(), given, entry) | application_data(parameters(), given)
    for tag, value in data.items():
        element = BY_TAG[tag]
        assert element.least <= len(value) <= element.most, element.name
        if element.format is Format.NUMERIC:
            assert value.hex().isdecimal(), element.name


@given(orders)
def test_amounts_go_as_they_were_ordered(given: Order) -> None:
    data = terminal_data(shipped(), given)
    assert given.amount == amount_of(data[tags.AMOUNT])
    assert given.other_amount == amount_of(data[tags.OTHER_AMOUNT])
    assert (given.amount < 1 << 32) == (AMOUNT_BINARY in data)
    if AMOUNT_BINARY in data:
        assert given.amount == int.from_bytes(data[AMOUNT_BINARY])


def test_the_elements_are_these_bytes() -> None:
    found = terminal_data(shipped(), order(other_amount=5), EntryMode.CONTACTLESS)
    assert {
        tags.AMOUNT: "000000001234",
        tags.OTHER_AMOUNT: "000000000005",
        AMOUNT_BINARY: "000004D2",
        tags.CURRENCY: "0156",
        0x5F36: "02",
        tags.DATE: "260105",
        tags.TIME: "093001",
        tags.TRANSACTION_TYPE: "00",
        tags.SEQUENCE_COUNTER: "00000042",
        tags.UNPREDICTABLE_NUMBER: "1E78EEBC",
        tags.TERMINAL_COUNTRY: "0156",
        tags.TERMINAL_TYPE: "22",
        tags.TERMINAL_CAPABILITIES: "E0E9C8",
        tags.ADDITIONAL_CAPABILITIES: "EC80F0A001",
        tags.TERMINAL_ID: b"SSCARD01".hex().upper(),
        tags.DEVICE_SERIAL: b"SSC00001".hex().upper(),
        tags.MERCHANT_ID: b"104110000000001".hex().upper(),
        tags.MERCHANT_NAME: "社保卡测试商户".encode("gbk").hex().upper(),
        tags.MERCHANT_CATEGORY: "5411",
        tags.POS_ENTRY_MODE: "07",
        tags.SM_INDICATOR: "01",
        0x9F01: "000000000156",
    } == {tag: value.hex().upper() for tag, value in found.items()}


@pytest.mark.parametrize("number", [b"", b"123", b"12345"])
def test_an_unpredictable_number_has_four_bytes(number: bytes) -> None:
    given = Order(1, Purpose.PURCHASE, datetime(2026, 1, 5), "1" * 12, 1, number)
    with pytest.raises(FormatError, match="unpredictable number"):
        terminal_data(shipped(), given)


@pytest.mark.parametrize("amount", [-1, LARGEST_AMOUNT + 1])
def test_an_amount_that_is_none_is_refused(amount: int) -> None:
    with pytest.raises(FormatError, match="amount"):
        terminal_data(shipped(), order(amount))


@pytest.mark.parametrize(
    ("given", "offered"),
    [
        (order(100000), True),
        (order(100001), False),
        (order(1, Purpose.WITHDRAWAL), False),
        (order(1, Purpose.LOAD), False),
        (order(1, force_online=True), False),
    ],
)
def test_electronic_cash_is_offered_for_small_purchases(given: Order, offered: bool) -> None:
    found = application_data(parameters(), given)
    assert bytes((offered,)) == found[tags.EC_INDICATOR]
    assert 100000 == amount_of(found[tags.EC_TERMINAL_LIMIT])


def test_a_terminal_without_a_limit_offers_no_electronic_cash() -> None:
    known = config_with(application__cash_limit=None).parameters(DEBIT)
    assert known is not None
    found = application_data(known, order(1))
    assert b"\x00" == found[tags.EC_INDICATOR]
    assert tags.EC_TERMINAL_LIMIT not in found


def test_keys_and_lists_are_not_shown() -> None:
    assert "modulus" not in repr(shipped())
    text = written(changed(TABLE, ("terminal", "sm"), False))
    assert "6228000100001117" not in repr(parse_config(text))
