# SPDX-License-Identifier: Apache-2.0
"""What is in an item, as text in a field, and back.

    an    the text                             cn   the digits
    b     hex digits                           dec  an amount in fen, as a decimal number
    B-TLV    the parts of all its records with ^ between them: EF15's 40, three degrees of three
             parts, is "3^0101^School A^3^0101^School B^^^"
    cyclic   the fields of a record with ^ between them

Profile choice `ldt33-values`. An item that was erased, FF or 00 in all its bytes, is an empty
field, and an empty field erases; of an amount FF alone says so, for 0 is one. A B-TLV or record
with nothing in any part is an empty field too. Zeros or Fs that would read as nothing are not
taken as a value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from apdu.errors import FormatError
from apdu.wire.codes import CHARSET
from apdu.wire.fields import Coding
from apdu.wire.hrss.medical import LARGEST
from apdu.wire.hrss.spec import EfSpec, Item, items
from apdu.wire.record import Record
from host.faults import CardMisspoke
from host.ldt33.codes import Code, DriverFault
from host.ldt33.syntax import PART, has_separator, hexadecimal

_EMPTY: Final = {Coding.AN: b"\x00", Coding.CN: b"\xff", Coding.B: b"\x00", Coding.DEC: b"\xff"}
"""What an item is filled with of which nothing is there."""
_AMOUNT_DIGITS: Final = len(str(LARGEST))


def content_of(file: EfSpec) -> type[Record]:
    """The layout of a file with items or fields."""
    if file.content is None:
        raise TypeError(f"{file.chinese} has no items")
    return file.content


# What the card has


def item_text(item: Item, found: Sequence[bytes]) -> str:
    """The field of an item, from the values of its records. CardMisspoke when they are none."""
    if item.parts:
        return _together([text for raw in found for text in _parts(item.parts, raw)])
    return _text(item, found[0])


def record_text(content: type[Record], raw: bytes) -> str:
    """The field of a record without tags."""
    return _together(record_values(content, raw))


def record_values(content: type[Record], raw: bytes) -> list[str]:
    """What is in a record without tags, each by itself."""
    return _parts(items(content), raw)


def hex_text(raw: bytes) -> str:
    """Bytes that nobody here gives a meaning."""
    return "" if is_erased(raw) else raw.hex().upper()


def is_erased(raw: bytes) -> bool:
    return not any(raw) or raw == b"\xff" * len(raw)


def _together(values: list[str]) -> str:
    return PART.join(values) if any(values) else ""


def _parts(parts: Sequence[Item], raw: bytes) -> list[str]:
    values, at = [], 0
    for part in parts:
        if part.tag is not None:
            if raw[at : at + 2] != bytes((part.tag, part.size)):
                raise CardMisspoke(f"{part.chinese}: not tag {part.tag:02X} and {part.size} bytes")
            at += 2
        values.append(_text(part, raw[at : at + part.size]))
        at += part.size
    if at != len(raw):
        raise CardMisspoke(f"a record of {len(raw)} bytes, must be {at}")
    return values


def _text(item: Item, raw: bytes) -> str:
    if len(raw) != item.size:
        raise CardMisspoke(f"{item.chinese}: {len(raw)} bytes, must be {item.size}")
    if item.coding is Coding.DEC:
        return "" if raw == b"\xff" * len(raw) else str(int.from_bytes(raw))
    if is_erased(raw):
        return ""
    if item.coding is Coding.B:
        return raw.hex().upper()
    if item.coding is Coding.CN:
        text = raw.hex().rstrip("f")
        if not text.isdecimal():
            raise CardMisspoke(f"{item.chinese}: not packed digits")
        return text
    try:
        text = raw.rstrip(b"\x00").decode(CHARSET)
    except UnicodeDecodeError:
        raise CardMisspoke(f"{item.chinese}: not GB 18030 text") from None
    if "\x00" in text or has_separator(text):
        raise CardMisspoke(f"{item.chinese}: a character that a field cannot hold")
    return text


# What a program gives


def item_bytes(content: type[Record], item: Item, text: str) -> list[bytes]:
    """The values of an item's records. -14, -41 or -42 when the field does not fit it."""
    if not item.parts:
        values = [_bytes(item, text)]
    else:
        given = _taken_apart(item.chinese, text, len(item.parts) * item.repeats)
        size = len(item.parts)
        values = [_joined(item.parts, given[at : at + size]) for at in range(0, len(given), size)]
    whole = b"".join(bytes((item.tag or 0, item.size)) + value for value in values)
    try:
        content.parse_field(item.name, whole)
    except FormatError as error:
        raise _refusal(item.chinese, error) from None
    return values


