# SPDX-License-Identifier: Apache-2.0
"""SM2, SM3 and X.509 judged by other people's programs: OpenSSL, gmalg, gmssl and gmssl-pyx."""

from __future__ import annotations

import base64
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest

from apdu.crypto import sm2, sm3, x509
from apdu.crypto.sm2_asn1 import (
    SEQUENCE,
    ciphertext_from_der,
    ciphertext_to_der,
    integer,
    signature_from_der,
    signature_to_der,
)
from apdu.errors import FormatError
from apdu.tlv import build, tlv

pytestmark = pytest.mark.outside

chance = Random(9)  # noqa: S311 - test data
KEYS = [sm2.generate(chance.randbytes) for _ in range(3)]
MESSAGES = [chance.randbytes(size) for size in (16, 31, 32, 80, 200)]
every = pytest.mark.parametrize("key", KEYS, ids=["first", "second", "third"])
messages = pytest.mark.parametrize("message", MESSAGES, ids=len)

DISTID = "distid:1234567812345678"
SIGNING = ["-rawin", "-digest", "sm3", "-pkeyopt", DISTID]
SUBJECT = "CN=Test CA,O=Test,C=CN"
DAY = datetime(2025, 7, 1, tzinfo=UTC)


@cache
def openssl_lacks() -> str:
    """Why the command cannot judge, or nothing."""
    command = shutil.which("openssl")
    if command is None:
        return "needs openssl"
    asked = subprocess.run(
        [command, "list", "-public-key-algorithms"], capture_output=True, text=True
    )
    return "" if "SM2" in asked.stdout else "needs an OpenSSL of 3.0 or newer with SM2"


needs_openssl = pytest.mark.skipif(bool(openssl_lacks()), reason=openssl_lacks())


def pem(name: str, der: bytes) -> str:
    text = base64.encodebytes(der).decode()
    return f"-----BEGIN {name}-----\n{text}-----END {name}-----\n"


def private_pem(key: sm2.PrivateKey) -> str:
    """As RFC 5915 has it."""
    curve = tlv(0x06, x509.SM2_CURVE)
    point = tlv(0x03, b"\0\4" + key.public.value)
    parts = [integer(1), tlv(0x04, key.secret.reveal()), tlv(0xA0, [curve]), tlv(0xA1, [point])]
    return pem("EC PRIVATE KEY", build([tlv(SEQUENCE, parts)]))


class OpenSsl:
    """The command, in a folder with a key and files."""

    def __init__(self, folder: Path, key: sm2.PrivateKey) -> None:
        self.folder = folder
        self.put("key", private_pem(key).encode())

    def put(self, name: str, data: bytes) -> None:
        (self.folder / name).write_bytes(data)

    def run(self, *words: str) -> bytes:
        ran = subprocess.run(["openssl", *words], cwd=self.folder, capture_output=True)
        assert ran.returncode == 0, ran.stderr.decode()
        return ran.stdout


@needs_openssl
@every
@messages
def test_openssl_verifies_and_signs(tmp_path: Path, key: sm2.PrivateKey, message: bytes) -> None:
    openssl = OpenSsl(tmp_path, key)
    openssl.put("message", message)
    openssl.put("ours", signature_to_der(sm2.sign(key, message, chance.randbytes)))
    told = [*SIGNING, "-inkey", "key", "-in", "message"]
    openssl.run("pkeyutl", "-verify", *told, "-sigfile", "ours")

    theirs = openssl.run("pkeyutl", "-sign", *told)
    assert sm2.verify(key.public, message, signature_from_der(theirs))
    assert not sm2.verify(KEYS[0].public, message + b"1", signature_from_der(theirs))


@needs_openssl
@every
@messages
def test_openssl_deciphers_and_enciphers(
    tmp_path: Path, key: sm2.PrivateKey, message: bytes
) -> None:
    openssl = OpenSsl(tmp_path, key)
    openssl.put("message", message)
    openssl.put("ours", ciphertext_to_der(sm2.encrypt(key.public, message, chance.randbytes)))
    assert message == openssl.run("pkeyutl", "-decrypt", "-inkey", "key", "-in", "ours")

    theirs = openssl.run("pkeyutl", "-encrypt", "-inkey", "key", "-in", "message")
    assert message == sm2.decrypt(key, ciphertext_from_der(theirs))


@needs_openssl
def test_openssl_takes_our_certificates(tmp_path: Path) -> None:
    ca, card, _ = KEYS
    openssl = OpenSsl(tmp_path, ca)

    def make(subject: str, public: sm2.PublicKey, serial: int, purpose: x509.Purpose) -> bytes:
        made = x509.make(
            ca,
            SUBJECT,
            chance.randbytes,
            subject=subject,
            public=public,
            serial=serial,
            not_before=DAY - timedelta(days=1),
            not_after=DAY + timedelta(days=40 * 365),
            purpose=purpose,
        )
        openssl.put(f"{serial}.pem", pem("CERTIFICATE", made).encode())
        return made

    root = make(SUBJECT, ca.public, 1, x509.Purpose.AUTHORITY)
    moment = ["-attime", str(int(DAY.timestamp()))]
    check = ["verify", "-x509_strict", *moment, "-vfyopt", DISTID, "-CAfile", "1.pem"]
    openssl.run(*check, "1.pem")
    for serial, purpose in (2, x509.Purpose.SIGNATURE), (3, x509.Purpose.ENCIPHERMENT):
        made = make("CN=张三,C=CN", card.public, serial, purpose)
        openssl.run(*check, f"{serial}.pem")
        assert x509.trusted(x509.read(made), x509.read(root), DAY)
        shown = openssl.run("x509", "-in", f"{serial}.pem", "-noout", "-pubkey").split(b"-----")[2]
        assert base64.b64decode(shown)[-64:] == card.public.value


