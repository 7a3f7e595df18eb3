# SPDX-License-Identifier: Apache-2.0
"""A terminal's configuration as a TOML file. `terminal.schema.json` beside this says the same rules
for editors."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from apdu.crypto import gmcert, sm2
from apdu.crypto.ca_keys import CaKey
from apdu.crypto.rsa import EXPONENT, MODULUS
from apdu.dol import asked
from apdu.errors import FormatError
from apdu.wire.pboc import tags
from apdu.wire.pboc.amounts import LARGEST_AMOUNT
from apdu.wire.pboc.flags import TerminalCapabilities
from host.settings import Settings, shipped_text, table_of, text_in
from host.terminal.kernel.capks import (
    AuthorityKey,
    AuthorityKeys,
    Revoked,
    rsa_authority,
    sm2_authority,
)
from host.terminal.kernel.config import (
    ApplicationParameters,
    ContactlessLimits,
    Risk,
    TerminalConfig,
)

SHIPPED: Final = "terminal.toml"
_WHAT: Final = "configuration"
_AMOUNTS: Final = range(LARGEST_AMOUNT + 1)
_FLOOR_LIMITS: Final = range(1 << 32)
"""9F1B is 4 bytes of binary."""
_PERCENT: Final = range(100)


def load_config(path: Path | None = None) -> TerminalConfig:
    """The configuration in a file, or the one that comes with this library.

    Raises FormatError naming the setting and the rule, OSError when there is no such file.
    """
    if path is None:
        return parse_config(shipped_text("host.terminal.kernel", SHIPPED))
    return parse_config(text_in(path, _WHAT))


def parse_config(text: str) -> TerminalConfig:
    """The configuration in this text. Raises FormatError naming the setting and the rule."""
    whole = Settings(table_of(text, _WHAT))
    terminal, merchant = whole.table("terminal"), whole.table("merchant")
    config = TerminalConfig(
        id=terminal.text("id", {8}),
        serial=terminal.text("serial", {8}),
        type=_terminal_type(terminal),
        capabilities=_capabilities(terminal),
        additional_capabilities=terminal.octets("additional_capabilities", {5}),
        country=terminal.digits("country", {3}),
        currency=terminal.digits("currency", {3}),
        currency_exponent=terminal.whole("currency_exponent", range(10)),
        sm=terminal.flag("sm"),
        pse=terminal.flag("pse"),
        merchant_id=merchant.text("id", {15}),
        merchant_name=merchant.encoded("name", "gbk", 20),
        merchant_category=merchant.digits("category", {4}),
        acquirer=merchant.digits("acquirer", range(6, 12)),
        applications=_applications(whole),
        keys=_keys(whole),
        exceptions=frozenset(whole.digit_list("exceptions", range(8, 20))),
    )
    for table in (terminal, merchant, whole):
        table.end()
    return config


def _terminal_type(terminal: Settings) -> str:
    value = terminal.digits("type", {2})
    if value[0] not in "123" or value[1] not in "123456":
        terminal.fail("type", "must be 11 to 36, digits 1 to 3 and 1 to 6 (EMV Book 4 annex A1)")
    return value


def _capabilities(terminal: Settings) -> int:
    value = int.from_bytes(terminal.octets("capabilities", {3}))
    if value & TerminalCapabilities.ENCIPHERED_PIN:
        terminal.fail("capabilities", "enciphered offline PINs are not done, byte 2 b5 must be 0")
    return value


def _applications(whole: Settings) -> tuple[ApplicationParameters, ...]:
    found = tuple(map(_application, whole.tables("applications")))
    if not found:
        whole.fail("applications", "there must be one at least")
    if len({each.aid for each in found}) != len(found):
        whole.fail("applications", "an AID is there twice")
    return found


def _application(table: Settings) -> ApplicationParameters:
    found = ApplicationParameters(
        aid=table.octets("aid", range(5, 17)),
        partial=table.flag("partial"),
        version=table.octets("version", {2}),
        tac_denial=table.octets("tac_denial", {5}),
        tac_online=table.octets("tac_online", {5}),
        tac_default=table.octets("tac_default", {5}),
        risk=_risk(table),
        default_ddol=_default_ddol(table),
        cash_limit=_limit(table, "cash_limit"),
        ttq=int.from_bytes(table.octets("ttq", {4})),
        contactless=ContactlessLimits(
            floor=_limit(table, "contactless_floor_limit"),
            transaction=_limit(table, "contactless_transaction_limit"),
            cvm=_limit(table, "contactless_cvm_limit"),
        ),
    )
    table.end()
    return found


def _risk(table: Settings) -> Risk:
    floor_limit = table.whole("floor_limit", _FLOOR_LIMITS)
    threshold = table.whole("random_threshold", _FLOOR_LIMITS)
    target = table.whole("random_target", _PERCENT)
    maximum = table.whole("random_maximum", _PERCENT)
    if maximum < target:
        table.fail("random_maximum", "must not be below random_target (EMV Book 3 10.6.2)")
    return Risk(floor_limit, threshold, target, maximum)


def _default_ddol(table: Settings) -> bytes:
    value = table.octets("default_ddol", range(3, 253))
    try:
        named = {entry.tag for entry in asked(value)}
    except FormatError as error:
        table.fail("default_ddol", str(error))
    if tags.UNPREDICTABLE_NUMBER not in named:
        table.fail("default_ddol", "must ask for 9F37 (EMV Book 2 6.5.1)")
    return value


def _limit(table: Settings, name: str) -> int | None:
    return table.whole(name, _AMOUNTS) if table.has(name) else None


def _keys(whole: Settings) -> AuthorityKeys:
    keys = [_rsa_key(table) for table in whole.tables("ca_keys")]
    keys += [_sm2_key(table) for table in whole.tables("sm2_ca_keys")]
    revoked = frozenset(map(_revoked, whole.tables("revoked")))
    return AuthorityKeys(tuple(keys), revoked)


def _rsa_key(table: Settings) -> AuthorityKey:
    key = CaKey(
        table.octets("rid", {5}),
        table.octets("index", {1})[0],
        table.octets("modulus", MODULUS),
        table.octets("exponent", EXPONENT),
    )
    check_value = table.octets("check_value", {20})
    expires = table.day("expires") if table.has("expires") else None
    table.end()
    return rsa_authority(key, check_value, expires)


def _sm2_key(table: Settings) -> AuthorityKey:
    rid, index = table.octets("rid", {5}), table.octets("index", {1})[0]
    point = table.octets("point", {64})
    try:
        public = sm2.PublicKey(point)
    except FormatError as error:
        table.fail("point", str(error))
    key = gmcert.CaKey(rid, index, public, table.month("expires"))
    signature = table.octets("signature", {64})
    table.end()
    return sm2_authority(key, signature)


def _revoked(table: Settings) -> Revoked:
    rid, index = table.octets("rid", {5}), table.octets("index", {1})[0]
    found = Revoked(rid, index, table.octets("serial", {3}))
    table.end()
    return found
