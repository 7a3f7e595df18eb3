# SPDX-License-Identifier: Apache-2.0
"""Whatever a terminal proves, replays or tampers with, an issued card believes what a model does.

The model is a handful of plain variables: where the terminal is, what it has proven, the tries
that are left, the PIN, the challenge, and what one file holds.
"""

from __future__ import annotations

from benchplan import holds
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from keybench import LIMIT, PIN, SM4, SPEC, TDES, Desk, external, flipped, issued_cells, pin_service
from powercuts import DAMAGES, Damage, PowerCut, TornFlash
from testbench import (
    SELECT_DEBIT,
    SELECT_HRSS,
    SELECT_MF,
    command,
    select_df,
    select_name,
    send_all,
    sw,
    tries,
    verify,
)

from apdu.crypto.suite import Suite
from apdu.wire.access import Key, Pin
from apdu.wire.codes import pin_bytes
from apdu.wire.hrss.application import PIN_TRIES
from apdu.wire.hrss.commands import PinService
from apdu.wire.hrss.generations import DF01, DIRECTORIES, SSSE
from apdu.wire.hrss.spec import DfSpec
from apdu.wire.iso7816 import READ_BINARY, UPDATE_BINARY, SfiOffset
from apdu.wire.perso import KeyUsage
from card_os.chip import ROM, Chip

PLACES = {each.label: each for each in DIRECTORIES if each.label in ("SSSE", "DF01", "DF02")}
USED = ("UKSSSE", "PUK", "RKSSSE", "RK1DF01", "UK1DF01", "UK7DF01", "UK1DF02", "RK1DF02")
"""Keys that the terminal shows; the KIDs of some stand in two directories."""
HOW = ("right", "right", "right", "wrong", "another key", "another challenge", "version 2")
PINS = (PIN, "87654321", "000000", "9876543")
RESERVED = 22
"""SFI of a file of DF01 that all may read and UK7DF01 may update."""

OF_THE_BANK = (0x6700, 0x6882, 0x6985, 0x6987, 0x6A86, 0x6D00)
"""What its commands answer that are not in their shape, or without a transaction."""
names = st.sampled_from(USED)
bits = st.integers(0, 255)
eight = st.binary(min_size=8, max_size=8)
protections = st.sampled_from(["right", "right", "tampered", "another key"])


