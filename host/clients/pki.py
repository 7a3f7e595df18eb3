# SPDX-License-Identifier: Apache-2.0
"""The PKI application (数字证书应用) of a card of generation 3.0, from the terminal's side.

`sign` and `verify_sign` are what LD/T 33 calls PKI_SignData and PKI_VerifySign; signatures are
r and s, 64 bytes, and `apdu.crypto.sm2_asn1` turns them into DER.
"""

from __future__ import annotations

from typing import Final, TypeVar

from apdu.crypto import sm2, x509
from apdu.crypto.pki import PIN_KEY, pin_key, proof
from apdu.crypto.suite import BlockKey
from apdu.crypto.suites import SUITES
from apdu.errors import FormatError
from apdu.pki_messaging import pki_messaging
from apdu.secret import Secret
from apdu.sw import SW
from apdu.wire.codes import pin_bytes
from apdu.wire.form import CommandForm
from apdu.wire.hrss.commands import PIN_CHANGE_UNBLOCK, PinService, PinServiceRef
from apdu.wire.hrss.spec import EfSpec
from apdu.wire.iso7816 import (
    GET_CHALLENGE,
    READ_BINARY,
    SELECT,
    UPDATE_BINARY,
    By,
    Offset,
    Selection,
)
from apdu.wire.perso import Algorithm
from apdu.wire.pki import (
    CERTIFICATES_NAME,
    ENCIPHERMENT,
    PKI_NAME,
    SIGNATURE,
    KeyPair,
    PkiPin,
    PublicKeyContent,
)
from apdu.wire.pki_commands import (
    AUTHENTICATE_MASTER_KEY,
    CHANGE_PKI_PIN,
    COMPUTE_SIGNATURE,
    DECIPHER,
    GENERATE_KEY_PAIR,
    IMPORT_KEY,
    LOAD_SESSION_KEY,
    PROOF,
    UPDATE_MASTER_KEY,
    VERIFY_BY_CHALLENGE,
    DecipherData,
    FileTag,
    ImportData,
    ImportedHalf,
    ImportRef,
    KeyPairFiles,
    KeyTag,
    MasterKeyData,
    PkiPinRef,
    SessionKeyData,
)
from host.card import Card, command_of
from host.faults import CardMisspoke, NotFound, PinBlocked, PinWrong

P = TypeVar("P")
D = TypeVar("D")

_SUITE: Final = SUITES[Algorithm.SM4]
_PART: Final = 224
"""Bytes of a file that are read at a time."""
GENERATING: Final = 60.0
"""Seconds that a card may take to make a key pair."""
_DER_HEAD: Final = 4
_LONG_SEQUENCE: Final = b"\x30\x82"
"""How a certificate of 256 bytes or more begins; its length stands in the two bytes behind."""


