# SPDX-License-Identifier: Apache-2.0
"""The commands of payment applications in words, and of their personalisation by the bank.

What is sent for a list of the card's (PDOL, CDOL) has neither tags nor lengths, so `PaymentWords`
follows the conversation and remembers the lists. PINs, keys and data groups are hidden.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from apdu.errors import FormatError
from apdu.tlv import Tlv, parse
from apdu.wire import globalplatform, iso7816
from apdu.wire.form import CommandForm
from apdu.wire.globalplatform import Level, Scp02Begun, Scp03Begun
from apdu.wire.pboc import commands, tags
from apdu.wire.pboc.answers import Cryptogram, LoadLog, LoadLogHead, LogEntry, ProcessingOptions
from apdu.wire.pboc.commands import AcRequest, PinChange
from apdu.wire.pboc.flags import Result
from host.cli.explanation import Told
from host.cli.layouts import Word, Words, shown_fields
from host.cli.names import PSE, Shown
from host.cli.payment_elements import (
    element_words,
    payment_objects,
    shown_element,
    shown_list,
    shown_payment,
)
from host.cli.text import packed, spaced

Form = CommandForm[Any, Any, Any]
Parts = tuple[tuple[int, bytes], ...]
"""Elements by tag, in their order."""
SplitUp = Callable[[bytes], Parts]
"""What an answer in format 1 is made of."""

PAYMENT_FORMS: Final[tuple[Form, ...]] = (
    commands.GET_PROCESSING_OPTIONS,
    commands.GET_DATA,
    commands.VERIFY_OFFLINE_PIN,
    commands.INTERNAL_AUTHENTICATE,
    commands.GENERATE_AC,
    commands.EXTERNAL_AUTHENTICATE,
    commands.PIN_CHANGE_UNBLOCK,
    commands.APPLICATION_BLOCK,
    commands.APPLICATION_UNBLOCK,
    commands.CARD_BLOCK,
    commands.PUT_DATA,
    commands.UPDATE_RECORD,
    globalplatform.INITIALIZE_UPDATE,
    globalplatform.OPEN_CHANNEL,
    globalplatform.STORE_DATA,
)
"""Those of the bank's application alone."""
_MAC: Final = 4
"""Bytes of the MAC behind the data of a script command."""
_WANTED: Final = {
    Result.AAC: "AAC, to decline 拒绝",
    Result.TC: "TC, to approve 批准",
    Result.ARQC: "ARQC, to go online 联机",
}
_PIN_SERVICES: Final = {
    PinChange.UNBLOCK: "the offline PIN gets all its tries back",
    PinChange.CHANGE_WITH_CURRENT: "a new offline PIN under the current one, hidden",
    PinChange.CHANGE: "a new offline PIN, hidden",
}
_ENDS: Final = {
    commands.APPLICATION_BLOCK: "by the issuer's script: the application makes no payments now",
    commands.APPLICATION_UNBLOCK: "by the issuer's script: the application may pay again",
    commands.CARD_BLOCK: "by the issuer's script: the card's payment ends, for good",
}
_LISTS: Final = frozenset(
    {
        tags.PDOL,
        tags.CDOL1,
        tags.CDOL2,
        tags.DDOL,
        tags.LOG_FORMAT,
        tags.LOAD_LOG_FORMAT,
        tags.LOG_ENTRY,
        tags.LOAD_LOG_ENTRY,
    }
)
"""What a card says of its lists and logs, and what is read by it later."""
_FORMATS: Final = {tags.LOG_ENTRY: tags.LOG_FORMAT, tags.LOAD_LOG_ENTRY: tags.LOAD_LOG_FORMAT}
_LOGS: Final = {
    tags.LOG_ENTRY: "the transaction log 交易日志",
    tags.LOAD_LOG_ENTRY: "the load log 圈存日志",
}
_LEVELS: Final = {
    Level.MAC: "each command with a MAC",
    Level.MAC_AND_ENCIPHERMENT: "each command enciphered and with a MAC",
}
_BEGUN: Final[Words] = {
    "diversification": Word("the keys are made from", "密钥分散数据"),
    "version": Word("key version", "密钥版本", lambda value: (str(value), "")),
    "counter": Word("sequence counter", "序列计数器"),
    "challenge": Word("card's challenge", "卡挑战数"),
    "cryptogram": Word("card's cryptogram", "卡密文"),
}


