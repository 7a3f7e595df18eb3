# SPDX-License-Identifier: Apache-2.0
"""Data preparation (数据准备): from card data to the groups that a card is personalised with.

Records are laid out as a published personalisation of such a card has them (profile choice
`record-layout`): file 1 the track, 2 certificates, 3 the holder's data, of which record 1 is
static data to be authenticated, 4 what a debit transaction needs. File 5 has the certificates
under SM2. Electronic cash ends its list with holder verification of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from apdu.crypto.derive import udk
from apdu.crypto.pinblock import build_iso_2
from apdu.crypto.suites import SUITES
from apdu.errors import FormatError
from apdu.tlv import Tlv, build, tlv
from apdu.wire.cryptogram import Cvn, IadAlgorithm, IssuerApplicationData
from apdu.wire.pboc import groups, tags
from apdu.wire.pboc.answers import AflEntry
from apdu.wire.pboc.flags import Aip
from apdu.wire.pboc.groups import DataGroup, Way
from apdu.wire.perso import Algorithm
from host.issuer import certification, elements
from host.issuer.card_data import CardData
from host.issuer.certification import Random
from host.issuer.selection_data import contact_fci, contactless_fci
from host.issuer.test_keys import TEST_IMKS, rsa_chain, sm2_chain

RECORD: Final = 254
"""Bytes of a record, its template included (EMV Book 3 5.3, Book 2 D1)."""
_TRACK, _CERTIFICATES, _HOLDER, _DEBIT, _SM_CERTIFICATES = 1, 2, 3, 4, 5
_IAD_ALGORITHMS: Final = {Algorithm.TDES: IadAlgorithm.TDES, Algorithm.SM4: IadAlgorithm.SM4}


def prepare(data: CardData, random: Random) -> tuple[DataGroup, ...]:
    """All groups of one card, in an order in which a card takes them.

    `random` blinds signatures and, under SM2, makes them: the same bytes, the same card. Raises
    FormatError when an element does not fit its length, or a record is too long.
    """
    algorithms = [Algorithm.TDES, Algorithm.SM4] if data.sm else [Algorithm.TDES]
    records = _Records()
    static = _holder_records(data, records)
    certificates = {
        Algorithm.TDES: _certificates(data, Algorithm.TDES, static, records, random),
    }
    if data.sm:
        certificates[Algorithm.SM4] = _certificates(data, Algorithm.SM4, static, records, random)
    found = [
        DataGroup(groups.CONTACT_FCI, contact_fci(data)),
        DataGroup(groups.CONTACTLESS_FCI, contactless_fci(data)),
    ]
    for algorithm in algorithms:
        found += _ways(data, algorithm, certificates[algorithm])
    found += records.groups()
    found += [
        DataGroup(number, build(content))
        for number, content in zip(groups.PARAMETERS, elements.parameters(data), strict=True)
    ]
    for algorithm in algorithms:
        found += _keys(data, algorithm)
    return (*found, *_card_key(data), *_pin(data))


class _Records:
    """The records of a card as they are made, file by file."""

    def __init__(self) -> None:
        self._content: dict[tuple[int, int], bytes] = {}
        self._last: dict[int, int] = {}

    def add(self, sfi: int, content: Iterable[Tlv]) -> int:
        """Put elements into the next record of a file; its number."""
        record = build([tlv(tags.RECORD_TEMPLATE, list(content))])
        if len(record) > RECORD:
            raise FormatError(f"record of file {sfi}: {len(record)} bytes, {RECORD} at most")
        number = self._last[sfi] = self._last.get(sfi, 0) + 1
        self._content[sfi, number] = record
        return number

    def pack(self, sfi: int, content: list[Tlv]) -> int:
        """Put elements into as few records as hold them, in their order; the last one's number."""
        held: list[Tlv] = []
        for item in content:
            size = len(build([tlv(tags.RECORD_TEMPLATE, [*held, item])]))
            if held and size > RECORD:
                self.add(sfi, held)
                held = []
            held.append(item)
        return self.add(sfi, held)

    def groups(self) -> list[DataGroup]:
        return [
            DataGroup(sfi << 8 | number, content)
            for (sfi, number), content in sorted(self._content.items())
        ]


def _holder_records(data: CardData, records: _Records) -> bytes:
    """All records but those with certificates; what of them is static data to authenticate."""
    static = elements.static(data)
    records.add(_TRACK, elements.track(data))
    records.add(_HOLDER, static)
    records.add(_HOLDER, elements.holder(data))
    if data.cash is not None:
        code = data.cash.authorisation_code.encode()
        records.add(_HOLDER, [elements.element(tags.EC_AUTHORISATION_CODE, code)])
        records.add(_HOLDER, elements.methods(data.cash.methods))
    records.add(_DEBIT, elements.terminal_limits(data))
    records.add(_DEBIT, elements.object_lists())
    records.add(_DEBIT, elements.methods(data.application.methods))
    return build(static) + data.application.interchange


