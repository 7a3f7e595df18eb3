# SPDX-License-Identifier: Apache-2.0
"""Cards as a terminal sees them when it authenticates: certificates of the test authority, under
RSA or under SM2, with whatever a test wants wrong with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from terminalfiles import shipped

from apdu.crypto import gmcert, gmcert_sign, oda_sign
from apdu.crypto.oda_input import transaction_hash
from apdu.tlv import build, tlv
from apdu.wire.gmcert import Sm2CombinedData
from apdu.wire.oda import CombinedData, DynamicData
from apdu.wire.pboc import tags
from apdu.wire.pboc.application import DEBIT_AID
from apdu.wire.pboc.flags import Aip
from host.issuer.test_keys import rsa_chain, sm2_chain
from host.network.authorisation import Purpose
from host.terminal.kernel.config import TerminalConfig
from host.terminal.kernel.terminal_data import application_data, terminal_data
from host.terminal.kernel.transaction import Order, Transaction

FAMILIES = ("rsa", "sm2")
PAN = "6228000100001117"
STATIC = bytes.fromhex("5A0862280001000011175F2403301231")
CODE = b"\xda\xc1"
NUMBER = b"\x00\x07"
CRYPTOGRAM = b"CRYPTOGR"
TIME = datetime(2026, 1, 5, 9, 30, 1)
UNPREDICTABLE = bytes.fromhex("1E78EEBC")
EVERY = Aip.SDA | Aip.DDA | Aip.CDA


def chance(size: int) -> bytes:
    return b"\xc3" * size


@dataclass(frozen=True)
class Face:
    """What stands in the certificates, and what they are over."""

    family: str = "rsa"
    aip: int = int(Aip.DDA)
    """That is signed; the card may say another."""
    pan: str = PAN
    issuer: str = "622800"
    issuer_expires: str = "1240"
    expires: str = "1240"
    serial: bytes = b"\0\0\1"
    static: bytes = STATIC

    @property
    def signed_static(self) -> bytes:
        return self.static + int(self.aip).to_bytes(2)


@cache
def elements(face: Face) -> dict[int, bytes]:
    """What the card's records hold."""
    found = {
        tags.PAN: bytes.fromhex(PAN),
        tags.DDOL: bytes.fromhex("9F3704"),
        tags.STATIC_TAGS: b"\x82",
    }
    static, serial = face.signed_static, b"\0\0\2"
    if face.family == "sm2":
        keys = sm2_chain()
        return found | {
            tags.CA_INDEX: bytes((keys.index,)),
            tags.ISSUER_CERTIFICATE: gmcert_sign.sign_issuer(
                keys.ca, keys.issuer.public, face.issuer, face.issuer_expires, face.serial, chance
            ),
            tags.SIGNED_STATIC_DATA: gmcert_sign.sign_static(keys.issuer, CODE, static, chance),
            tags.ICC_CERTIFICATE: gmcert_sign.sign_icc(
                keys.issuer, keys.icc.public, face.pan, face.expires, serial, static, chance
            ),
        }
    chain = rsa_chain(1152)
    issuer = oda_sign.sign_issuer(
        chain.ca, chain.issuer.public, face.issuer, face.issuer_expires, face.serial, chance
    )
    icc = oda_sign.sign_icc(
        chain.issuer, chain.icc.public, face.pan, face.expires, serial, static, chance
    )
    return found | {
        tags.CA_INDEX: bytes((chain.index,)),
        tags.ISSUER_CERTIFICATE: issuer.certificate,
        tags.ISSUER_REMAINDER: issuer.remainder,
        tags.ISSUER_EXPONENT: issuer.exponent,
        tags.SIGNED_STATIC_DATA: oda_sign.sign_static(chain.issuer, CODE, static, chance),
        tags.ICC_CERTIFICATE: icc.certificate,
        tags.ICC_REMAINDER: icc.remainder,
        tags.ICC_EXPONENT: icc.exponent,
    }


def order(**more: Any) -> Order:
    given = {"amount": 1234, "purpose": Purpose.PURCHASE, "time": TIME, "reference": "1" * 12}
    given |= {"trace": 42, "unpredictable_number": UNPREDICTABLE}
    return Order(**(given | more))


def transaction_of(
    face: Face, config: TerminalConfig | None = None, ordered: Order | None = None
) -> Transaction:
    """A transaction whose records were read."""
    config, ordered = config or shipped(), ordered or order()
    parameters = config.parameters(DEBIT_AID)
    assert parameters is not None
    return Transaction(
        ordered,
        terminal_data(config, ordered) | application_data(parameters, ordered),
        card=dict(elements(face)),
        aid=DEBIT_AID,
        parameters=parameters,
        aip=face.aip,
        static_data=face.static,
    )


def signed_dynamic(family: str, told: bytes) -> bytes:
    """9F4B of DDA and fDDA over what the terminal said."""
    said = DynamicData(NUMBER)
    if family == "sm2":
        return gmcert_sign.sign_dynamic(sm2_chain().icc, said, told, chance)
    return oda_sign.sign_dynamic(rsa_chain(1152).icc, said, told, chance)


@dataclass
class Signing:
    """Answers INTERNAL AUTHENTICATE."""

    family: str
    fault: Exception | None = None
    told: list[bytes] = field(default_factory=list)

    def internal_authenticate(self, data: bytes) -> bytes:
        self.told.append(data)
        if self.fault is not None:
            raise self.fault
        return signed_dynamic(self.family, data)


def answer_signed(family: str, transaction: Transaction, cid: int = 0x80) -> None:
    """GENERATE AC's answer with CDA, as the card signs it for what it was sent."""
    transaction.cid = cid
    others = [tlv(tags.CID, bytes((cid,))), tlv(tags.ATC, NUMBER)]
    others.append(tlv(tags.IAD, bytes.fromhex("07010103A0000001")))
    unsigned = build([tlv(tags.FORMAT_2, others)])
    sent = transaction.options, transaction.first_data, transaction.final_data
    if family == "sm2":
        hashed = gmcert.transaction_hash(*sent, unsigned)
        said = Sm2CombinedData(NUMBER, cid, CRYPTOGRAM, hashed)
        signed = gmcert_sign.sign_dynamic(sm2_chain().icc, said, UNPREDICTABLE, chance)
    else:
        combined = CombinedData(NUMBER, cid, CRYPTOGRAM, transaction_hash(*sent, unsigned))
        signed = oda_sign.sign_dynamic(rsa_chain(1152).icc, combined, UNPREDICTABLE, chance)
    transaction.signed = signed
    transaction.answer = build(
        [tlv(tags.FORMAT_2, [*others, tlv(tags.SIGNED_DYNAMIC_DATA, signed)])]
    )
