# SPDX-License-Identifier: Apache-2.0
"""What is another in every run though the same was done: chance, and what follows from it.

Random numbers, the counters of transactions, date and time, and all that is computed from them:
cryptograms, MACs, signatures. `SENT`, `GOT` and `TAGS` say by form and by data element where these
stand (profile choice `trace-chance`); `Follower` makes them zeros, so that what is left can be
compared byte by byte.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

from apdu import cla as class_byte
from apdu.command import decode
from apdu.dol import offsets
from apdu.errors import FormatError
from apdu.sw import remaining
from apdu.tlv import Tlv, build, parse
from apdu.trace import Exchange
from apdu.wire import globalplatform, iso7816, pki_commands, psam_commands
from apdu.wire.cryptogram import IssuerApplicationData, IssuerAuthentication
from apdu.wire.form import CommandForm
from apdu.wire.hrss import commands as hrss
from apdu.wire.hrss import medical
from apdu.wire.pboc import answers, commands, tags
from apdu.wire.record import Record
from host.cli.explain import Explainer
from host.cli.explanation import Explanation
from host.cli.payment_words import PaymentWords

Form = CommandForm[Any, Any, Any]
Plain = Callable[[bytes], bytes]
"""Bytes with what is chance in them made zeros; those in another shape as they are."""

TAGS: Final = frozenset(
    {
        tags.UNPREDICTABLE_NUMBER,
        tags.ICC_DYNAMIC_NUMBER,
        tags.DATE,
        tags.TIME,
        tags.SEQUENCE_COUNTER,
        tags.ATC,
        tags.LAST_ONLINE_ATC,
        tags.AC,
        tags.SIGNED_DYNAMIC_DATA,
        tags.CARD_AUTHENTICATION_DATA,
        tags.TC_HASH,
        tags.PIN_DATA,
    }
)
"""Data elements of payment that are chance wherever they stand. Of the issuer application data
(9F10) only the MAC is, of the issuer authentication data (91) only the ARPC."""
_MAC: Final = 4
"""Bytes of the MAC behind the data of a protected command."""


def whole(raw: bytes) -> bytes:
    return bytes(len(raw))


def fields(layout: type[Record], *names: str) -> Plain:
    """These fields of a layout."""

    def plain(raw: bytes) -> bytes:
        try:
            value: Any = layout.parse(raw)
        except FormatError:
            return raw
        return bytes(replace(value, **{name: bytes(len(getattr(value, name))) for name in names}))

    return plain


def last(count: int) -> Plain:
    """The last bytes."""

    def plain(raw: bytes) -> bytes:
        return raw[: max(len(raw) - count, 0)] + bytes(min(len(raw), count))

    return plain


def either(*plains: Plain) -> Plain:
    """What the first one knows of; each leaves alone what is not in its shape."""

    def plain(raw: bytes) -> bytes:
        return next((found for each in plains if (found := each(raw)) != raw), raw)

    return plain


def objects(raw: bytes) -> bytes:
    """The data elements of `TAGS` among BER-TLV objects."""
    try:
        return build(map(_object, parse(raw)))
    except FormatError:
        return raw


def _object(each: Tlv) -> Tlv:
    if each.children:
        children = tuple(map(_object, each.children))
        return Tlv(each.tag, build(children), children)
    return Tlv(each.tag, element(each.tag, each.value))


def element(tag: int, value: bytes) -> bytes:
    """The value of a data element."""
    if tag in TAGS:
        return bytes(len(value))
    if tag == tags.IAD:
        return _issuer_data(value)
    if tag == tags.ISSUER_AUTHENTICATION_DATA:
        return _ARPC(value)
    return value


_ARPC: Final = fields(IssuerAuthentication, "arpc")


def _issuer_data(raw: bytes) -> bytes:
    try:
        found = IssuerApplicationData.parse(raw)
        idd = found.idd
    except FormatError:
        return raw
    if idd is None:
        return raw
    return bytes(replace(found, discretionary=bytes(replace(idd, mac=bytes(len(idd.mac))))))


def listed(dol: bytes | None, data: bytes) -> bytes:
    """What was sent for a list of the card's, without tags or lengths."""
    try:
        places = offsets(dol or b"")
    except FormatError:
        return data
    if sum(each.length for each in places.values()) != len(data):
        return data
    parts = (element(tag, data[at : at + length]) for tag, (at, length) in places.items())
    return b"".join(parts)


