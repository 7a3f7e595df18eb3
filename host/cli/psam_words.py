# SPDX-License-Identifier: Apache-2.0
"""The commands of a PSAM in words. Data that it is given to encipher or to MAC is hidden."""

from __future__ import annotations

from typing import Any, Final

from apdu.errors import FormatError
from apdu.wire import psam_commands
from apdu.wire.form import CommandForm
from apdu.wire.hrss.keys import TABLES, PsamName
from apdu.wire.hrss.spec import EfSpec
from apdu.wire.psam import (
    INFO,
    KEY_INDEX,
    SEQUENCE,
    TERMINAL,
    CryptMode,
    PsamInfo,
    TerminalNumber,
    with_levels,
)
from apdu.wire.psam_commands import FACTOR, DeriveData, MasterRef, PurchaseData, PurchaseReply
from host.cli.authentication_words import FACTOR as FACTOR_WORD
from host.cli.explanation import Told
from host.cli.layouts import Word, Words, shown_fields
from host.cli.medical_words import MAC2, TERMS
from host.cli.names import Shown, text_words
from host.cli.text import packed

PSAM_FORMS: Final = (
    psam_commands.DERIVE_SESSION_KEY,
    psam_commands.CRYPT,
    psam_commands.INITIALISE_PURCHASE,
    psam_commands.VERIFY_MAC2,
)
_NAMES: Final = {
    with_levels(spec.psam, count): spec.name
    for table in TABLES
    for spec in table
    if spec.psam
    for count in range(1, spec.psam.levels + 1)
}
"""As they are called in national PSAMs, and in those of provinces and cities."""
_LEVELS: Final = ("", "card", "city and card", "province, city and card")
_FACTORS: Final = (
    Word("card factor", "卡片因子"),
    Word("city factor", "城市因子"),
    Word("province factor", "省级因子"),
)
_INFO: Final[Words] = {
    "serial": Word("serial number", "PSAM序列号"),
    "version": Word("version", "密钥版本号"),
    "kind": Word("kind", "密钥类型"),
    "issuer": Word("issuer's bytes", "发行方自定义"),
}
_TERMINAL: Final[Words] = {"number": Word("terminal number", "终端机编号")}


def master_words(ref: MasterRef) -> str:
    """Usage byte and key id, and the name of the cards' key where it is one of the table."""
    name = _NAMES.get(PsamName(ref.usage, ref.id), "")
    return f"{ref.usage:02X} {ref.id:02X} {name}".rstrip()


def psam_told(form: CommandForm[Any, Any, Any], params: Any, data: bytes, reply: bytes) -> Told:
    """What one of `PSAM_FORMS` is about, and what is in it."""
    if form is psam_commands.DERIVE_SESSION_KEY:
        count = min(max(len(data) // FACTOR - 1, 0), len(_LEVELS) - 1)
        way = f" by {_LEVELS[count]}" if count else ""
        return Told(f"a session under master {master_words(params)}{way}", _derived(data))
    if form is psam_commands.CRYPT:
        done = "enciphers" if params.mode is CryptMode.ENCIPHER else "computes a MAC over"
        return Told(f"{done} what is hidden here")
    if form is psam_commands.INITIALISE_PURCHASE:
        meaning = "begins a purchase: its number, and MAC1"
        return Told(meaning, _asked(data), shown_fields(PurchaseReply, reply, TERMS))
    sent = () if MAC2.words is None else (Shown("", MAC2.english, MAC2.chinese, *MAC2.words(data)),)
    return Told("judges MAC2: has the card booked?", sent if data else ())


def file_told(file: EfSpec | None, raw: bytes) -> tuple[Shown, ...]:
    """What stands in one of a PSAM's own files, read from its beginning."""
    if file is None or len(raw) != file.size:
        return ()
    if file == INFO:
        return shown_fields(PsamInfo, raw, _INFO)
    if file == TERMINAL:
        return shown_fields(TerminalNumber, raw, _TERMINAL)
    if file in (SEQUENCE, KEY_INDEX):
        return (Shown("", file.english, file.chinese, str(int.from_bytes(raw))),)
    return ()


def _derived(data: bytes) -> tuple[Shown, ...]:
    try:
        found = DeriveData.parse(data)
    except FormatError:
        return ()
    challenge = Shown("", FACTOR_WORD.english, FACTOR_WORD.chinese, packed(found.challenge))
    return (*_factors(found.factors), challenge)


def _asked(data: bytes) -> tuple[Shown, ...]:
    try:
        factors = PurchaseData.parse(data).factors
    except FormatError:
        return ()
    return (*shown_fields(PurchaseData, data, TERMS), *_factors(factors))


def _factors(raw: bytes) -> tuple[Shown, ...]:
    """As many as there are, the card's own first; those of places are text."""
    parts = [raw[at : at + FACTOR] for at in range(0, len(raw), FACTOR)]
    return tuple(
        Shown("", word.english, word.chinese, text_words(part) if number else packed(part))
        for number, (word, part) in enumerate(zip(_FACTORS, parts, strict=False))
    )
