# SPDX-License-Identifier: Apache-2.0
"""Payment data elements (数据元) in words: what each is called, and what is in it: bits, lists and
parts one by one, below it. What its value says is in `payment_values`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import IntFlag
from typing import Any, Final

from apdu.dol import asked, split
from apdu.errors import FormatError
from apdu.tlv import Tlv, parse
from apdu.wire.cryptogram import (
    IadAlgorithm,
    Idd,
    IssuerApplicationData,
    IssuerAuthentication,
    OneAmount,
    OneAmountIdd,
    TwoAmounts,
)
from apdu.wire.elements import BY_TAG, Element
from apdu.wire.pboc import tags
from apdu.wire.pboc.answers import CvmRule, parse_afl
from apdu.wire.pboc.flags import (
    Ada,
    Aip,
    Auc,
    CardProcessing,
    Ctq,
    Cvr,
    Result,
    TerminalCapabilities,
    Tsi,
    Ttq,
    Tvr,
    first_of,
    scripts_of,
    second_of,
)
from apdu.wire.pboc.meanings import spelled_out
from host.amounts import yuan
from host.cli.names import Shown, text_words
from host.cli.payment_values import (
    RMB_CODE,
    amount_words,
    condition_words,
    count_words,
    method_words,
    short,
    value_words,
)
from host.cli.text import packed, spaced

_ALGORITHMS: Final = {IadAlgorithm.TDES: "3DES", IadAlgorithm.SM4: "SM4"}
_IDD: Final = {
    OneAmount.BALANCE: ("electronic cash", ""),
    OneAmount.SPENT: ("spent offline", ""),
    OneAmount.AVAILABLE: ("available offline", ""),
    OneAmount.UNNAMED: ("an amount", ""),
    TwoAmounts.BALANCE_AND_SPENT: ("electronic cash", "spent offline"),
    TwoAmounts.SPENT_AND_LIMIT: ("spent offline", "limit of it"),
}


def shown_payment(objects: Iterable[Tlv], depth: int = 0) -> Iterator[Shown]:
    """Data objects by their names, templates with what is in them. Takes any there can be."""
    found = tuple(objects)
    currency = next((each.value for each in found if each.tag == tags.CURRENCY), RMB_CODE)
    for each in found:
        if each.constructed:
            name, chinese = _names(each.tag)
            yield Shown(f"{each.tag:02X}", name, chinese, None, depth=depth)
            yield from shown_payment(each.children, depth + 1)
        else:
            yield from shown_element(each.tag, each.value, depth, currency)


def payment_objects(raw: bytes) -> tuple[Shown, ...]:
    """The data objects in these bytes; nothing of bytes that are none."""
    try:
        return tuple(shown_payment(parse(raw, lenient=True)))
    except FormatError:
        return ()


def shown_list(dol: bytes, data: bytes) -> tuple[Shown, ...]:
    """What was sent for a list of the card's, element by element; nothing where the data are not
    what the list asks for."""
    try:
        found = split(dol, data)
    except FormatError:
        return ()
    currency = found.get(tags.CURRENCY, RMB_CODE)
    return tuple(
        shown
        for tag, value in found.items()
        for shown in shown_element(tag, value, currency=currency)
    )


def shown_element(
    tag: int, value: bytes, depth: int = 0, currency: bytes = RMB_CODE
) -> Iterator[Shown]:
    """An element, and below it what is in it. `currency`: 5F2A that the transaction's amounts are
    in. One that is not as declared is shown raw, with the reason."""
    element = BY_TAG.get(tag)
    name, chinese = _names(tag)
    try:
        inside = [] if element is None else list(_inside(element, value, depth + 1))
        shown, meaning = value_words(element, value, currency)
    except (FormatError, ValueError) as error:
        inside, shown = [], short(value)
        meaning = f"raw: {error}"
    yield Shown(f"{tag:02X}", name, chinese, shown, meaning, depth)
    yield from inside


def element_words(tag: int) -> str:
    """Name and tag of an element."""
    name, chinese = _names(tag)
    return f"{name or 'an element'} {chinese} ({tag:02X})".replace("  ", " ")


def _names(tag: int) -> tuple[str, str]:
    element = BY_TAG.get(tag)
    return ("", "") if element is None else (element.name, element.chinese)


# What is in an element


def _inside(element: Element, value: bytes, depth: int) -> Iterator[Shown]:
    """What stands below an element; nothing for most. Raises FormatError as it reads them."""
    flags = _FLAGS.get(element.tag)
    if flags is not None:
        yield from shown_bits(flags, value, depth)
    elif element.tag in _PARTS:
        yield from _PARTS[element.tag](value, depth)


def shown_bits(
    kind: type[IntFlag], value: bytes, depth: int, first_byte: int = 1
) -> Iterator[Shown]:
    """The bits that are set, each with its place. `first_byte`: the number that the specification
    gives the first of these bytes."""
    for bit, said in spelled_out(kind, int.from_bytes(value)):
        at = bit.bit_length() - 1
        byte = len(value) - 1 - at // 8 + first_byte
        yield Shown("", said.english, said.chinese, f"byte {byte} b{at % 8 + 1}", depth=depth)


def _iad(value: bytes, depth: int) -> Iterator[Shown]:
    found = IssuerApplicationData.parse(value)
    yield Shown("", "key index", "密钥索引", str(found.key_index), depth=depth)
    yield Shown("", "cryptogram version", "密文版本号", f"{found.cvn:02X}", depth=depth)
    yield Shown("", "card verification results", "卡片验证结果", spaced(found.cvr), depth=depth)
    yield from _cvr(found.cvr, depth + 1)
    yield Shown(
        "", "algorithm", "算法标识", f"{found.algorithm:02X}", _ALGORITHMS[found.algorithm], depth
    )
    if found.idd is not None:
        yield from _idd(found.idd, depth)


def _cvr(value: bytes, depth: int) -> Iterator[Shown]:
    number = int.from_bytes(value)
    try:
        first, second = first_of(number), second_of(number)
    except ValueError:
        raise FormatError("CVR: a result that is reserved") from None
    yield Shown("", "first cryptogram", "第一个密文", first.name, depth=depth)
    asked_for = second is not Result.ARQC
    second_words = second.name if asked_for else "not asked for"
    yield Shown("", "second cryptogram", "第二个密文", second_words, depth=depth)
    if scripts_of(number):
        count = str(scripts_of(number))
        yield Shown("", "script commands, last time", "上次脚本命令数", count, depth=depth)
    yield from shown_bits(Cvr, value, depth, first_byte=2)


def _idd(idd: Idd, depth: int) -> Iterator[Shown]:
    amounts = (idd.amount,) if isinstance(idd, OneAmountIdd) else (idd.first, idd.second)
    for name, amount in zip(_IDD[idd.kind], amounts, strict=False):
        yield Shown("", name, "", *amount_words(amount), depth)
    yield Shown("", "MAC", "报文鉴别码", packed(idd.mac), "for the issuer", depth)


def _afl(value: bytes, depth: int) -> Iterator[Shown]:
    for entry in parse_afl(value):
        several = entry.last > entry.first
        which = f"records {entry.first} to {entry.last}" if several else f"record {entry.first}"
        count = entry.authenticated
        meaning = f"the first {count} to be authenticated" if count else ""
        yield Shown("", f"SFI {entry.sfi}", "", which, meaning, depth)


def _dol(value: bytes, depth: int) -> Iterator[Shown]:
    for tag, length in asked(value):
        yield Shown(f"{tag:02X}", *_names(tag), count_words(length), depth=depth)


def _cvm_list(value: bytes, depth: int) -> Iterator[Shown]:
    head, rules = value[:8], value[8:]
    for name, amount in (("X", head[:4]), ("Y", head[4:])):
        if any(amount):
            yield Shown("", f"amount {name}", "", str(yuan(int.from_bytes(amount))), depth=depth)
    for at in range(0, len(rules), 2):
        rule = CvmRule.parse(rules[at : at + 2])
        otherwise = "else the next" if rule.method & 0x40 else "else failed"
        words = f"{condition_words(rule.condition)}; {otherwise}"
        yield Shown("", method_words(rule.method), "", f"{bytes(rule).hex().upper()}", words, depth)


def _proof(value: bytes, depth: int) -> Iterator[Shown]:
    if len(value) == IssuerAuthentication.byte_length():
        found = IssuerAuthentication.parse(value)
        yield Shown("", "ARPC", "授权响应密文", spaced(found.arpc), depth=depth)
        yield Shown("", "response code", "授权响应码", text_words(found.arc), depth=depth)


_FLAGS: Final[dict[int, type[IntFlag]]] = {
    tags.AIP: Aip,
    tags.TVR: Tvr,
    tags.TSI: Tsi,
    tags.AUC: Auc,
    tags.ADA: Ada,
    tags.CARD_PROCESSING: CardProcessing,
    tags.CTQ: Ctq,
    tags.TTQ: Ttq,
    tags.TERMINAL_CAPABILITIES: TerminalCapabilities,
}
_PARTS: Final[dict[int, Callable[[bytes, int], Any]]] = {
    tags.IAD: _iad,
    tags.AFL: _afl,
    tags.CVM_LIST: _cvm_list,
    tags.ISSUER_AUTHENTICATION_DATA: _proof,
    **dict.fromkeys(
        (
            tags.PDOL,
            tags.CDOL1,
            tags.CDOL2,
            tags.DDOL,
            tags.TDOL,
            tags.LOG_FORMAT,
            tags.LOAD_LOG_FORMAT,
        ),
        _dol,
    ),
}