def _format_1(split_up: Plain) -> Plain:
    """An answer in template 80, or else data objects."""

    def plain(raw: bytes) -> bytes:
        try:
            (template,) = parse(raw)
        except (FormatError, ValueError):
            return raw
        if template.tag != tags.FORMAT_1:
            return objects(raw)
        return bytes(Tlv(tags.FORMAT_1, split_up(template.value)))

    return plain


def _cryptogram(raw: bytes) -> bytes:
    try:
        found = answers.Cryptogram.parse(raw)
    except FormatError:
        return raw
    return bytes(
        replace(
            found,
            atc=bytes(len(found.atc)),
            ac=bytes(len(found.ac)),
            iad=_issuer_data(found.iad),
        )
    )


SENT: Final[Mapping[Form, Plain]] = {
    hrss.INTERNAL_AUTHENTICATE: fields(hrss.InternalData, "factor", "data"),
    hrss.EXTERNAL_AUTHENTICATE: fields(hrss.ExternalData, "cryptogram", "data"),
    hrss.APPLICATION_BLOCK: last(_MAC),
    hrss.APPLICATION_UNBLOCK: last(_MAC),
    hrss.CARD_BLOCK: last(_MAC),
    medical.DEBIT: fields(medical.DebitOrder, "terminal_sequence", "time", "mac1"),
    medical.CREDIT_LOAD: fields(medical.LoadOrder, "time", "mac2"),
    medical.GET_TRANSACTION_PROVE: whole,
    psam_commands.DERIVE_SESSION_KEY: fields(psam_commands.DeriveData, "challenge"),
    psam_commands.INITIALISE_PURCHASE: fields(
        psam_commands.PurchaseData, "random", "card_sequence", "time"
    ),
    psam_commands.VERIFY_MAC2: whole,
    commands.EXTERNAL_AUTHENTICATE: _ARPC,
    commands.APPLICATION_BLOCK: last(_MAC),
    commands.APPLICATION_UNBLOCK: last(_MAC),
    commands.CARD_BLOCK: last(_MAC),
    commands.PUT_DATA: last(_MAC),
    commands.UPDATE_RECORD: last(_MAC),
    globalplatform.INITIALIZE_UPDATE: whole,
    globalplatform.OPEN_CHANNEL: whole,
    pki_commands.AUTHENTICATE_MASTER_KEY: whole,
    pki_commands.IMPORT_KEY: fields(pki_commands.ImportData, "value"),
}
"""Of the data of commands, but for what is sent for a list of the card's. Of every other protected
command it is the MAC."""
GOT: Final[Mapping[Form, Plain]] = {
    iso7816.GET_CHALLENGE: whole,
    hrss.INTERNAL_AUTHENTICATE: whole,
    medical.INITIALISE_DEBIT: fields(medical.DebitInitialised, "card_sequence", "random"),
    medical.DEBIT: fields(medical.DebitDone, "tac", "mac2"),
    medical.GET_TRANSACTION_PROVE: fields(medical.TransactionProof, "mac2", "tac"),
    medical.INITIALISE_LOAD: fields(medical.LoadInitialised, "card_sequence", "random", "mac1"),
    medical.CREDIT_LOAD: fields(medical.LoadDone, "tac"),
    psam_commands.CRYPT: whole,
    psam_commands.INITIALISE_PURCHASE: fields(
        psam_commands.PurchaseReply, "terminal_sequence", "mac1"
    ),
    commands.GET_PROCESSING_OPTIONS: _format_1(lambda raw: raw),
    commands.INTERNAL_AUTHENTICATE: _format_1(whole),
    commands.GENERATE_AC: _format_1(_cryptogram),
    commands.GET_DATA: objects,
    globalplatform.INITIALIZE_UPDATE: either(
        fields(globalplatform.Scp02Begun, "counter", "challenge", "cryptogram"),
        fields(globalplatform.Scp03Begun, "challenge", "cryptogram", "counter"),
    ),
    pki_commands.COMPUTE_SIGNATURE: whole,
}
"""Of the data of answers, but for records of payment."""


@dataclass(frozen=True, slots=True)
class Followed:
    """An exchange whose chance is zeros, and what it means; as it was when that is shown."""

    plain: Exchange
    told: Explanation
    """Of the exchange as it was."""
    before: Explainer = field(repr=False)
    """Where the conversation stood."""

    @property
    def plainly(self) -> Explanation:
        """Of the exchange with zeros."""
        return self.before.copy().explain(self.plain)


