# SPDX-License-Identifier: Apache-2.0
"""What things on a card are called, in Chinese and English, and what their values mean."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from apdu.errors import FormatError
from apdu.tlv import SimpleTlv, Tlv, parse_simple
from apdu.wire.access import ALWAYS, NEVER, Access, AllOf, Always, AnyOf, Key, Never, Pin
from apdu.wire.codelists import EthnicGroup, Sex
from apdu.wire.codes import CHARSET
from apdu.wire.elements import BY_TAG
from apdu.wire.fields import Coding
from apdu.wire.hrss.application import MF_FID
from apdu.wire.hrss.generations import DIRECTORIES, SSSE
from apdu.wire.hrss.spec import DfSpec, EfSpec, Item, items
from apdu.wire.pboc.application import (
    CHANNEL_KEYS,
    DEBIT_AID,
    DEBIT_FID,
    DIRECTORY_SFI,
    PPSE_FID,
    PPSE_NAME,
    PSE_FID,
    PSE_NAME,
)
from apdu.wire.perso import FileKind
from apdu.wire.pki import (
    CERTIFICATES_FID,
    CERTIFICATES_NAME,
    MASTER,
    PAIRS,
    PKI_FID,
    PKI_NAME,
    PkiPin,
)
from apdu.wire.psam import PSAM
from apdu.wire.record import Record
from host.amounts import yuan
from host.cli.text import packed, spaced, visible

MF: Final = DfSpec(MF_FID, b"", "MF", "主文件")
BANK: Final = DfSpec(
    DEBIT_FID,
    DEBIT_AID,
    "debit",
    "借记应用",
    keys=CHANNEL_KEYS,
)
"""Its files each card tells by itself; its keys are those through which the bank comes in."""
_LIST: Final = EfSpec(
    0xEF00 | DIRECTORY_SFI, "支付系统目录", "directory", FileKind.LINEAR_VARIABLE, ALWAYS, NEVER
)
PSE: Final = DfSpec(PSE_FID, PSE_NAME, "PSE", "支付系统环境", files=(_LIST,))
PPSE: Final = DfSpec(PPSE_FID, PPSE_NAME, "PPSE", "近距离支付系统环境")
PAYMENT: Final = (BANK, PSE, PPSE)
"""Where the commands are those of payment."""
PKI: Final = DfSpec(PKI_FID, PKI_NAME, "PKI", "电子认证应用", keys=(MASTER,))
CERTIFICATES: Final = DfSpec(
    CERTIFICATES_FID,
    CERTIFICATES_NAME,
    "SS.CERT.ADF1",
    "证书与密钥",
    files=tuple(file for pair in PAIRS for file in pair.files),
    keys=(MASTER,),
)
APPLICATIONS: Final = (SSSE, BANK, PSE, PPSE, PKI)
"""The applications that a social security card may have."""
DIRECTORY_ENGLISH: Final = {
    "MF": "master file",
    "SSSE": "social security environment",
    "DF01": "public data",
    "DF02": "employment",
    "DF03": "social insurance",
    "DF04": "social insurance, medical",
    "DF05": "extension",
    "DF06": "extension",
    "DF07": "personnel",
    "debit": "the bank's application",
    "PSE": "list of payment applications, contact",
    "PPSE": "list of payment applications, contactless",
    "PKI": "certificates",
    "SS.CERT.ADF1": "key pairs and certificates",
    "PSAM": "masters of a terminal",
    "PSAM MF": "master file of a PSAM",
}
KNOWN: Final = (MF, *DIRECTORIES, *APPLICATIONS[1:], CERTIFICATES, PSAM)
_STRANGE: Final = DfSpec(0, b"", "unknown directory", "")

_ITEM_ENGLISH: Final = {
    "version": "specification",
    "issuer": "initialising body",
    "issued": "issue date",
    "expires": "expiry date",
    "number": "identity number",
    "born": "birth date",
}
_TAGS: Final = {
    # As the social security application has them; of others they are called as payment does.
    0x6F: ("FCI template", "文件控制信息"),
    0x84: ("DF name", "专用文件名"),
    0xA5: ("proprietary data", "专用数据"),
    0x88: ("SFI of the directory", "目录文件SFI"),
    0x50: ("label", "应用标签"),
    0x5A: ("account number", "应用主账号"),
    0x5F24: ("expiry date", "应用失效日期"),
    0x9F0C: ("algorithm, version", "算法标识与版本"),
    0x73: ("discretionary data", "自定数据"),
    0x92: ("version", "版本"),
}
_TEXT_TAGS: Final = frozenset({0x84, 0x50, 0x5F2D, 0x9F12})


@dataclass(frozen=True, slots=True)
class Shown:
    """One thing that was in the bytes."""

    tag: str
    english: str
    chinese: str
    value: str | None
    """None for what only has other things in it."""
    meaning: str = ""
    """What a code stands for, or why the value is shown raw."""
    depth: int = 0

    def as_json(self) -> dict[str, str | None]:
        return {
            "tag": self.tag,
            "name": self.english,
            "chinese": self.chinese,
            "value": self.value,
            "meaning": self.meaning,
        }


def directory_named(name: bytes, among: tuple[DfSpec, ...] = KNOWN) -> DfSpec:
    """The directory with this name; without a known one, a directory that we know nothing of."""
    return next((known for known in among if name and known.name == name), _STRANGE)


def directory_with(fid: int, among: tuple[DfSpec, ...] = KNOWN) -> DfSpec:
    return next((known for known in among if fid and known.fid == fid), _STRANGE)


def file_words(file: EfSpec) -> str:
    return f"EF{file.fid & 0xFF:02X} {file.chinese} ({file.english})"


def directory_words(directory: DfSpec) -> str:
    english = DIRECTORY_ENGLISH.get(directory.label, "")
    parts = (directory.label, directory.chinese, f"({english})" if english else "")
    return " ".join(part for part in parts if part)


def text_words(raw: bytes) -> str:
    """Text in quotes where it is text, else the bytes."""
    try:
        text = raw.decode(CHARSET)
    except UnicodeDecodeError:
        return packed(raw)
    return f'"{text}"' if text and text.isprintable() else packed(raw)


def condition_words(condition: Access, directory: DfSpec) -> str:
    """An access condition, keys by their names in this directory."""
    match condition:
        case Always():
            return "free"
        case Never():
            return "never"
        case Pin(reference):
            return "user PIN" if reference == PkiPin.USER else "PIN"
        case Key(kid):
            held = directory.keys if kid & 0x80 else SSSE.keys
            return next((key.name for key in held if key.kid == kid), f"key {kid:02X}")
        case AllOf(parts):
            return " and ".join(condition_words(part, directory) for part in parts)
        case AnyOf(parts):
            return " or ".join(condition_words(part, directory) for part in parts)


def item_english(name: str) -> str:
    """What a field is called, from its name in the layout."""
    return _ITEM_ENGLISH.get(name, name.replace("_", " "))


def shown_items(content: type[Record], found: list[SimpleTlv], depth: int = 0) -> Iterator[Shown]:
    """The items of an HRSS file; one that is not as declared is shown raw, with the reason."""
    declared = {item.tag: item for item in items(content)}
    for each in found:
        item = declared.get(each.tag)
        if item is None:
            yield Shown(f"{each.tag:02X}", "not of this file", "", spaced(each.value), depth=depth)
            continue
        english = item_english(item.name)
        if item.layout is not None:
            yield from _shown_group(item, english, each, depth)
            continue
        try:
            value, meaning = value_words(
                item.name, content.parse_field(item.name, bytes(each)), item.coding
            )
        except FormatError as error:
            value, meaning = spaced(each.value), f"raw: {str(error).partition(': ')[2]}"
        yield Shown(f"{each.tag:02X}", english, item.chinese, value, meaning, depth)


def _shown_group(item: Item, english: str, found: SimpleTlv, depth: int) -> Iterator[Shown]:
    """A record whose value is items again (B-TLV)."""
    tag = f"{found.tag:02X}"
    try:
        parts = parse_simple(found.value)
    except FormatError:
        yield Shown(tag, english, item.chinese, spaced(found.value), "raw: no items", depth)
        return
    yield Shown(tag, english, item.chinese, None, depth=depth)
    if item.layout is not None:
        yield from shown_items(item.layout, parts, depth + 1)


def shown_objects(objects: list[Tlv] | tuple[Tlv, ...], depth: int = 0) -> Iterator[Shown]:
    """BER-TLV data objects and what is in them."""
    for each in objects:
        element = BY_TAG.get(each.tag)
        names = (element.name, element.chinese) if element else ("", "")
        english, chinese = _TAGS.get(each.tag, names)
        value = text_words(each.value) if each.tag in _TEXT_TAGS else spaced(each.value)
        shown = None if each.constructed else value
        yield Shown(f"{each.tag:02X}", english, chinese, shown, depth=depth)
        yield from shown_objects(each.children, depth + 1)


_IN_LISTS: Final = frozenset({"sex", "ethnic_group"})


def value_words(name: str, value: object, coding: Coding | None = None) -> tuple[str, str]:
    """The value of an HRSS item, empty when it has none, and what it stands for."""
    match value:
        case None:
            return "", ""
        case datetime():
            return value.isoformat(" "), ""
        case date():
            return value.isoformat(), ""
        case Sex() | EthnicGroup():
            return value.code, f"{value.chinese} {value.english}"
        case int() if coding is Coding.DEC:
            return str(yuan(value)), "yuan 元"
        case bytes() if name == "identification":
            # Region, RID, number of the card, MAC.
            cuts = ((0, 3), (3, 8), (8, 12), (12, 16))
            return " ".join(packed(value[a:b]) for a, b in cuts), ""
        case bytes():
            return packed(value), ""
        case str() if name in _IN_LISTS and value:
            return visible(value), "not a code of its list"
        case _:
            return visible(str(value)), ""