def _certificates(
    data: CardData, algorithm: Algorithm, static: bytes, records: _Records, random: Random
) -> AflEntry:
    """Make the records with certificates; where they are, without the one for SDA, which is
    behind them in the same file."""
    sm = algorithm is Algorithm.SM4
    sfi = _SM_CERTIFICATES if sm else _CERTIFICATES
    if sm:
        parts = certification.sm2_elements(data.face, static, random)
    else:
        parts = certification.rsa_elements(data.rsa_bits, data.face, static, random)
    for part in parts:
        last = records.pack(sfi, part)
    if _has_sda(data):
        if sm:
            signed = certification.sm2_static_signature(static, random)
        else:
            signed = certification.rsa_static_signature(data.rsa_bits, static, random)
        records.add(sfi, [signed])
    return AflEntry(sfi << 3, 1, last, 0)


def _has_sda(data: CardData) -> bool:
    return bool(int.from_bytes(data.application.interchange) & Aip.SDA)


def _ways(data: CardData, algorithm: Algorithm, dynamic: AflEntry) -> list[DataGroup]:
    """AIP and AFL of each way, and the templates of 9F10."""
    whole = AflEntry(dynamic.file, 1, dynamic.last + _has_sda(data), 0)
    track = AflEntry(_TRACK << 3, 1, 1, 0)
    debit = [track, whole, AflEntry(_HOLDER << 3, 1, 2, 1), AflEntry(_DEBIT << 3, 1, 3, 0)]
    found = [
        DataGroup(groups.CONTACT_IADS[algorithm], build([_iad(data, algorithm, Cvn.CVN_01)])),
        _way(data, algorithm, Way.DEBIT, debit),
    ]
    if data.cash is not None:
        cash = [track, whole, AflEntry(_HOLDER << 3, 1, 4, 1), AflEntry(_DEBIT << 3, 1, 2, 0)]
        found.append(_way(data, algorithm, Way.CASH, cash))
    if data.contactless is not None:
        last = 2 if data.cash is None else 3
        tap = [dynamic, AflEntry(_HOLDER << 3, 1, last, 1)]
        iad = _iad(data, algorithm, data.contactless.cvn)
        found.append(_way(data, algorithm, Way.QPBOC, tap, iad))
    return found


def _way(
    data: CardData, algorithm: Algorithm, way: Way, afl: list[AflEntry], *more: Tlv
) -> DataGroup:
    content = [
        tlv(tags.AIP, data.application.interchange),
        tlv(tags.AFL, b"".join(map(bytes, afl))),
        *more,
    ]
    return DataGroup(groups.WAYS[algorithm, way], build(content))


def _iad(data: CardData, algorithm: Algorithm, cvn: Cvn) -> Tlv:
    """9F10 before a transaction: the card writes the CVR and the amounts into it."""
    told = elements.discretionary(data.cryptograms.told)
    template = IssuerApplicationData(
        data.cryptograms.key_index, cvn, bytes(3), _IAD_ALGORITHMS[algorithm], told
    )
    return tlv(tags.IAD, bytes(template))


def _keys(data: CardData, algorithm: Algorithm) -> list[DataGroup]:
    """The card's three keys from the issuer's, and their check values."""
    suite, masters = SUITES[algorithm], TEST_IMKS[algorithm]
    keys = [
        udk(suite.key(master.reveal()), data.face.pan, data.face.psn)
        for master in (masters.ac, masters.mac, masters.enc)
    ]
    values = [suite.key(key).check_value() for key in keys]
    return [
        DataGroup(groups.KEYS[algorithm], b"".join(keys)),
        DataGroup(groups.CHECK_VALUES[algorithm], b"".join(values)),
    ]


def _card_key(data: CardData) -> list[DataGroup]:
    parts = rsa_chain(data.rsa_bits).icc_parts
    found = [
        DataGroup(groups.RSA_QINV, parts.qinv),
        DataGroup(groups.RSA_DQ, parts.dq),
        DataGroup(groups.RSA_DP, parts.dp),
        DataGroup(groups.RSA_Q, parts.q),
        DataGroup(groups.RSA_P, parts.p),
    ]
    if data.sm:
        found.append(DataGroup(groups.SM2_PRIVATE, sm2_chain().icc.secret.reveal()))
    return found


def _pin(data: CardData) -> list[DataGroup]:
    """The PIN block and its limit: tries left, and tries in all."""
    tries = bytes((data.face.pin_tries,))
    return [
        DataGroup(groups.PIN, build_iso_2(data.face.pin.reveal().decode())),
        DataGroup(groups.PIN_LIMIT, build([tlv(tags.PIN_TRIES, tries)]) + tries),
    ]