class Follower:
    """Follows a conversation from reset on."""

    def __init__(self, *, psam: bool = False) -> None:
        """`psam`: as for an Explainer."""
        self._explainer = Explainer(psam=psam)
        self._got: Plain | None = None
        """What the answer that waits for GET RESPONSE is made plain with."""
        self._begun = b""
        """What came of it before."""

    def reset(self) -> None:
        """The card was reset."""
        self._explainer.reset()
        self._got, self._begun = None, b""

    def follow(self, exchange: Exchange) -> Followed:
        """An exchange, or with an empty answer a command that was not answered."""
        before = self._explainer.copy()
        told = self._explainer.explain(exchange)
        plain = replace(
            exchange, command=self._command(told), answer=self._answer(told, exchange.answer)
        )
        return Followed(plain, told, before)

    def _command(self, told: Explanation) -> bytes:
        raw = told.exchange.command
        try:
            cla, _, _, data, _ = decode(raw)
        except FormatError:
            return raw
        if not data or told.exchange.hidden:
            return raw
        at = 7 if raw[4] == 0 else 5
        return raw[:at] + self._sent(told.form, cla)(data) + raw[at + len(data) :]

    def _sent(self, form: Form | None, cla: int) -> Plain:
        payment = self._explainer.payment
        if form is commands.GET_PROCESSING_OPTIONS:
            return partial(_options, payment.lists.get(tags.PDOL))
        if form is commands.GENERATE_AC:
            dol = tags.CDOL2 if payment.cryptograms > 1 else tags.CDOL1
            return partial(listed, payment.lists.get(dol))
        if form is commands.INTERNAL_AUTHENTICATE:
            return partial(listed, payment.lists.get(tags.DDOL))
        found = SENT.get(form) if form is not None else None
        if found is not None:
            return found
        return last(_MAC) if form is not None and _protected(cla) else _as_it_is

    def _answer(self, told: Explanation, answer: bytes) -> bytes:
        if len(answer) < 2 or told.exchange.hidden_answer:
            return answer
        data, sw = answer[:-2], answer[-2:]
        form = told.form
        if form is not iso7816.GET_RESPONSE:
            self._got, self._begun = self._made_plain(told), b""
        whole_data = self._begun + data
        plain = self._got(whole_data) if self._got is not None else whole_data
        waits = remaining(int.from_bytes(sw)) is not None
        done = len(self._begun)
        self._begun = whole_data if waits else b""
        return plain[done:] + sw

    def _made_plain(self, told: Explanation) -> Plain | None:
        form, payment = told.form, self._explainer.payment
        if form is iso7816.READ_RECORD and self._explainer.pays:
            sfi = told.exchange.command[3] >> 3
            return partial(_logged, payment, sfi, every=told.exchange.command[2] == 0)
        return GOT.get(form) if form is not None else None


def _as_it_is(raw: bytes) -> bytes:
    return raw


def _protected(cla: int) -> bool:
    try:
        return bool(class_byte.parse(cla).messaging)
    except FormatError:
        return False


def _options(pdol: bytes | None, data: bytes) -> bytes:
    """The data of GET PROCESSING OPTIONS."""
    try:
        inner = commands.GET_PROCESSING_OPTIONS.data.parse(data)
    except FormatError:
        return data
    return commands.GET_PROCESSING_OPTIONS.data.build(listed(pdol, inner))


def _logged(payment: PaymentWords, sfi: int, raw: bytes, *, every: bool) -> bytes:
    """A record of payment: data objects, or of a log, of the load log also all of them, behind the
    ATC and before the MAC."""
    if sfi and sfi == payment.log_sfi(tags.LOG_ENTRY):
        return listed(payment.lists.get(tags.LOG_FORMAT), raw)
    if not sfi or sfi != payment.log_sfi(tags.LOAD_LOG_ENTRY):
        return objects(raw)
    form = payment.lists.get(tags.LOAD_LOG_FORMAT)
    if not every:
        return _load(form, raw)
    try:
        log = answers.LoadLog.parse(raw)
    except FormatError:
        return raw
    size = len(log.records) // log.count if log.count else 0
    records = [log.records[at : at + size] for at in range(0, len(log.records), size or 1)]
    plain = b"".join(_load(form, record) for record in records)
    return bytes(replace(log, atc=bytes(2), records=plain, mac=bytes(len(log.mac))))


def _load(form: bytes | None, raw: bytes) -> bytes:
    head = answers.LoadLogHead.byte_length()
    return raw[:head] + listed(form, raw[head:])
