# SPDX-License-Identifier: Apache-2.0
"""Whatever the terminal tries, the chip guards what a short model says it must.

The guard is an invariant: after every step each file that could be meant is read and written, and
each PIN is asked for its tries. The model is a handful of plain variables.
"""

from __future__ import annotations

from benchmodel import REFERENCES, Guard
from benchplan import (
    BY_LABEL,
    DIRECTORIES,
    FILES,
    MF_FID,
    BenchDirectory,
    BenchFile,
    files_in,
    found_by_id,
    holds,
    path_to,
    root_of,
)
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from powercuts import DAMAGES, Damage, PowerCut, TornFlash
from strategies import near
from testbench import (
    BENCH_ROM,
    PROVE,
    boot,
    change_pin,
    command,
    sealed_cells,
    select_df,
    select_name,
    tries,
    verify,
)

from apdu.command import decode
from apdu.errors import FormatError
from apdu.wire.access import Key, Pin
from apdu.wire.iso7816 import (
    APPEND_RECORD,
    GET_CHALLENGE,
    GET_RESPONSE,
    READ_BINARY,
    READ_RECORD,
    SELECT,
    AppendTarget,
    By,
    RecordRef,
    Selection,
    SfiOffset,
)
from apdu.wire.perso import FileKind, KeyRef

KIDS = (0x04, 0x06, 0x83)
FIDS = sorted({each.fid for each in (*DIRECTORIES, *FILES)} | {0x3FFF, 0xDF99})
NEW_PINS = ("87654321", "000000", "9876543")
HRSS_INS = frozenset(BENCH_ROM[1].commands.entries)

pins = st.sampled_from(["right", "right", "right", "wrong", "wrong", *NEW_PINS, "123456"])
labels = st.sampled_from(sorted(BY_LABEL))
references = st.sampled_from(REFERENCES)
sfis = st.integers(1, 13)
datas = st.binary(min_size=16, max_size=16)


def fci(directory: BenchDirectory) -> bytes:
    name = directory.name
    return b"" if directory.label == "MF" else bytes((0x84, len(name))) + name


def harmless(raw: bytes) -> bool:
    """Whether no chip of the bench can do anything with these bytes."""
    try:
        cla, ins, *_ = decode(raw)
    except FormatError:
        return True
    return ins not in HRSS_INS or cla == 0xFF or cla >> 5 == 1 or cla & 0x0F in (1, 2, 3, 4)


PLAIN = [select_df(MF_FID), verify("123456"), tries(), bytes.fromhex("00D6810001AA")]
raw_bytes = (near(st.sampled_from(PLAIN)) | st.binary(max_size=20)).filter(harmless)