class PaymentWords:
    """Follows what is said to the application that is selected."""

    def __init__(self) -> None:
        self.lists: dict[int, bytes] = {}
        """What the card said of its lists and logs, by tag."""
        self.cryptograms = 0
        """How many were asked for since GPO."""

    def selected(self, fci: bytes) -> tuple[Shown, ...]:
        """An application was selected, and this is what it says of itself."""
        self.lists, self.cryptograms = {}, 0
        return self._heard(fci)

    def told(
        self, form: Form, params: Any, data: bytes, reply: bytes, directory: object
    ) -> Told | None:
        """What a command is about, and what is in it; None for one that is no payment's."""
        if form is iso7816.READ_RECORD:
            return self._record(params, reply, directory)
        if form is iso7816.GET_RESPONSE:
            return Told("fetches what waits", (), self._heard(reply))
        if form in _ENDS:
            return Told(_ENDS[form], _mac(data))
        if form in _DONE:
            return _DONE[form](self, params, data, reply)
        return None

    # The transaction

    def _options(self, _: Any, data: bytes, reply: bytes) -> Told:
        self.cryptograms = 0
        meaning = "a transaction begins: which way it goes, and which records belong to it"
        return Told(meaning, self._for_list(tags.PDOL, _inner(data)), self._answer(reply, _options))

    def _data(self, params: Any, _: bytes, reply: bytes) -> Told:
        return Told(element_words(params.tag), (), self._heard(reply))

    def _internal(self, _: Any, data: bytes, reply: bytes) -> Told:
        meaning = "the card signs what the terminal has chosen (DDA)"
        return Told(meaning, self._for_list(tags.DDOL, data), self._answer(reply, _signature))

    def _generate(self, params: AcRequest, data: bytes, reply: bytes) -> Told:
        self.cryptograms += 1
        second = self.cryptograms > 1
        which, dol = ("second", tags.CDOL2) if second else ("first", tags.CDOL1)
        signed = ", with a signature (CDA)" if params.cda else ""
        meaning = f"asks for the {which} cryptogram: {_WANTED[params.result]}{signed}"
        return Told(meaning, self._for_list(dol, data), self._answer(reply, _cryptogram))

    def _external(self, _: Any, data: bytes, reply: bytes) -> Told:
        sent = tuple(shown_element(tags.ISSUER_AUTHENTICATION_DATA, data))
        return Told("the issuer proves itself to the card", sent)

    def _record(self, params: Any, reply: bytes, directory: object) -> Told:
        where = f"the file with SFI {params.sfi}"
        if directory is PSE:
            where = "the directory 支付系统目录"
        for entry, name in _LOGS.items():
            if self.log_sfi(entry) == params.sfi:
                whole = entry == tags.LOAD_LOG_ENTRY and not params.p1
                words = f"all of {name}" if whole else f"record {params.p1} of {name}"
                return Told(words, (), self._logged(entry, reply, whole=whole))
        return Told(f"record {params.p1} of {where}", (), self._heard(reply))

    # The issuer's scripts

    def _put(self, params: Any, data: bytes, reply: bytes) -> Told:
        sent = (*shown_element(params.tag, data[:-_MAC]), *_mac(data[-_MAC:])) if data else ()
        return Told(f"by the issuer's script: {element_words(params.tag)}", sent)

    def _update(self, params: Any, data: bytes, reply: bytes) -> Told:
        sent = (*payment_objects(data[:-_MAC]), *_mac(data[-_MAC:])) if data else ()
        where = f"record {params.p1} of the file with SFI {params.sfi}"
        return Told(f"by the issuer's script: {where}", sent)

    def _pin(self, params: Any, data: bytes, reply: bytes) -> Told:
        return Told(f"by the issuer's script: {_PIN_SERVICES[params.service]}")

    def _verify(self, params: Any, data: bytes, reply: bytes) -> Told:
        return Told("the offline PIN, hidden")

    # Personalisation

    def _initialize(self, params: Any, data: bytes, reply: bytes) -> Told:
        version = f"keys of version {params.version}" if params.version else "the card's keys"
        sent = (Shown("", "host's challenge", "主机挑战数", spaced(data)),)
        got = shown_fields(Scp02Begun, reply, _BEGUN) or shown_fields(Scp03Begun, reply, _BEGUN)
        return Told(f"a secure channel under {version}", sent if data else (), got)

    def _open(self, params: Any, data: bytes, reply: bytes) -> Told:
        sent = Shown("", "host's cryptogram and MAC", "主机密文与MAC", packed(data))
        meaning = f"the bank proves itself: from now on {_LEVELS[params.level]}"
        return Told(meaning, (sent,) if data else ())

    def _store(self, params: Any, data: bytes, reply: bytes) -> Told:
        what = "keys and PIN, enciphered once more" if params.enciphered else "data groups"
        last = "; with it the application is in use" if params.last else ""
        return Told(f"block {params.block} of the bank's data: {what}, hidden{last}")

    # Lists and logs

    def _for_list(self, dol: int, data: bytes) -> tuple[Shown, ...]:
        """What was sent for a list of the card's; raw where the list is not known."""
        found = shown_list(self.lists[dol], data) if dol in self.lists else ()
        if found or not data:
            return found
        return (Shown("", f"data for {element_words(dol)}", "", spaced(data), "raw: not its list"),)

    def _answer(self, reply: bytes, split_up: SplitUp) -> tuple[Shown, ...]:
        """Of GPO, GENERATE AC and INTERNAL AUTHENTICATE, in format 1 or 2."""
        try:
            (template,) = parse(reply)
        except (FormatError, ValueError):
            return ()
        if template.tag != tags.FORMAT_1:
            return self._heard(reply)
        try:
            parts = split_up(template.value)
        except FormatError:
            return self._heard(reply)
        return tuple(shown_payment(Tlv(tag, value) for tag, value in parts if value))

    def _heard(self, raw: bytes) -> tuple[Shown, ...]:
        """Data objects that the card gave; lists among them are remembered."""
        try:
            found = parse(raw, lenient=True)
        except FormatError:
            return ()
        self._learn(tuple(found))
        return tuple(shown_payment(found))

    def _learn(self, objects: tuple[Tlv, ...]) -> None:
        for each in objects:
            if each.tag in _LISTS:
                self.lists[each.tag] = each.value
            self._learn(each.children)

    def log_sfi(self, entry: int) -> int | None:
        """The file of a log, by the tag of its entry; None where the card named none."""
        try:
            return LogEntry.parse(self.lists.get(entry, b"")).sfi
        except FormatError:
            return None

    def _logged(self, entry: int, raw: bytes, *, whole: bool) -> tuple[Shown, ...]:
        """A record of a log, or all of the load log; nothing without the format."""
        form = self.lists.get(_FORMATS[entry])
        if form is None or not raw:
            return ()
        if entry == tags.LOG_ENTRY:
            return shown_list(form, raw)
        if not whole:
            return _load(form, raw)
        try:
            log = LoadLog.parse(raw)
        except FormatError:
            return ()
        size = len(log.records) // log.count if log.count else 0
        records = [log.records[at * size : (at + 1) * size] for at in range(log.count)]
        return (
            *shown_element(tags.ATC, log.atc),
            *(shown for record in records for shown in _load(form, record)),
            *_mac(log.mac),
        )


