# SPDX-License-Identifier: Apache-2.0
"""The tree: directories with their files, PINs and keys, taken from memory and added to it.

Objects are only ever added, each in one atomic step; `mount` walks them in order.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from apdu.errors import FormatError, StatusError
from apdu.sw import SW
from apdu.wire.access import NEVER
from apdu.wire.perso import FileHeader, FileKind, KeyBlock, KeyUsage, Life
from card_os.access import LOCAL, rule
from card_os.files.layout import (
    HEAD,
    HISTORICAL,
    MASTER_AT,
    OBJECTS_AT,
    Mark,
    MasterBlock,
    ObjectHead,
    ObjectKind,
    SecretHeader,
    object_check,
)
from card_os.files.records import KINDS, ElementaryFile, body_size
from card_os.nvm import Flash, MemoryDamaged, Nvm
from card_os.secrets import keys, pins
from card_os.secrets.keys import KeyObject, KeyStore
from card_os.secrets.pins import PinObject

MF_FID: Final = 0x3F00
MAX_DEPTH: Final = 8
MAX_DIRECTORIES: Final = 128
RESERVED_FIDS: Final = frozenset({0x0000, 0x3F00, 0x3FFF, 0xFFFF})
"""Identifiers that no file may take (ISO 7816-4 7.2.1)."""


class Directory:
    """A DF (or the MF): what it is called, what is in it."""

    __slots__ = (
        "by_fid",
        "by_sfi",
        "children",
        "effective",
        "header",
        "keys",
        "life",
        "life_at",
        "made",
        "number",
        "parent",
        "pins",
        "root",
    )

    def __init__(
        self,
        number: int,
        header: FileHeader,
        parent: Directory | None,
        life: Life = Life.ACTIVATED,
        life_at: int = 0,
        root: Directory | None = None,
    ) -> None:
        self.root = root or self
        """The DF at the top of the application that this one belongs to."""
        self.number = number
        self.header = header
        self.parent = parent
        self.life = life
        self.effective = life
        """Its own life-cycle state, or that of the nearest one above that is not active."""
        self.life_at = life_at
        self.children: dict[int, Directory] = {}
        self.by_fid: dict[int, ElementaryFile] = {}
        self.by_sfi: dict[int, ElementaryFile] = {}
        self.pins: dict[int, PinObject] = {}
        self.keys = KeyStore()
        self.made: Any = None
        """What the application made of its files, kept while there is power. Whoever changes one
        of them sets it to None."""

    def depth(self) -> int:
        """1 for the MF, one more for each level below."""
        return 1 if self.parent is None else 1 + self.parent.depth()

    def pin(self, reference: int) -> PinObject | None:
        """A PIN: from 80 of this directory itself, below 80 of its application."""
        return self.keeper(reference).pins.get(reference)

    def keeper(self, reference: int) -> Directory:
        """The directory that PINs and keys of this reference belong to, seen from here."""
        return self if reference & LOCAL else self.root


@lru_cache(maxsize=1024)
def _object_head(raw: bytes) -> ObjectHead:
    return ObjectHead.parse(raw)


@lru_cache(maxsize=1024)
def _file_header(raw: bytes) -> FileHeader:
    return FileHeader.parse(raw)


@lru_cache(maxsize=1024)
def _secret_header(raw: bytes) -> SecretHeader:
    return SecretHeader.parse(raw)


def format_flash(flash: Flash, historical: bytes, mark: Mark) -> None:
    """Make a blank flash the memory of a chip that has an MF and nothing else."""
    if len(historical) != HISTORICAL:
        raise FormatError(f"ATR: {len(historical)} historical bytes, {HISTORICAL} are needed")
    master = MasterBlock.make(Life.INITIALISATION, OBJECTS_AT, historical, mark)
    flash.write(0, bytes(len(flash.cells)))
    flash.write(MASTER_AT, bytes(master))
    if flash.sync is not None:
        flash.sync()


def read_master(nvm: Nvm) -> MasterBlock:
    """What a chip's memory says of the chip. Raises MemoryDamaged when it is not one's."""
    raw = nvm.read(MASTER_AT, MasterBlock.byte_length())
    try:
        found = MasterBlock.parse(raw)
    except FormatError as error:
        raise MemoryDamaged(str(error)) from None
    if found != MasterBlock.make(found.life, found.end, found.historical, found.mark):
        raise MemoryDamaged("the master block fails its checksum")
    return found


class Tree:
    """All of a chip's objects, mounted.

    `applications`: the DF names with which an application begins, that of the MF first.
    `unfinished`: those of them whose DF is born in initialisation, to be personalised by itself.
    """

    def __init__(
        self,
        nvm: Nvm,
        size: int,
        applications: tuple[bytes, ...],
        unfinished: frozenset[bytes] = frozenset(),
    ) -> None:
        self._nvm = nvm
        self._size = size
        self._applications = applications
        self._unfinished = unfinished
        self.mount()

    def mount(self) -> None:
        """Read everything from memory. Raises MemoryDamaged when it is not what we wrote."""
        try:
            self._mount()
        except FormatError as error:
            raise MemoryDamaged(str(error)) from None

    def _mount(self) -> None:
        self.master = read_master(self._nvm)
        name = self._applications[0]
        self.mf = Directory(0, FileHeader(FileKind.DF, MF_FID, NEVER, NEVER, name=name), None)
        self.directories = [self.mf]
        self.names: dict[bytes, Directory] = {name: self.mf} if name else {}
        if self.master.life is Life.DEACTIVATED:
            raise MemoryDamaged("a chip as a whole is never deactivated")
        if not OBJECTS_AT <= self.master.end <= self._size:
            raise MemoryDamaged("the objects end outside the memory")
        at = OBJECTS_AT
        while at < self.master.end:
            at = self._take(at)
        self._settle()
        if at != self.master.end:
            raise MemoryDamaged("the last object is cut short")

    def _take(self, at: int) -> int:
        """Mount the object at this place; return where the next one is."""
        head = _object_head(self._nvm.read(at, HEAD))
        header_at = at + HEAD
        body_at = header_at + head.header
        end = body_at + head.body
        if end > self.master.end:
            raise MemoryDamaged(f"object at {at} reaches beyond the last one")
        raw = self._nvm.read(header_at, head.header)
        if object_check(head.kind, head.owner, raw, head.body) != head.check:
            raise MemoryDamaged(f"object at {at} fails its checksum")
        if head.owner >= len(self.directories):
            raise MemoryDamaged(f"object at {at} belongs to no directory")
        owner = self.directories[head.owner]
        if head.kind is ObjectKind.SECRET:
            self._take_secret(owner, _secret_header(raw), body_at, head.body)
        else:
            self._take_file(owner, _file_header(raw), body_at, head.life, header_at - 1)
        return end

    def _take_secret(self, owner: Directory, header: SecretHeader, at: int, size: int) -> None:
        if header.usage is KeyUsage.PIN:
            owner.pins[header.reference] = PinObject(self._nvm, at, header)
        else:
            owner.keys.add(KeyObject(self._nvm, at, header, size))

    def _take_file(
        self, owner: Directory, header: FileHeader, at: int, life: Life, life_at: int
    ) -> None:
        if header.kind is FileKind.DF:
            root = None if header.name and header.name in self._applications else owner.root
            made = Directory(len(self.directories), header, owner, life, life_at, root)
            self.directories.append(made)
            owner.children[header.fid] = made
            if header.name:
                self.names[header.name] = made
            return
        file = KINDS[header.kind](self._nvm, header, at, life, life_at)
        owner.by_fid[header.fid] = file
        if header.sfi:
            owner.by_sfi[header.sfi] = file

    def add_file(self, owner: Directory, header: FileHeader) -> Directory | ElementaryFile:
        """Create a file. Raises StatusError 6A80, 6A84, 6A89 or 6A8A, FormatError for a condition
        with too many ways."""
        size = body_size(header)
        for condition in (header.read, header.update):
            rule(condition)  # one that cannot be judged must not reach memory
        is_df = header.kind is FileKind.DF
        fid, sfi = header.fid, header.sfi
        if fid in RESERVED_FIDS or sfi > 30 or len(header.name) > 16:
            text = "no file may have FID {fid:04X}, SFI {sfi} and a name of {length} bytes"
            raise StatusError(SW.WRONG_DATA, text, fid=fid, sfi=sfi, length=len(header.name))
        if not is_df and (header.name or header.fci):
            raise StatusError(SW.WRONG_DATA, "an EF has neither a name nor an FCI of its own")
        if fid in owner.children or fid in owner.by_fid:
            text = "there is a file {fid:04X} in the directory already"
            raise StatusError(SW.FILE_EXISTS, text, fid=fid)
        if sfi and sfi in owner.by_sfi:
            text = "there is a file with SFI {sfi:02X} in the directory already"
            raise StatusError(SW.FILE_EXISTS, text, sfi=sfi)
        if header.name in self.names:
            raise StatusError(SW.NAME_EXISTS, "there is a DF with this name already")
        if is_df and len(self.directories) == MAX_DIRECTORIES:
            text = "there are {most} directories, and no room for more"
            raise StatusError(SW.NO_SPACE, text, most=MAX_DIRECTORIES)
        if is_df and owner.depth() == MAX_DEPTH:
            text = "directories may be {most} deep"
            raise StatusError(SW.NO_SPACE, text, most=MAX_DEPTH)
        life = Life.INITIALISATION if header.name in self._unfinished else Life.ACTIVATED
        self._add(ObjectKind.FILE, owner, bytes(header), bytes(size), life)
        return owner.children[header.fid] if is_df else owner.by_fid[header.fid]

    def add_secret(self, owner: Directory, reference: int, block: KeyBlock, scope: int = 0) -> None:
        """Store a key or PIN. Raises StatusError 6A80, 6A84 or 6A89."""
        is_pin = block.usage is KeyUsage.PIN
        if not 1 <= block.limit <= 15 or not block.value:
            text = "a key or PIN has a value, and 1 to 15 tries; this one has {limit}"
            raise StatusError(SW.WRONG_DATA, text, limit=block.limit)
        if owner.keeper(reference) is not owner:  # it would hide the application's own
            text = "reference {reference:02X} is the application's, and this is a DF in it"
            raise StatusError(SW.WRONG_DATA, text, reference=reference)
        header = SecretHeader(
            reference,
            block.usage,
            block.version,
            block.algorithm,
            block.limit,
            scope,
            block.value if is_pin else b"",
        )
        if reference in owner.pins if is_pin else owner.keys.has(header):
            text = "there is a {what} {reference:02X} of this use and version already"
            facts = {"what": "PIN" if is_pin else "key", "reference": reference}
            raise StatusError(SW.FILE_EXISTS, text, **facts)
        store = pins if is_pin else keys
        body = store.body(block.value, block.limit)
        self._add(ObjectKind.SECRET, owner, bytes(header), body)

    def _add(
        self,
        kind: ObjectKind,
        owner: Directory,
        header: bytes,
        body: bytes,
        life: Life = Life.ACTIVATED,
    ) -> None:
        check = object_check(kind, owner.number, header, len(body))
        head = ObjectHead(kind, owner.number, len(header), len(body), check, life)
        raw = bytes(head) + header
        at = self.master.end
        end = at + len(raw) + len(body)
        if end > self._size:
            text = "{length} bytes of memory are asked for, {free} are free"
            raise StatusError(SW.NO_SPACE, text, length=end - at, free=self._size - at)
        master = self.master.then(self.master.life, end)
        with self._nvm.atomic():
            # Cells behind the last object are blank as a rule, so a body of zeros is there already.
            there = self._nvm.read(at + len(raw), len(body)) == body
            self._nvm.write(at, raw if there else raw + body)
            self._nvm.write(MASTER_AT, bytes(master))
        self.master = master
        self._take(at)
        self._settle()

    def forget(self, owner: Directory, file: ElementaryFile) -> None:
        """Take back what was added to a directory after one of its files, in one step.

        StatusError 6985 when something of another directory is behind that file, or a DF.
        """
        end = file.at + body_size(file.header)
        kept: list[int] = []
        at = OBJECTS_AT
        while at < self.master.end:
            head = _object_head(self._nvm.read(at, HEAD))
            if head.owner == owner.number and at < end:
                kept.append(at)
            elif at >= end and head.owner != owner.number:
                text = (
                    "what came before cannot be taken back: another directory has grown behind it"
                )
                raise StatusError(SW.CONDITIONS_NOT_SATISFIED, text)
            at += HEAD + head.header + head.body
        if owner.children:
            text = "what came before cannot be taken back: there are directories in it"
            raise StatusError(SW.CONDITIONS_NOT_SATISFIED, text)
        master = self.master.then(self.master.life, end)
        self._nvm.write(MASTER_AT, bytes(master))
        self.master = master
        owner.by_fid, owner.by_sfi, owner.pins = {}, {}, {}
        owner.keys, owner.made = KeyStore(), None
        for place in kept:
            self._take(place)
        self._settle()

    def _settle(self) -> None:
        """Bring `effective` of all directories up to date; parents come before children."""
        for each in self.directories:
            above = each.parent.effective if each.parent else Life.ACTIVATED
            each.effective = each.life if above is Life.ACTIVATED else above

    def set_life(self, target: Directory | ElementaryFile, life: Life) -> None:
        """Move a file or directory to another life-cycle state, durably."""
        self._nvm.write(target.life_at, bytes((life,)))
        target.life = life
        self._settle()

    def set_chip_life(self, life: Life) -> None:
        """Move the chip as a whole."""
        master = self.master.then(life, self.master.end)
        self._nvm.write(MASTER_AT, bytes(master))
        self.master = master