class Terminal(Guard, RuleBasedStateMachine):
    """Everything a terminal can try, each answer held against the model."""

    @initialize()
    def power_on(self) -> None:
        self.flash = TornFlash(sealed_cells())
        self.chip = boot(self.flash)
        self.begin()

    # Selecting

    @rule(label=labels.filter(lambda label: BY_LABEL[label].name), le=st.booleans())
    def select_by_name(self, label: str, le: bool) -> None:
        directory = BY_LABEL[label]
        answer = self.chip.transmit(select_name(directory.name)[: None if le else -1])
        self.move(label, fresh=True)
        whole = fci(directory)
        if not le:
            self.waiting = whole
        assert (whole + b"\x90\x00" if le else bytes((0x61, len(whole)))) == answer

    @rule(label=labels)
    def select_by_path(self, label: str) -> None:
        way = b"".join(each.fid.to_bytes(2) for each in path_to(label))
        if not way:
            assert 0x9000 == self.send(command(SELECT, Selection(By.FILE_ID)))
        else:
            expected = fci(BY_LABEL[label]) + b"\x90\x00"
            raw = command(SELECT, Selection(By.PATH_FROM_MF), way)
            assert expected == self.chip.transmit(raw)
        self.move(label, fresh=False)

    @rule(fid=st.sampled_from(FIDS))
    def select_by_identifier(self, fid: int) -> None:
        answer = self.chip.transmit(select_df(fid))
        found = found_by_id(self.place, fid)
        if found is None:
            assert b"\x6a\x82" == answer
        elif found[1] is not None:
            assert b"\x90\x00" == answer
            self.current = next(file for file in files_in(self.place) if file.fid == fid)
        else:
            assert fci(BY_LABEL[found[0]]) + b"\x90\x00" == answer
            self.move(found[0], fresh=False)

    @rule(file=st.sampled_from(FILES))
    def select_a_file_by_path(self, file: BenchFile) -> None:
        way = b"".join(each.fid.to_bytes(2) for each in path_to(file.where))
        raw = command(SELECT, Selection(By.PATH_FROM_MF), way + file.fid.to_bytes(2))
        assert b"\x90\x00" == self.chip.transmit(raw)
        if file.where != self.place:
            self.move(file.where, fresh=False)
        self.current = file

    @rule()
    def select_parent(self) -> None:
        parent = BY_LABEL[self.place].parent
        answer = self.send(command(SELECT, Selection(By.PARENT)))
        assert (0x6A82 if parent is None else 0x9000) == answer
        if parent is not None:
            self.move(parent, fresh=False)

    @rule(name=st.sampled_from([b"nobody", b"\xa0\0\0\3\x33\1\1\2"]))
    def select_nobody(self, name: bytes) -> None:
        assert 0x6A82 == self.send(select_name(name))

    @rule()
    def reset(self) -> None:
        self.chip.reset()
        self.forget()

    # Proving

    @rule(label=labels.filter(lambda label: root_of(label) == "SSSE"), reference=references)
    def log_in(self, label: str, reference: int) -> None:
        """What an honest terminal does: go there and show the right PIN."""
        self.select_by_path(label)
        self.verify(reference, "right")

    @rule(reference=references, which=pins)
    def verify(self, reference: int, which: str) -> None:
        pin = self.keeper(reference)
        if not self.in_hrss or pin not in self.pins:
            expected = 0x6A88 if self.in_hrss else 0x6D00
            assert expected == self.send(verify("123456", reference))
            return
        value = self.digits(pin, which)
        wrong = self.tried(pin, value)
        assert (wrong or 0x9000) == self.send(verify(value, reference))
        if wrong is None:
            self.proven |= {Pin(reference)}

    @precondition(lambda self: Pin(0x00) in self.proven or Pin(0x01) in self.proven)
    @rule(change=st.booleans())
    def mistype_what_was_proven(self, change: bool) -> None:
        reference = 0x00 if Pin(0x00) in self.proven else 0x01
        if change and not reference:
            self.change_pin("wrong", NEW_PINS[0])
        else:
            self.verify(reference, "wrong")

    @rule(kid=st.sampled_from(KIDS))
    def prove_a_key(self, kid: int) -> None:
        there = kid in BY_LABEL[self.keeper(kid)[0]].keys
        expected = (0x9000 if there else 0x6A88) if self.in_hrss else 0x6D00
        assert expected == self.send(command(PROVE, KeyRef(kid)))
        if expected == 0x9000:
            self.proven |= {Key(kid)}

    @rule(old=pins, new=st.sampled_from([*NEW_PINS, "123456"]))
    def change_pin(self, old: str, new: str) -> None:
        pin = ("SSSE", 0x00)
        value = self.digits(pin, old)
        answer = self.send(change_pin(value, new))
        if not self.in_hrss:
            assert 0x6D00 == answer
            return
        if new == "123456":  # the initial PIN; nothing is compared
            self.proven -= {Pin(0x00)}
            assert 0x6985 == answer
            return
        wrong = self.tried(pin, value)
        assert (wrong or 0x9000) == answer
        if wrong is None:
            self.pins[pin] = new

    # Writing

    @rule(sfi=sfis, data=datas)
    def write(self, sfi: int, data: bytes) -> None:
        file = next((f for f in files_in(self.place) if f.sfi == sfi), None)
        if file is None:
            return
        raw, content = self.an_update(file, data)
        may = holds(file.update, self.proven)
        assert (0x9000 if may else 0x6982) == self.send(raw)
        if may:
            self.contents[file], self.current = content, file

    @rule(sfi=sfis, data=datas)
    def append(self, sfi: int, data: bytes) -> None:
        file = next((f for f in files_in(self.place) if f.sfi == sfi), None)
        if file is None or file.kind not in (FileKind.LINEAR_FIXED, FileKind.CYCLIC):
            return
        records = self.contents[file]
        assert isinstance(records, tuple)
        raw, new = command(APPEND_RECORD, AppendTarget(sfi), data[:8]), data[:8]
        if not holds(file.update, self.proven):
            assert 0x6982 == self.send(raw)
            return
        self.current = file
        if file.kind is FileKind.CYCLIC:
            assert 0x9000 == self.send(raw)
            self.contents[file] = (new, *records)[:3]
        elif len(records) == 3:
            assert 0x6A84 == self.send(raw)
        else:
            assert 0x9000 == self.send(raw)
            self.contents[file] = (*records, new)

    # Talking

    @rule(n=st.sampled_from([4, 8, 16, 5]))
    def get_challenge(self, n: int) -> None:
        answer = self.chip.transmit(command(GET_CHALLENGE, ne=n))
        assert (2 if n == 5 else n + 2) == len(answer)

    @rule(
        label=labels.filter(lambda label: BY_LABEL[label].name),
        other=st.sampled_from([tries(), select_name(b"nobody"), b"\x00", bytes(5)]),
    )
    def leave_an_answer_waiting_and_do_something_else(self, label: str, other: bytes) -> None:
        assert 0x61 == self.send(select_name(BY_LABEL[label].name)[:-1]) >> 8
        self.move(label, fresh=True)
        self.chip.transmit(other)
        assert 0x6985 == self.send(command(GET_RESPONSE))

    @rule(raw=raw_bytes)
    def say_anything(self, raw: bytes) -> None:
        before = self.chip.snapshot()
        assert self.send(raw) in (0x6700, 0x6D00, 0x6E00, 0x6881, 0x6882, 0x6884)
        assert before == self.chip.snapshot()

    @rule(reset=st.booleans())
    def begin_a_chain_and_break_it(self, reset: bool) -> None:
        assert 0x9000 == self.send(bytes.fromhex("10D6810002AAAA"))
        if reset:
            self.reset()
        else:
            assert 0x6883 == self.send(select_df(MF_FID))

    # Power

    def cut(self, raw: bytes, k: int, damage: Damage) -> bool:
        """Cut the power at the k-th write of a command. False: it was answered before that."""
        self.flash.arm(k, damage)
        try:
            self.chip.transmit(raw)
            return False
        except PowerCut:
            return True
        finally:
            self.flash = TornFlash(bytes(self.flash.cells))
            self.chip = boot(self.flash)
            self.forget()

    def tries_now(self, pin: tuple[str, int]) -> int:
        """As the chip tells them after the power came back."""
        self.select_by_path(pin[0])
        answer = self.send(tries(pin[1]))
        return 0 if answer == 0x6983 else answer - 0x63C0

    @precondition(lambda self: self.in_hrss)
    @rule(
        reference=references,
        which=pins,
        k=st.integers(0, 5),
        damage=st.sampled_from(DAMAGES),
    )
    def cut_the_power_in_verify(self, reference: int, which: str, k: int, damage: Damage) -> None:
        pin = self.keeper(reference)
        if pin not in self.pins:
            return
        value, before = self.digits(pin, which), self.tries[pin]
        right = value == self.pins[pin]
        cut = self.cut(verify(value, reference), k, damage)
        paid = max(before - 1, 0)
        if not before:
            allowed = {0}
        elif right:
            allowed = {before, paid, self.limit(pin)} if cut else {self.limit(pin)}
        else:
            allowed = {before, paid} if cut else {paid}
        self.tries[pin] = self.tries_now(pin)
        assert self.tries[pin] in allowed

    @precondition(lambda self: self.in_hrss)
    @rule(
        old=pins,
        new=st.sampled_from(NEW_PINS),
        k=st.integers(0, 8),
        damage=st.sampled_from(DAMAGES),
    )
    def cut_the_power_in_change_pin(self, old: str, new: str, k: int, damage: Damage) -> None:
        pin = ("SSSE", 0x00)
        value, before, limit = self.digits(pin, old), self.tries[pin], self.limit(pin)
        right = bool(before) and value == self.pins[pin]
        cut = self.cut(change_pin(value, new), k, damage)
        found = self.tries_now(pin)
        paid = max(before - 1, 0)
        allowed = {before, paid} if cut else {paid}
        if right:
            allowed = {limit, *allowed} if cut else {limit}
        assert found in allowed
        self.tries[pin] = found
        if right and (not cut or found == limit):
            # All tries: it was done, or, if none was spent before, perhaps not begun.
            done = self.send(verify(new)) == 0x9000
            assert done or (cut and before == limit)
            self.pins[pin] = new if done else self.pins[pin]
            assert 0x9000 == self.send(verify(self.pins[pin]))
        self.reset()

    @rule(sfi=st.integers(1, 5), data=datas, k=st.integers(0, 5), damage=st.sampled_from(DAMAGES))
    def cut_the_power_in_an_update(self, sfi: int, data: bytes, k: int, damage: Damage) -> None:
        file = next(f for f in files_in("SSSE") if f.sfi == sfi)
        if self.place != "SSSE" or not holds(file.update, self.proven):
            return
        raw, new = self.an_update(file, data)
        old = self.contents[file]
        cut = self.cut(raw, k, damage)
        self.select_by_path("SSSE")
        found = self.content_of(file)
        assert found in ((old, new) if cut else (new,))
        self.contents[file] = found
        self.reset()

    def content_of(self, file: BenchFile) -> bytes | tuple[bytes, ...]:
        """What a file that is free to read holds."""
        if file.kind is FileKind.TRANSPARENT:
            return self.chip.transmit(command(READ_BINARY, SfiOffset(file.sfi), ne=65_536))[:-2]
        count = len(self.contents[file])
        reads = (command(READ_RECORD, RecordRef(n + 1, file.sfi)) for n in range(count))
        return tuple(self.chip.transmit(each)[:-2] for each in reads)

    # The guard

    @invariant()
    def the_chip_gives_and_takes_exactly_what_it_should(self) -> None:
        self.check()


TestTerminal = Terminal.TestCase
TestTerminal.settings = settings(stateful_step_count=40)
