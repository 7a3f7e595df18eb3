# SPDX-License-Identifier: Apache-2.0
"""The floor: about the least that an honest ISO 7816-4 card in plain Python has to do.

Four short cases, checks of CLA, INS, P1-P2 and lengths, selection by AID, a try counter that is
lowered before the comparison. No access rules, life cycle, memory or trace: what the chip takes
longer than this is the price of being a chip. Measure both in one run.
"""

from __future__ import annotations

from collections.abc import Callable
from hmac import compare_digest
from os import urandom

OK = b"\x90\x00"


class App:
    """An application with a PIN, some bytes and some records."""

    __slots__ = ("aid", "binary", "fci", "limit", "pin", "records", "tries", "verified")

    def __init__(
        self, aid: bytes, fci: bytes, binary: bytes, records: list[bytes], pin: bytes
    ) -> None:
        self.aid = aid
        self.fci = fci
        self.binary = binary
        self.records = records
        self.pin = pin
        self.limit = 3
        self.tries = 3
        self.verified = False


class Card:
    """The card: a dictionary of instructions, and a method for each."""

    __slots__ = ("apps", "cur", "ins")

    def __init__(self, apps: list[App]) -> None:
        self.apps = {app.aid: app for app in apps}
        self.cur = apps[0]
        self.ins: dict[int, Callable[[bytes, int, int], bytes]] = {
            0xA4: self.select,
            0x20: self.verify,
            0xB0: self.read_binary,
            0xB2: self.read_record,
            0x84: self.challenge,
        }

    def transmit(self, c: bytes) -> bytes:
        n = len(c)
        if n < 4:
            return b"\x67\x00"
        if c[0] & 0x7F:
            return b"\x6e\x00"
        handler = self.ins.get(c[1])
        if handler is None:
            return b"\x6d\x00"
        if n == 4:
            return handler(c, 0, 0)
        p3 = c[4]
        if n == 5:
            return handler(c, 0, p3 or 256)
        if n == 5 + p3:
            return handler(c, p3, 0)
        if n == 6 + p3:
            return handler(c, p3, c[n - 1] or 256)
        return b"\x67\x00"

    def select(self, c: bytes, lc: int, le: int) -> bytes:
        if c[2] != 4 or lc == 0:
            return b"\x6a\x86"
        app = self.apps.get(c[5 : 5 + lc])
        if app is None:
            return b"\x6a\x82"
        app.verified = False
        self.cur = app
        return app.fci + OK

    def verify(self, c: bytes, lc: int, le: int) -> bytes:
        app = self.cur
        if c[2] or c[3] != 0x80:
            return b"\x6a\x86"
        if lc != 8:
            return b"\x67\x00"
        tries = app.tries
        if tries == 0:
            return b"\x69\x83"
        app.tries = tries - 1
        if compare_digest(c[5:13], app.pin):
            app.tries = app.limit
            app.verified = True
            return OK
        app.verified = False
        return bytes((0x63, 0xC0 | app.tries))

    def read_binary(self, c: bytes, lc: int, le: int) -> bytes:
        binary = self.cur.binary
        offset = (c[2] << 8) | c[3]
        if offset >= len(binary):
            return b"\x6b\x00"
        if lc:
            return b"\x67\x00"
        if le == 256:
            return binary[offset : offset + 256] + OK
        found = binary[offset : offset + le]
        return found + (OK if len(found) == le else b"\x62\x82")

    def read_record(self, c: bytes, lc: int, le: int) -> bytes:
        records = self.cur.records
        number = c[2]
        if c[3] & 7 != 4:
            return b"\x6a\x86"
        if number == 0 or number > len(records):
            return b"\x6a\x83"
        found = records[number - 1]
        if le != 256 and le != len(found):
            return bytes((0x6C, len(found)))
        return found + OK

    def challenge(self, c: bytes, lc: int, le: int) -> bytes:
        return urandom(le) + OK