@needs_openssl
def test_certificates_of_openssl_are_read_and_verified(tmp_path: Path) -> None:
    ca, card, other = KEYS
    openssl = OpenSsl(tmp_path, ca)
    openssl.put("card.key", private_pem(card).encode())
    signed = ["-sm3", "-sigopt", DISTID]
    usage = ["-addext", "keyUsage=critical,keyCertSign"]
    made = ["-set_serial", "7", "-days", "9", "-outform", "der"]
    root = x509.read(
        openssl.run("req", "-x509", "-key", "key", *signed, *usage, *made, "-subj", "/C=CN/CN=CA")
    )
    openssl.put("root.pem", pem("CERTIFICATE", root.der).encode())
    subject = ["-subj", "/C=CN/CN=card"]
    openssl.run("req", "-new", "-key", "card.key", *signed, *subject, "-out", "request")
    openssl.put("extensions", b"keyUsage=critical,digitalSignature")  # none would make version 1
    signing = ["-CA", "root.pem", "-CAkey", "key", "-vfyopt", DISTID, "-extfile", "extensions"]
    certificate = x509.read(openssl.run("x509", "-req", "-in", "request", *signing, *signed, *made))

    assert ("CN=CA,C=CN", 7, ca.public) == (root.subject, root.serial, root.public)
    assert {x509.Purpose.AUTHORITY} == root.purposes
    assert ("CN=card,C=CN", card.public) == (certificate.subject, certificate.public)
    assert {x509.Purpose.SIGNATURE} == certificate.purposes
    moment = root.not_before + timedelta(days=1)
    assert x509.trusted(root, root, moment)
    assert x509.trusted(certificate, root, moment)
    assert not x509.trusted(certificate, root, moment + timedelta(days=9))
    assert not x509.verify(certificate, other.public)


@every
@messages
def test_gmalg_agrees(key: sm2.PrivateKey, message: bytes) -> None:
    gmalg = pytest.importorskip("gmalg")
    judge: Any = gmalg.SM2(key.secret.reveal(), sm2.DEFAULT_ID, b"\x04" + key.public.value)
    assert judge.generate_pk(key.secret.reveal()) == b"\x04" + key.public.value

    ours = sm2.sign(key, message, chance.randbytes)
    assert judge.verify(message, ours[:32], ours[32:])
    theirs = b"".join(part.rjust(32, b"\0") for part in judge.sign(message))
    assert sm2.verify(key.public, message, theirs)

    assert message == judge.decrypt(sm2.encrypt(key.public, message, chance.randbytes))
    assert message == sm2.decrypt(key, judge.encrypt(message))


@every
@messages
@pytest.mark.parametrize("old_order", [False, True], ids=["C1C3C2", "C1C2C3"])
def test_gmssl_agrees(key: sm2.PrivateKey, message: bytes, old_order: bool) -> None:
    library = pytest.importorskip("gmssl.sm2")
    text = key.secret.reveal().hex(), key.public.value.hex()
    judge: Any = library.CryptSM2(*text, mode=0 if old_order else 1)

    ours = sm2.sign(key, message, chance.randbytes)
    assert judge.verify_with_sm3(ours.hex(), message)
    theirs = bytes.fromhex(judge.sign_with_sm3(message, chance.randbytes(32).hex()))
    assert sm2.verify(key.public, message, theirs)

    made = sm2.encrypt(key.public, message, chance.randbytes)[1:]
    if old_order:
        made = made[:64] + made[96:] + made[64:96]
    assert message == judge.decrypt(made)
    back = b"\x04" + judge.encrypt(message)
    assert message == sm2.decrypt(key, back, old_order=old_order)


@every
@messages
def test_gmssl_pyx_agrees(key: sm2.PrivateKey, message: bytes) -> None:
    library: Any = pytest.importorskip("gmssl_pyx")
    private, public = key.secret.reveal(), key.public.value
    ours = signature_to_der(sm2.sign(key, message, chance.randbytes))
    assert library.sm2_verify(public, message, ours)
    theirs = library.sm2_sign(private, public, message)
    assert sm2.verify(key.public, message, signature_from_der(theirs))

    ours = ciphertext_to_der(sm2.encrypt(key.public, message, chance.randbytes))
    assert message == library.sm2_decrypt(private, ours)
    assert message == sm2.decrypt(key, ciphertext_from_der(library.sm2_encrypt(public, message)))
    with pytest.raises(FormatError, match="not one for this key"):
        sm2.decrypt(KEYS[key is KEYS[0]], ciphertext_from_der(library.sm2_encrypt(public, b"1")))


@pytest.mark.parametrize("size", [*range(0, 130), 1000, 4096])
def test_sm3_of_any_length_is_what_gmssl_pyx_computes(size: int) -> None:
    library: Any = pytest.importorskip("gmssl_pyx")
    data = chance.randbytes(size)
    assert library.sm3_hash(data) == sm3.digest(data)
    if size:
        assert library.sm3_kdf(data, size) == sm3.derive_key(data, size)
