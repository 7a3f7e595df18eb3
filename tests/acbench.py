# SPDX-License-Identifier: Apache-2.0
"""A till that asks a card for cryptograms and checks them with the issuer's eyes.

till = Till(payment_chip(groups=ways(Aip.SDA | Aip.CDA)))
till.begin()
till.first(Result.ARQC)
till.authenticate()
till.second(Result.TC)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from paymentbench import TERMINAL, Reader, context, published
from testbench import sw

from apdu import dol
from apdu.atr import Interface
from apdu.crypto.cryptogram import RULES, arpc, transaction_key, verify_card
from apdu.crypto.suite import BlockKey
from apdu.crypto.suites import SUITES
from apdu.tlv import parse, tlv
from apdu.wire.cryptogram import Cvn, IssuerApplicationData, IssuerAuthentication
from apdu.wire.pboc import tags
from apdu.wire.pboc.answers import Cryptogram
from apdu.wire.pboc.commands import EXTERNAL_AUTHENTICATE, GENERATE_AC, AcRequest
from apdu.wire.pboc.flags import Result
from apdu.wire.pboc.groups import CONTACT_IAD, KEYS, WAYS
from apdu.wire.perso import Algorithm
from card_os.apps.pboc.profile import Route
from card_os.apps.pboc.transaction import Transaction, current
from card_os.chip import Chip

Values = Mapping[int, bytes]
IAD = parse(published()[CONTACT_IAD])[0].value
"""The published card's template: CVN 01, and the balance."""


def iad(template: bytes) -> dict[int, bytes | None]:
    """A card whose 9F10 is made from another template."""
    return {CONTACT_IAD: bytes(tlv(tags.IAD, template))}


def ways(aip: int, *, base: str = "published") -> dict[int, bytes | None]:
    """A card that says otherwise what it can do, whichever way it goes."""
    found: dict[int, bytes | None] = {}
    for number in WAYS.values():
        group = published(base).get(number)
        if group is not None:
            items = [(item.tag, item.value) for item in parse(group)]
            found[number] = b"".join(
                bytes(tlv(tag, aip.to_bytes(2) if tag == tags.AIP else value))
                for tag, value in items
            )
    return found


@dataclass
class Till:
    """A terminal and, for ARPCs, the issuer behind it."""

    chip: Chip
    interface: Interface = Interface.CONTACT
    keys: bytes = published()[KEYS[Algorithm.TDES]]
    """UDK-AC, UDK-MAC and UDK-ENC."""
    reader: Reader = field(init=False)
    said: dict[int, bytes] = field(default_factory=dict)
    """What the terminal says in this transaction, by tag."""
    answer: Cryptogram = field(init=False)
    arqc: Cryptogram = field(init=False)

    def __post_init__(self) -> None:
        self.reader = Reader(self.chip, self.interface)

    # The transaction

    def begin(self, values: Values | None = None) -> int:
        """SELECT and GPO; the status word."""
        self.said = {**TERMINAL, **(values or {})}
        self.reader.select()
        return sw(self.reader.ask(self.said))

    @property
    def transaction(self) -> Transaction:
        return current(context(self.chip))

    @property
    def route(self) -> Route:
        assert self.transaction.route is not None
        return self.transaction.route

    def data(self, tag: int, values: Values | None = None) -> bytes:
        """What is sent for a list of the card's."""
        return dol.fill(self.route.elements[tag], {**self.said, **(values or {})})

    def ask(self, wanted: int, data: bytes, *, cda: bool = False) -> bytes:
        """GENERATE AC, its answer with its status word."""
        return self.reader.send(GENERATE_AC, AcRequest(Result(wanted), cda=int(cda)), data)

    def first(self, wanted: Result, values: Values | None = None) -> Result:
        """The first cryptogram, which must be right."""
        self.said.update(values or {})
        self.arqc = self._read(self.ask(wanted, self.data(tags.CDOL1)))
        return self.result

    def second(self, wanted: Result, arc: bytes = b"00", values: Values | None = None) -> Result:
        """The second cryptogram, which must be right."""
        self.said.update({**(values or {}), tags.ARC: arc})
        self._read(self.ask(wanted, self.data(tags.CDOL2)))
        return self.result

    def authenticate(self, arc: bytes = b"00", *, wrong: int = 0) -> int:
        """EXTERNAL AUTHENTICATE; its status word. `wrong`: bits of the ARPC that are turned."""
        key = transaction_key(self.key(0), Cvn.CVN_01, self.arqc.atc)
        mixed = int.from_bytes(arpc(key, self.arqc.ac, arc)) ^ wrong
        return self.show(mixed.to_bytes(8), arc)

    def show(self, answer: bytes, arc: bytes) -> int:
        shown = IssuerAuthentication(answer, arc)
        return sw(self.reader.send(EXTERNAL_AUTHENTICATE, None, shown))

    def online(self, wanted: Result = Result.TC, values: Values | None = None) -> Result:
        """A whole transaction, approved by the issuer."""
        assert 0x9000 == self.begin(values)
        assert Result.ARQC is self.first(Result.ARQC)
        assert 0x9000 == self.authenticate()
        return self.second(wanted)

    # What came

    @property
    def result(self) -> Result:
        return Result(self.answer.cid >> 6)

    @property
    def iad(self) -> IssuerApplicationData:
        return IssuerApplicationData.parse(self.answer.iad)

    @property
    def cvr(self) -> int:
        return int.from_bytes(self.iad.cvr)

    def key(self, place: int) -> BlockKey:
        """UDK-AC, UDK-MAC or UDK-ENC."""
        return SUITES[self.route.algorithm].key(self.keys[16 * place : 16 * place + 16])

    def _read(self, answer: bytes) -> Cryptogram:
        assert 0x9000 == sw(answer), answer.hex()
        (template,) = parse(answer[:-2])
        assert tags.FORMAT_1 == template.tag
        self.answer = Cryptogram.parse(template.value)
        assert self.proves(self.answer.ac)
        return self.answer

    def input(self) -> bytes:
        """What the cryptogram is over, as its version's layout has it."""
        said, found = self.said, self.iad
        values = {
            "amount": said[tags.AMOUNT],
            "other_amount": said[tags.OTHER_AMOUNT],
            "country": said[tags.TERMINAL_COUNTRY],
            "tvr": said[tags.TVR],
            "currency": said[tags.CURRENCY],
            "day": said[tags.DATE],
            "kind": said[tags.TRANSACTION_TYPE],
            "unpredictable": said[tags.UNPREDICTABLE_NUMBER],
            "aip": self.route.aip.to_bytes(2),
            "atc": self.answer.atc,
            "cvr": found.cvr if found.cvn == Cvn.CVN_01 else found.cvr[:1],
        }
        layout = RULES[found.cvn].layout
        names = [name for name in layout.__match_args__ if name in values]
        return bytes(layout(**{name: values[name] for name in names}))

    def proves(self, ac: bytes) -> bool:
        """Whether the issuer takes this for the card's cryptogram."""
        return verify_card(self.key(0), self.iad.cvn, self.input(), ac)