def record_bytes(content: type[Record], text: str) -> bytes:
    """A record without tags; as `item_bytes`."""
    fields = items(content)
    raw = _joined(fields, _taken_apart("record", text, len(fields)))
    try:
        content.parse(raw)
    except FormatError as error:
        raise _refusal("record", error) from None
    return raw


def file_bytes(size: int, text: str) -> bytes:
    """All bytes of a file without structure, from hex digits; what is not given becomes 00."""
    raw = hexadecimal("file", text)
    if len(raw) > size:
        raise DriverFault(Code.LENGTH, f"file: {len(raw)} bytes, {size} at most")
    return raw.ljust(size, b"\x00")


def _taken_apart(name: str, text: str, count: int) -> list[str]:
    given = text.split(PART) if text else [""] * count
    if len(given) != count:
        raise DriverFault(Code.PARAMETER, f"{name}: {len(given)} parts, must be {count}")
    return given


def _joined(parts: Sequence[Item], given: Sequence[str]) -> bytes:
    found = []
    for part, text in zip(parts, given, strict=True):
        head = b"" if part.tag is None else bytes((part.tag, part.size))
        found.append(head + _bytes(part, text))
    return b"".join(found)


def _bytes(item: Item, text: str) -> bytes:
    name = item.chinese
    coding = item.coding or Coding.B
    if not text:
        return _EMPTY[coding] * item.size
    if has_separator(text):
        raise DriverFault(Code.PARAMETER, f"{name}: has no parts")
    if coding is Coding.DEC:
        return _amount(name, text)
    raw = _CODED[coding](name, text, item.size)
    if is_erased(raw):
        raise DriverFault(Code.PARAMETER, f"{name}: this would read as nothing; leave it empty")
    return raw


def _amount(name: str, text: str) -> bytes:
    if not (text.isascii() and text.isdecimal()):
        raise DriverFault(Code.CHARACTER, f"{name}: must be an amount in fen")
    if len(text) > _AMOUNT_DIGITS or int(text) > LARGEST:
        raise DriverFault(Code.LENGTH, f"{name}: {LARGEST} fen at most")
    return int(text).to_bytes(4)


def _characters(name: str, text: str, size: int) -> bytes:
    if any(c < " " or "\x7f" <= c < "\xa0" for c in text):
        raise DriverFault(Code.CHARACTER, f"{name}: a control character")
    try:
        raw = text.encode(CHARSET)
    except UnicodeEncodeError:
        raise DriverFault(Code.CHARACTER, f"{name}: a character is not in GB 18030") from None
    if len(raw) > size:
        raise DriverFault(Code.LENGTH, f"{name}: {len(raw)} bytes of text, {size} at most")
    return raw.ljust(size, b"\x00")


def _digits(name: str, text: str, size: int) -> bytes:
    if not (text.isascii() and text.isdecimal()):
        raise DriverFault(Code.CHARACTER, f"{name}: must be decimal digits")
    if len(text) > 2 * size:
        raise DriverFault(Code.LENGTH, f"{name}: {len(text)} digits, {2 * size} at most")
    return bytes.fromhex(text.ljust(2 * size, "f"))


def _binary(name: str, text: str, size: int) -> bytes:
    raw = hexadecimal(name, text)
    if len(raw) != size:
        raise DriverFault(Code.LENGTH, f"{name}: {len(raw)} bytes, must be {size}")
    return raw


_CODED: Final = {Coding.AN: _characters, Coding.CN: _digits, Coding.B: _binary}


def _refusal(name: str, error: FormatError) -> DriverFault:
    return DriverFault(Code.PARAMETER, f"{name}: {str(error).rpartition(': ')[2]}")
