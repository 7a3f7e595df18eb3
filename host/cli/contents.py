# SPDX-License-Identifier: Apache-2.0
"""Which file or record a command is about, and what stands in the bytes of one."""

from __future__ import annotations

from typing import Any

from apdu.errors import FormatError
from apdu.tlv import parse, parse_simple
from apdu.wire.hrss.df04 import MedicalTransaction
from apdu.wire.hrss.spec import EfSpec, items
from apdu.wire.iso7816 import Mode
from apdu.wire.pboc import tags
from apdu.wire.perso import FileKind
from host.cli.layouts import shown_ring
from host.cli.medical_words import ENTRY
from host.cli.names import Shown, file_words, shown_items, shown_objects


def target_words(sfi: int, file: EfSpec | None) -> str:
    """The file, or where nobody knows it, how the command names it."""
    if file is not None:
        return file_words(file)
    return f"the file with SFI {sfi}" if sfi else "the current file"


def record_words(params: Any, file: EfSpec | None) -> str:
    """The record that a command is about."""
    where = target_words(params.sfi, file)
    mode = getattr(params, "mode", None)
    if mode is None:
        return f"one more record to {where}"
    if mode == Mode.TAG:
        known = items(file.content) if file is not None and file.content else ()
        chinese = next((item.chinese for item in known if item.tag == params.p1), "")
        return f"the record with tag {params.p1:02X} {chinese}".strip() + f" of {where}"
    if mode == Mode.ALL_FROM:
        return f"all records from {params.p1} of {where}"
    if mode == Mode.PREVIOUS:
        return f"the oldest record of {where}"
    return f"record {params.p1} of {where}"


def record_contents(file: EfSpec | None, raw: bytes) -> tuple[Shown, ...]:
    """What stands in the records of a file: fields of a ring, HRSS items, else BER-TLV."""
    if file is None or file.content is None:
        return objects(raw)
    if file.kind is FileKind.CYCLIC:
        return shown_ring(file, raw, ENTRY if file.content is MedicalTransaction else {})
    try:
        return tuple(shown_items(file.content, parse_simple(raw)))
    except FormatError:
        return ()


def df_name(fci: bytes, asked: bytes) -> bytes:
    """What was selected by a name or the beginning of one (部分匹配): the FCI says it in full."""
    try:
        (template,) = parse(fci, lenient=True)
    except (FormatError, ValueError):
        return asked
    found = template.find(tags.DF_NAME)
    return found.value if found is not None and found.value.startswith(asked) else asked


def objects(raw: bytes) -> tuple[Shown, ...]:
    """BER-TLV data objects; nothing of bytes that are none."""
    try:
        return tuple(shown_objects(parse(raw, lenient=True)))
    except FormatError:
        return ()
