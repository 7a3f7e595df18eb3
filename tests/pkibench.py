# SPDX-License-Identifier: Apache-2.0
"""The PKI application of an issued card of generation 3.0, and its commands in one line.

What proves a PIN and what protects a command is computed from the rules (`apdu.crypto.pki`), not
with what terminals use.
"""

from __future__ import annotations

from random import Random

from keybench import SM4, flipped, issued_cells
from keybench import challenge as fetch
from testbench import command, select_df, select_name, send_all, sw, world

from apdu.atr import Atr
from apdu.command import CommandAPDU
from apdu.crypto import pki, sm2
from apdu.crypto.padding import method_2
from apdu.crypto.suite import BlockKey
from apdu.wire.codes import pin_bytes
from apdu.wire.hrss.commands import PIN_CHANGE_UNBLOCK, PinService, PinServiceRef
from apdu.wire.pki import (
    CERTIFICATES_NAME,
    ENCIPHERMENT,
    MASTER,
    PKI_NAME,
    SIGNATURE,
    KeyPair,
    PkiPin,
    PrivateKeyContent,
)
from apdu.wire.pki_commands import (
    CHANGE_PKI_PIN,
    COMPUTE_SIGNATURE,
    DECIPHER,
    GENERATE_KEY_PAIR,
    IMPORT_KEY,
    LOAD_SESSION_KEY,
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
from card_os.chip import ROM, Chip
from card_os.nvm import Flash
from card_os.world import seeded
from host.cli.testcard import TEST_DAY, TEST_HOLDER
from host.keys import MemoryKeys

USER, ADMIN = PkiPin.USER, PkiPin.ADMIN
PINS = {USER: "123456", ADMIN: "12345678"}
LIMIT = 6
"""Tries of either PIN."""
SELECT_PKI, SELECT_CERTIFICATES = select_name(PKI_NAME), select_name(CERTIFICATES_NAME)
DIGEST = bytes(range(32))
"""What is signed."""
CHANCE = Random(11).randbytes  # noqa: S311 - test data
CENTRE = sm2.generate(CHANCE)
"""An encipherment pair that a key centre made."""
STRANGER = sm2.generate(CHANCE)
SESSION = bytes.fromhex("00112233445566778899AABBCCDDEEFF")


def blank_flash() -> Flash:
    return Flash(bytearray(issued_cells(SM4)))


class Holder:
    """A card in a reader, and somebody who knows its PINs and its master key."""

    def __init__(self, flash: Flash | None = None, select: bytes = SELECT_CERTIFICATES) -> None:
        self.flash = flash or blank_flash()
        # The chance that made a key pair must not come again: it would be the next challenge.
        self.chip = Chip(ROM, self.flash, seeded(8, TEST_DAY) if flash else world())
        unique = Atr.parse(self.chip.reset()).historical[-8:]
        self.master = MemoryKeys(suite=SM4).card_key(MASTER, TEST_HOLDER.region, unique).reveal()
        self.select(select)

    def select(self, raw: bytes = SELECT_CERTIFICATES) -> None:
        send_all(self.chip, [raw])

    def send(self, raw: bytes) -> int:
        """The status word of the answer."""
        return sw(self.chip.transmit(raw))

    def challenge(self, n: int = 16) -> bytes:
        answer = self.chip.transmit(fetch(n))
        assert 0x9000 == sw(answer)
        return answer[:-2]

    # Proofs

    def proof(self, which: PkiPin = USER, pin: str = "", n: int = 16) -> bytes:
        """What proves a PIN, for a challenge that is fetched for it."""
        return pki.proof(pin_key(pin or PINS[which]), self.challenge(n))

    def verify(self, which: PkiPin = USER, pin: str = "") -> int:
        return self.send(verify(which, self.proof(which, pin)))

    def fail(self, which: PkiPin = USER, bit: int = 0) -> int:
        """Get a proof wrong by a bit."""
        return self.send(verify(which, flipped(self.proof(which), bit)))

    def authenticate(self, master: bytes = b"") -> int:
        """Prove the master key of the current directory."""
        return self.send(authenticate(pki.proof(SM4.key(master or self.master), self.challenge())))

    def tries(self, which: PkiPin = USER) -> int:
        """Tries left as the chip tells them; -1 while the PIN is proven."""
        answer = self.send(tries(which))
        return {0x9000: -1, 0x6983: 0}.get(answer, answer - 0x63C0)

    # Protected commands

    def change(self, which: PkiPin, new: str, key: bytes = b"") -> bytes:
        """The command that changes a PIN, under that PIN or another key."""
        raw = command(CHANGE_PKI_PIN, PkiPinRef(which), pin_bytes(new))
        return self.protect(raw, key or pki.pin_key(pin_bytes(PINS[which])))

    def unblock(self, new: str = "", key: bytes = b"") -> bytes:
        service = PinService.RELOAD if new else PinService.UNBLOCK
        data = pin_bytes(new) if new else b""
        raw = command(PIN_CHANGE_UNBLOCK, PinServiceRef(service), data)
        return self.protect(raw, key or pki.pin_key(pin_bytes(PINS[ADMIN])))

    def update_master(self, new: bytes, key: bytes = b"") -> bytes:
        raw = command(UPDATE_MASTER_KEY, None, MasterKeyData(new))
        return self.protect(raw, key or self.master)

    def protect(self, raw: bytes, key: bytes) -> bytes:
        """CLA with its bit; LL data 80 00.. enciphered; a MAC that begins with a challenge."""
        plain = CommandAPDU.parse(raw)
        data = bytes((len(plain.data),)) + plain.data
        sent = SM4.key(key).encrypt(method_2(data, 16)) if plain.data else b""
        head = bytes((plain.cla | 4, plain.ins, plain.p1, plain.p2, len(sent) + 4))
        return head + sent + pki.folded_mac(SM4.key(key), self.challenge(), head + sent)


def pin_key(pin: str) -> BlockKey:
    return SM4.key(pki.pin_key(pin_bytes(pin)))


def verify(which: PkiPin, shown: bytes) -> bytes:
    return bytes((0x00, 0x20, 0x01, which, len(shown))) + shown


def tries(which: PkiPin = USER) -> bytes:
    return command(VERIFY_BY_CHALLENGE, PkiPinRef(which))


def authenticate(shown: bytes) -> bytes:
    return bytes.fromhex("0082000010") + shown


def generate(pair: KeyPair = SIGNATURE) -> bytes:
    return command(GENERATE_KEY_PAIR, None, KeyPairFiles(pair.public.fid, pair.private.fid))


def sign(digest: bytes = DIGEST) -> bytes:
    return command(COMPUTE_SIGNATURE, None, digest)


def read_file(chip: Chip, fid: int) -> bytes:
    """The first bytes of a file, and the status word."""
    send_all(chip, [select_df(fid)])
    return chip.transmit(bytes.fromhex("00B0000000"))


def with_key_pair() -> Holder:
    """A card that has made its signature key, the user PIN proven."""
    holder = Holder()
    assert [0x9000, 0x9000] == [holder.verify(), holder.send(generate())]
    return holder


def public_of(holder: Holder, pair: KeyPair = SIGNATURE) -> sm2.PublicKey:
    answer = read_file(holder.chip, pair.public.fid)
    assert 0x9000 == sw(answer)
    assert b"\xca\x40" == answer[:2]
    return sm2.PublicKey(answer[2:-2])


def stored(holder: Holder, pair: KeyPair = SIGNATURE) -> bytes:
    """The private key, taken out of the chip's memory as no command can."""
    directory = holder.chip._ctx.session.directory
    content = directory.by_fid[pair.private.fid].read_binary(0, pair.private.size)
    return PrivateKeyContent.parse(content).value if any(content) else b""


def decipher(ciphertext: bytes, pair: KeyPair = SIGNATURE) -> bytes:
    return command(DECIPHER, None, DecipherData(pair.private.fid, ciphertext[1:]))


def load_session(key: bytes = SESSION) -> bytes:
    return command(LOAD_SESSION_KEY, None, SessionKeyData(key))


def import_public(public: sm2.PublicKey = CENTRE.public) -> bytes:
    data = ImportData(FileTag.PUBLIC, ENCIPHERMENT.public.fid, KeyTag.PUBLIC, public.value)
    return command(IMPORT_KEY, ImportRef(ImportedHalf.PUBLIC), data)


def import_private(private: sm2.PrivateKey = CENTRE, session: bytes = SESSION) -> bytes:
    value = SM4.key(session).encrypt(private.secret.reveal())
    data = ImportData(FileTag.PRIVATE, ENCIPHERMENT.private.fid, KeyTag.PRIVATE, value)
    return command(IMPORT_KEY, ImportRef(ImportedHalf.PRIVATE), data)


WORK = {
    "generate": generate(),
    "sign": sign(),
    "decipher": decipher(sm2.encrypt(STRANGER.public, SESSION, CHANCE)),
    "load a session key": load_session(),
    "import a public key": import_public(),
    "import a private key": import_private(),
}
"""Everything that the holder's keys do."""