class Terminal(RuleBasedStateMachine):
    """Everything a terminal can try, each answer held against the model."""

    @initialize(suite=st.sampled_from([TDES, SM4]))
    def power_on(self, suite: Suite) -> None:
        self.desk = Desk(suite, TornFlash(issued_cells(suite)))
        self.pin, self.pin_tries = PIN, PIN_TRIES
        self.key_tries = dict.fromkeys(USED, LIMIT)
        self.reserved = bytes(8)
        self.recorded: list[bytes] = []
        self.forget()

    # The model

    def forget(self) -> None:
        """What was only in RAM is gone; the MF is selected."""
        self.begin(None)

    def begin(self, place: DfSpec | None) -> None:
        """An application is selected; None: another one than ours."""
        self.place = place
        self.in_bank = False
        self.proven: frozenset[Pin | Key] = frozenset()
        self.challenge: bytes | None = None

    def answers(self, expected: int, raw: bytes) -> None:
        """The card must answer this; the bank's application, whose commands are others under the
        same codes, that it believes nothing of it."""
        found = self.desk.send(raw)
        assert found in OF_THE_BANK if self.in_bank else found == expected, f"{found:04X}"

    def key_at(self, kid: int) -> str | None:
        """The key that a KID means here."""
        keeper = self.place if kid & 0x80 else SSSE
        return next((s.name for s in keeper.keys if s.kid == kid), None) if keeper else None

    def external(self, kid: int, *, right: bool, version: int | None = None) -> int:
        """What EXTERNAL AUTHENTICATE must answer, and what then is."""
        if self.place is None:
            return 0x6D00
        self.proven -= {Key(kid)}
        challenge, self.challenge = self.challenge, None
        if challenge is None or len(challenge) != 8:
            return 0x6984
        name = self.key_at(kid)
        if name is None or version not in (None, 1):
            return 0x6A88
        if SPEC[name].usage is not KeyUsage.EXTERNAL_AUTHENTICATE:
            return 0x6985
        if not self.key_tries[name]:
            return 0x6983
        if not right:
            self.key_tries[name] -= 1
            return 0x63C0 | self.key_tries[name]
        self.key_tries[name] = LIMIT
        self.proven |= {Key(kid)}
        return 0x9000

    def opened(self, *, right: bool) -> int | None:
        """What a command under messaging must answer before it is looked at; None: it is right."""
        challenge, self.challenge = self.challenge, None
        if right and challenge is not None and len(challenge) == 8:
            return None
        self.proven = frozenset()
        return 0x6988 if challenge is not None and len(challenge) == 8 else 0x6984

    # Selecting

    @rule(place=st.sampled_from([None, None, DF01, SSSE]), debit=st.booleans())
    def select_by_name(self, place: DfSpec | None, debit: bool) -> None:
        if place is None:
            send_all(self.desk.chip, [SELECT_DEBIT if debit else SELECT_MF])
        else:
            send_all(self.desk.chip, [select_name(place.name)])
        self.begin(place)
        self.in_bank = place is None and debit

    @precondition(lambda self: self.place is not None)
    @rule(label=st.sampled_from(sorted(PLACES)))
    def go_to_a_directory(self, label: str) -> None:
        send_all(self.desk.chip, [select_df(PLACES[label].fid)])
        if PLACES[label] is not self.place:
            self.proven = frozenset(
                each for each in self.proven if isinstance(each, Pin) or each.kid < 0x80
            )
        self.place = PLACES[label]

    @rule()
    def select_nobody(self) -> None:
        assert 0x6A82 == self.desk.send(select_name(b"nobody"))

    @rule()
    def reset(self) -> None:
        self.desk.chip.reset()
        self.forget()

    # Proving

    @rule(n=st.sampled_from([8, 8, 8, 4, 16]))
    def get_challenge(self, n: int) -> None:
        self.challenge = self.desk.challenge(n)
        assert n == len(self.challenge)

    @rule(name=names)
    def prove(self, name: str) -> None:
        """What an honest terminal does: go there, and show the key."""
        here = SSSE if SPEC[name] in SSSE.keys else PLACES["DF02" if "DF02" in name else "DF01"]
        if self.place is None:
            self.select_by_name(SSSE, False)
        if SPEC[name].kid & 0x80:
            self.go_to_a_directory(here.label)
        self.get_challenge(8)
        self.authenticate(name, "right", None, 0)

    @rule(name=names, how=st.sampled_from(HOW), fetch=st.sampled_from([None, 8, 8, 4]), bit=bits)
    def authenticate(self, name: str, how: str, fetch: int | None, bit: int) -> None:
        if fetch:
            self.get_challenge(fetch)
        kid = SPEC[name].kid
        factor = (self.challenge or b"")[:8].ljust(8, b"\0")
        means = self.key_at(kid)
        shown = {"another key": "RKSSSE" if name == "PUK" else "PUK"}.get(how, name)
        if how == "another challenge":
            factor = flipped(factor, bit % 64)
        cryptogram = self.desk.cryptogram(shown, factor)
        if how == "wrong":
            cryptogram = flipped(cryptogram, bit % 64)
        version = 2 if how == "version 2" else 1 if bit % 3 == 0 else None
        raw = external(kid, cryptogram, version=bytes((version,)) if version else b"")
        right = how == "right" and means == name
        expected = self.external(kid, right=right, version=version)
        self.answers(expected, raw)
        if self.place is not None:
            self.recorded.append(raw)

    @rule(name=names, times=st.integers(1, LIMIT))
    def guess(self, name: str, times: int) -> None:
        """Wrong cryptograms until the patience or the tries are at an end."""
        self.prove(name)
        for _ in range(times):
            self.authenticate(name, "wrong", 8, 0)

    @rule(pick=st.integers(0, 99), fetch=st.booleans())
    def replay(self, pick: int, fetch: bool) -> None:
        """Anything that was sent before: its challenge is another one."""
        if not self.recorded:
            return
        if fetch:
            self.get_challenge(8)
        raw = self.recorded[pick % len(self.recorded)]
        if raw[1] == 0x82:
            version = raw[21] if len(raw) > 21 else None
            expected = self.external(raw[3], right=False, version=version)
        elif self.place is None:
            expected = 0x6D00 if raw[1] == 0x24 else 0x6882
        else:
            expected = self.opened(right=False) or 0
        self.answers(expected, raw)

    @rule(right=st.sampled_from([True, True, False]), pin=st.sampled_from(PINS))
    def verify(self, right: bool, pin: str) -> None:
        value = self.pin if right else pin
        if self.place is None:
            expected = 0x6D00
        elif not self.pin_tries:
            expected = 0x6983
        elif value == self.pin:
            self.pin_tries, expected = PIN_TRIES, 0x9000
        else:
            self.pin_tries -= 1
            expected = 0x63C0 | self.pin_tries
        if self.place is not None:
            self.proven -= {Pin(0)}
        self.answers(expected, verify(value))
        if expected == 0x9000:
            self.proven |= {Pin(0)}

    # Secure messaging

    def protected(
        self, raw: bytes, how: str, bit: int, key: str, *, enciphered: bool = False
    ) -> bytes:
        """A command under the messaging key, or not quite."""
        self.challenge = None  # `protect` fetches one
        name = key if how != "another key" else "STKDF03"
        protected = self.desk.protect(raw, name, enciphered=enciphered)
        self.challenge = bytes(8)
        if how == "tampered":  # a bit of P1, P2, data or MAC
            body = flipped(protected[2:4] + protected[5:], bit % (8 * (len(protected) - 3)))
            protected = protected[:2] + body[:2] + protected[4:5] + body[2:]
        self.recorded.append(protected)
        return protected

    @precondition(lambda self: self.place is not None)
    @rule(new=st.sampled_from([None, *PINS]), how=protections, bit=bits)
    def service_the_pin(self, new: str | None, how: str, bit: int) -> None:
        raw = (
            pin_service(PinService.RELOAD, pin_bytes(new))
            if new
            else pin_service(PinService.UNBLOCK)
        )
        raw = self.protected(raw, how, bit, "STK", enciphered=True)
        expected = self.opened(right=how == "right")
        if expected is None:
            expected = 0x9000 if Key(0x06) in self.proven else 0x6982
        assert expected == self.desk.send(raw)
        if expected == 0x9000:
            self.pin, self.pin_tries = new or self.pin, PIN_TRIES
            self.proven -= {Pin(0)}

    @rule(new=st.sampled_from([None, *PINS]), how=protections, bit=bits)
    def serve_the_holder(self, new: str | None, how: str, bit: int) -> None:
        """What an honest desk does, but for the last command perhaps."""
        self.prove("PUK")
        self.service_the_pin(new, how, bit)

    @rule(new=st.booleans())
    def service_the_pin_without_protection(self, new: bool) -> None:
        raw = pin_service(PinService.RELOAD, pin_bytes(PIN)) if new else bytes.fromhex("80240000")
        self.answers(0x6987 if self.place else 0x6D00, raw)
        if self.place:
            self.proven = frozenset()

    @precondition(lambda self: self.place is DF01)
    @rule(data=eight, how=st.sampled_from(["bare", "right", "tampered", "another key"]), bit=bits)
    def update(self, data: bytes, how: str, bit: int) -> None:
        raw = command(UPDATE_BINARY, SfiOffset(RESERVED), data)
        expected = None
        if how != "bare":
            raw = self.protected(raw, how, bit, "STKDF01")
            expected = self.opened(right=how == "right")
        if expected is None:
            expected = 0x9000 if Key(SPEC["UK7DF01"].kid) in self.proven else 0x6982
        assert expected == self.desk.send(raw)
        if expected == 0x9000:
            self.reserved = data

    @rule(data=eight, how=protections, bit=bits)
    def prove_and_update(self, data: bytes, how: str, bit: int) -> None:
        self.prove("UK7DF01")
        self.update(data, how, bit)

    # Power

    def cut(self, raw: bytes, k: int, damage: Damage) -> int | None:
        """Cut the power at the k-th write of a command. None, or the answer if it came before."""
        flash = self.desk.flash
        assert isinstance(flash, TornFlash)
        flash.arm(k, damage)
        try:
            return sw(self.desk.chip.transmit(raw))
        except PowerCut:
            return None
        finally:
            self.desk.flash = TornFlash(bytes(flash.cells))
            # Chance goes on: what was recorded before does not come again.
            self.desk.chip = Chip(ROM, self.desk.flash, self.desk.world)
            self.forget()

    @rule(name=names, right=st.booleans(), k=st.integers(0, 3), damage=st.sampled_from(DAMAGES))
    def cut_the_power_in_an_authentication(
        self, name: str, right: bool, k: int, damage: Damage
    ) -> None:
        self.desk.go(name)
        factor = self.desk.challenge()
        raw = self.desk.proof(name, factor)
        raw = raw if right else raw[:5] + flipped(raw[5:13]) + raw[13:]
        before, paid = self.key_tries[name], max(self.key_tries[name] - 1, 0)
        answer = self.cut(raw, k, damage)
        allowed = {before, paid} if answer is None else {paid}
        if right and before:
            allowed = {*allowed, LIMIT} if answer is None else {LIMIT}
        # Asking costs a try: the answer to a wrong cryptogram tells what was left before.
        self.desk.go(name)
        found = self.desk.fail(name)
        left = 0 if found == 0x6983 else found - 0x63C0 + 1
        assert left in allowed
        self.key_tries[name] = max(left - 1, 0)
        self.reset()

    @rule(new=st.sampled_from(PINS), k=st.integers(0, 8), damage=st.sampled_from(DAMAGES))
    def cut_the_power_in_a_reload(self, new: str, k: int, damage: Damage) -> None:
        if not self.key_tries["PUK"]:
            return
        self.desk.go("SSSE")
        assert 0x9000 == self.desk.authenticate("PUK")
        self.key_tries["PUK"] = LIMIT
        before, old = self.pin_tries, self.pin
        answer = self.cut(self.desk.reload(new), k, damage)
        self.desk.go("SSSE")
        found = self.desk.tries()
        assert found in ({before, PIN_TRIES} if answer is None else {PIN_TRIES})
        if found:
            done = self.desk.send(verify(new)) == 0x9000
            # With all tries it was done, or, if none had been spent, perhaps not begun.
            assert done or (answer is None and found == before)
            self.pin = new if done else old
            assert 0x9000 == self.desk.send(verify(self.pin))
            found = PIN_TRIES
        self.pin_tries = found
        self.reset()

    # The guard

    @invariant()
    def the_card_believes_what_the_model_does(self) -> None:
        if self.place is None:
            self.answers(0x6D00, tries())
            return
        asked = self.desk.send(tries())
        left = 0x63C0 | self.pin_tries if self.pin_tries else 0x6983
        assert (0x9000 if Pin(0) in self.proven else left) == asked
        here = self.desk.directory = self.desk.generation.directory(self.place.label)
        assert self.desk.access() == {
            (file.sfi, may): holds(condition, self.proven)
            for file in here.files
            for may, condition in (("read", file.read), ("update", file.update))
        }
        if self.place is DF01:
            read = command(READ_BINARY, SfiOffset(RESERVED), ne=8)
            assert self.reserved + b"\x90\x00" == self.desk.chip.transmit(read)

    def teardown(self) -> None:
        """The tries of the keys, which can only be counted by spending them."""
        for name in USED if hasattr(self, "desk") else ():
            self.desk.chip.transmit(SELECT_HRSS)
            self.desk.go(name)
            for left in range(self.key_tries[name] - 1, -1, -1):
                assert 0x63C0 | left == self.desk.fail(name)
            assert 0x6983 == self.desk.authenticate(name)


TestTerminal = Terminal.TestCase
TestTerminal.settings = settings(stateful_step_count=40)