def _load(form: bytes, raw: bytes) -> tuple[Shown, ...]:
    """A record of the load log: what was loaded, and what the balance was and became."""
    size = LoadLogHead.byte_length()
    try:
        head = LoadLogHead.parse(raw[:size])
    except FormatError:
        return ()
    loaded = Shown("", "loaded", "圈存", f"{head.tag:04X}", element_words(head.tag))
    before = next(shown_element(head.tag, head.before))
    after = next(shown_element(head.tag, head.after))
    return (
        loaded,
        Shown("", "before", "圈存前", before.value, before.meaning),
        Shown("", "after", "圈存后", after.value, after.meaning),
        *shown_list(form, raw[size:]),
    )


def _options(raw: bytes) -> Parts:
    found = ProcessingOptions.parse(raw)
    return (tags.AIP, found.aip.to_bytes(2)), (tags.AFL, found.afl)


def _cryptogram(raw: bytes) -> Parts:
    found = Cryptogram.parse(raw)
    cid = bytes((found.cid,))
    return (tags.CID, cid), (tags.ATC, found.atc), (tags.AC, found.ac), (tags.IAD, found.iad)


def _signature(raw: bytes) -> Parts:
    return ((tags.SIGNED_DYNAMIC_DATA, raw),)


def _inner(data: bytes) -> bytes:
    try:
        found: bytes = commands.GET_PROCESSING_OPTIONS.data.parse(data)
    except FormatError:
        return data
    return found


def _mac(raw: bytes) -> tuple[Shown, ...]:
    return (Shown("", "MAC", "报文鉴别码", packed(raw), "by the issuer"),) if raw else ()


_DONE: Final = {
    commands.GET_PROCESSING_OPTIONS: PaymentWords._options,
    commands.GET_DATA: PaymentWords._data,
    commands.VERIFY_OFFLINE_PIN: PaymentWords._verify,
    commands.INTERNAL_AUTHENTICATE: PaymentWords._internal,
    commands.GENERATE_AC: PaymentWords._generate,
    commands.EXTERNAL_AUTHENTICATE: PaymentWords._external,
    commands.PIN_CHANGE_UNBLOCK: PaymentWords._pin,
    commands.PUT_DATA: PaymentWords._put,
    commands.UPDATE_RECORD: PaymentWords._update,
    globalplatform.INITIALIZE_UPDATE: PaymentWords._initialize,
    globalplatform.OPEN_CHANNEL: PaymentWords._open,
    globalplatform.STORE_DATA: PaymentWords._store,
}