class PkiClient:
    """A card whose PKI application is selected.

    All verbs raise the faults of `host.faults`: NotFound on cards that have no such application,
    NotAllowed when a PIN or the master key must be proven first, PinWrong, PinBlocked,
    CardMisspoke. A PIN never goes to the card: what proves it is computed here.
    """

    def __init__(self, card: Card) -> None:
        self.card = card
        self.select()

    def select(self) -> None:
        """Select PKI.社会保障 and in it SS.CERT.ADF1: the application begins anew."""
        with self.card.transaction():
            self.select_environment()
            self.card.select(CERTIFICATES_NAME)

    def select_environment(self) -> None:
        """Select PKI.社会保障 alone, whose master key is another than that of the inner one."""
        self.card.select(PKI_NAME)

    # PINs

    def verify(self, pin: str, which: PkiPin = PkiPin.USER) -> None:
        """Prove a PIN, 6 to 8 digits. A wrong one costs a try."""
        key = _pin_key(pin)
        with self.card.transaction():
            shown = proof(key, self._challenge())
            self.card.send(VERIFY_BY_CHALLENGE, PkiPinRef(which), shown)

    def tries_left(self, which: PkiPin = PkiPin.USER) -> int | None:
        """Tries left, without costing one; None while the PIN is proven.

        Cards that do not know the command without data raise CardRefused.
        """
        try:
            self.card.send(VERIFY_BY_CHALLENGE, PkiPinRef(which), b"")
        except PinWrong as answer:
            return answer.tries_left
        except PinBlocked:
            return 0
        return None

    def change_pin(self, old: str, new: str, which: PkiPin = PkiPin.USER) -> None:
        """Replace a PIN, which is proven on the way; the new one must be proven anew."""
        coded = pin_bytes(new)
        with self.card.transaction():
            self.verify(old, which)
            self._protected(_pin_key(old), CHANGE_PKI_PIN, PkiPinRef(which), coded)

    def unblock(self, admin: str, new: str | None = None) -> None:
        """Give the user PIN all its tries again, and with `new` a new value. `admin`: that PIN."""
        coded = b"" if new is None else pin_bytes(new)
        service = PinService.UNBLOCK if new is None else PinService.RELOAD
        with self.card.transaction():
            self.verify(admin, PkiPin.ADMIN)
            self._protected(_pin_key(admin), PIN_CHANGE_UNBLOCK, PinServiceRef(service), coded)

    # The master key

    def authenticate(self, master: Secret) -> None:
        """Prove the master key of the directory that is current, 16 bytes."""
        key = _key(master)
        with self.card.transaction():
            shown = proof(key, self._challenge())
            self.card.send(AUTHENTICATE_MASTER_KEY, None, shown)

    def update_master_key(self, old: Secret, new: Secret) -> None:
        """Replace the master key of the directory that is current; the old one is proven first."""
        _key(new)
        data = MasterKeyData(new.reveal())
        with self.card.transaction():
            self.authenticate(old)
            self._protected(_key(old), UPDATE_MASTER_KEY, None, data)

    # Key pairs and certificates

    def generate(self, pair: KeyPair = SIGNATURE) -> sm2.PublicKey:
        """Have the card make a key pair, and return its public half. Needs the user PIN.

        The pair that was there is gone with it; its certificate stays and fits no more.
        """
        files = KeyPairFiles(pair.public.fid, pair.private.fid)
        with self.card.transaction(), self.card.channel.patience(GENERATING):
            self.card.send(GENERATE_KEY_PAIR, None, files)
            made = self.public_key(pair)
        if made is None:
            raise CardMisspoke(f"{GENERATE_KEY_PAIR.name}: no public key is there after it")
        return made

    def public_key(self, pair: KeyPair = SIGNATURE) -> sm2.PublicKey | None:
        """The public half of a pair, or None while there is none. Free to read."""
        found = self._read(pair.public, pair.public.size)
        if not any(found):
            return None
        try:
            return sm2.PublicKey(PublicKeyContent.parse(found).point)
        except FormatError as error:
            raise CardMisspoke(f"{pair.public.chinese}: {error}") from None

    def certificate(self, pair: KeyPair = SIGNATURE) -> bytes | None:
        """The certificate of a pair, DER, or None while there is none. Free to read.

        `apdu.crypto.x509` reads it and tells whether somebody trusted has issued it.
        """
        with self.card.transaction():
            beginning = self._read(pair.certificate, _DER_HEAD)
            if not any(beginning):
                return None
            # The file may be longer, and hold the end of an older certificate.
            if beginning[:2] != _LONG_SEQUENCE:
                raise CardMisspoke(f"{pair.certificate.chinese}: not a DER certificate")
            length = _DER_HEAD + int.from_bytes(beginning[2:])
            return self._read(pair.certificate, length)

    def write_certificate(self, der: bytes, pair: KeyPair = SIGNATURE) -> None:
        """Write the certificate of a pair, all of it in one chain: the card has the old one or the
        new one. Needs the user PIN.

        Raises FormatError for what is no certificate with an SM2 key.
        """
        x509.read(der)
        with self.card.transaction():
            self._enter(pair.certificate)
            self.card.send(UPDATE_BINARY, Offset(0), der)

    def sign(self, message: bytes, identity: bytes = sm2.DEFAULT_ID) -> bytes:
        """The card's SM2 signature over a message, 64 bytes. Needs the user PIN.

        `identity`: the signer's, as agreed with who verifies. Raises NotFound without a key.
        """
        with self.card.transaction():
            public = self.public_key()
            if public is None:
                raise NotFound(SW.REFERENCE_NOT_FOUND, COMPUTE_SIGNATURE.name)
            e = sm2.message_digest(public, message, identity)
            signature = self.card.send(COMPUTE_SIGNATURE, None, e, ne=sm2.SIGNATURE)
        if len(signature) != sm2.SIGNATURE:
            raise CardMisspoke(f"{COMPUTE_SIGNATURE.name}: {len(signature)} bytes, not 64")
        return signature

    def verify_sign(
        self, message: bytes, signature: bytes, identity: bytes = sm2.DEFAULT_ID
    ) -> bool:
        """Whether a signature over a message is that of the key in the card's certificate.

        Who issued the certificate is not looked at. Raises NotFound without a certificate.
        """
        der = self.certificate()
        if der is None:
            raise NotFound(SW.REFERENCE_NOT_FOUND, SIGNATURE.certificate.english)
        try:
            certificate = x509.read(der)
        except FormatError as error:
            raise CardMisspoke(str(error)) from None
        return sm2.verify(certificate.public, message, signature, identity)

    def decipher(self, ciphertext: bytes, pair: KeyPair = ENCIPHERMENT) -> bytes:
        """The message of an SM2 ciphertext, 04 C1 C3 C2. Needs the user PIN."""
        if ciphertext[:1] != b"\x04":
            raise FormatError("ciphertext: must begin with 04, an uncompressed point")
        data = DecipherData(pair.private.fid, ciphertext[1:])
        return self.card.send(DECIPHER, None, data)

    def import_encipherment_pair(
        self, envelope: bytes, private: bytes, public: sm2.PublicKey
    ) -> None:
        """Take in the encipherment pair that a key centre made. Needs the user PIN.

        `envelope`: a session key, 16 bytes, enciphered to the card's signature key as in
        `decipher`; `private`: the private key, 32 bytes, enciphered under it block by block.
        """
        with self.card.transaction():
            session = self.decipher(envelope, SIGNATURE)
            try:
                key = SessionKeyData(session)
                bytes(key)
            except FormatError:
                raise FormatError("envelope: does not hold a session key of 16 bytes") from None
            self.card.send(LOAD_SESSION_KEY, None, key)
            for half, tags, file, value in (
                (
                    ImportedHalf.PUBLIC,
                    (FileTag.PUBLIC, KeyTag.PUBLIC),
                    ENCIPHERMENT.public,
                    public.value,
                ),
                (
                    ImportedHalf.PRIVATE,
                    (FileTag.PRIVATE, KeyTag.PRIVATE),
                    ENCIPHERMENT.private,
                    private,
                ),
            ):
                data = ImportData(tags[0], file.fid, tags[1], value)
                self.card.send(IMPORT_KEY, ImportRef(half), data)

    # On the way to them

    def _challenge(self) -> bytes:
        found = self.card.send(GET_CHALLENGE, None, None, ne=PROOF)
        if len(found) != PROOF:
            raise CardMisspoke(f"GET CHALLENGE: {len(found)} bytes, {PROOF} were asked for")
        return found

    def _protected(self, key: BlockKey, form: CommandForm[P, D, None], params: P, data: D) -> None:
        """Send a command under the secret that was proven last."""
        command = command_of(form, params, data, 0)
        messaging = pki_messaging(key, self._challenge())
        self.card.relay(messaging.protect(command, enciphered=True), form.name)

    def _enter(self, file: EfSpec) -> None:
        self.card.send(SELECT, Selection(By.FILE_ID), file.fid.to_bytes(2))

    def _read(self, file: EfSpec, size: int) -> bytes:
        found = b""
        with self.card.transaction():
            self._enter(file)
            while len(found) < size:
                wanted = min(_PART, size - len(found))
                part = self.card.send(READ_BINARY, Offset(len(found)), None, ne=wanted)
                if not part:
                    raise CardMisspoke(f"{file.chinese}: ends after {len(found)} bytes")
                found += part
        return found


def _pin_key(pin: str) -> BlockKey:
    return _SUITE.key(pin_key(pin_bytes(pin)))


def _key(secret: Secret) -> BlockKey:
    if len(secret) != PIN_KEY:
        raise FormatError(f"master key: {len(secret)} bytes, must be {PIN_KEY}")
    return _SUITE.key(secret.reveal())
