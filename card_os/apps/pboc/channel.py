# SPDX-License-Identifier: Apache-2.0
"""The secure channel through which the application is personalised, as the chip keeps it.

INITIALIZE UPDATE and EXTERNAL AUTHENTICATE open it: the host is proven then. Whatever ends that
closes it: a wrong MAC, a command that should have one and does not, SELECT. A wrong authentication
costs a try of the key that it was to prove; without tries a key is blocked for good, and the
application cannot be personalised any more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from apdu.crypto.suites import CHANNEL_SUITES
from apdu.errors import StatusError
from apdu.secure_channel import Channel, ChannelKeys, Handshake, begin, card_challenge
from apdu.sw import SW
from apdu.wire.access import NEVER
from apdu.wire.form import CommandForm
from apdu.wire.globalplatform import (
    INITIALIZE_UPDATE,
    OPEN_CHANNEL,
    OPTION_03,
    KeySetRef,
    LevelRef,
    Scp02Begun,
    Scp03Begun,
)
from apdu.wire.pboc.application import (
    CHANNEL_DEK_KEY,
    CHANNEL_ENC_KEY,
    CHANNEL_MAC_KEY,
    CHANNEL_VERSION,
)
from apdu.wire.perso import Algorithm, FileHeader, FileKind, KeyUsage
from card_os.access import NOTHING_PROVEN
from card_os.dispatch import CommandTable, Context, Protection
from card_os.files.records import ElementaryFile
from card_os.secrets.keys import KeyObject
from card_os.session import Stage

commands = CommandTable()

COUNTER_FID: Final = 0xD502
"""The sequence counter, as long as its protocol has it. It outlives what is begun anew."""
_COUNTERS: Final = {Algorithm.TDES: 2, Algorithm.AES: 3}
_CHIP_NUMBER: Final = 8
_ENC: Final = KeyUsage.CHANNEL_ENC
_NOT_BEGUN: Final = "no channel was begun: INITIALIZE UPDATE comes first"


@dataclass(frozen=True, slots=True)
class Personalising:
    """What is in `session.scratch` while the application is not personalised."""

    pending: Channel | None = None
    """After INITIALIZE UPDATE, until the host has proven itself."""
    channel: Channel | None = None
    work: Any = None
    """What the commands inside keep; a new channel begins without."""


CLOSED: Final = Personalising()


def current(ctx: Context) -> Personalising:
    found: Personalising = ctx.session.scratch
    return found


@commands.on(INITIALIZE_UPDATE, life=Stage.PERSONALISATION)
def initialize_update(ctx: Context, ref: KeySetRef, host: bytes) -> bytes:
    """Begin a channel: the card proves itself over the host's challenge (GP E.5.1).

    StatusError 6A88 for another version of the keys, 6983 when one is blocked, 6985 when the
    sequence counter has come to its end.
    """
    ctx.session.scratch, ctx.session.status = CLOSED, NOTHING_PROVEN
    if ref.version not in (0, CHANNEL_VERSION):
        text = "the channel's keys have version {version}, asked for is {asked}"
        facts = {"version": CHANNEL_VERSION, "asked": ref.version}
        raise StatusError(SW.REFERENCE_NOT_FOUND, text, **facts)
    enc, mac, dek = _keys(ctx)
    algorithm = enc.header.algorithm
    if algorithm not in CHANNEL_SUITES:
        text = "{key} is of an algorithm that no channel has"
        raise StatusError(SW.CONDITIONS_NOT_SATISFIED, text, key=CHANNEL_ENC_KEY, usage=_ENC)
    keys = ChannelKeys(enc.cipher, mac.cipher, dek.cipher)
    counter = _counter(ctx, algorithm)
    challenge = card_challenge(keys, counter, ctx.session.directory.header.name)
    channel = begin(keys, Handshake(host, counter, challenge))
    ctx.session.scratch = Personalising(pending=channel)
    origin = bytes(2) + ctx.tree.master.historical[-_CHIP_NUMBER:]
    proof = channel.card_cryptogram
    if algorithm is Algorithm.TDES:
        return bytes(Scp02Begun(origin, CHANNEL_VERSION, counter, challenge, proof))
    return bytes(Scp03Begun(origin, CHANNEL_VERSION, OPTION_03, challenge, proof, counter))


@commands.on(OPEN_CHANNEL, messaging=Protection.MAC, life=Stage.PERSONALISATION)
def open_channel(ctx: Context, ref: LevelRef, cryptogram: bytes) -> None:
    """The host proves itself, and the channel is open (GP E.5.2).

    StatusError 6300 for a wrong cryptogram.
    """
    state, ctx.session.scratch = current(ctx), CLOSED
    channel = state.pending
    if channel is None:
        raise StatusError(SW.CONDITIONS_NOT_SATISFIED, _NOT_BEGUN)
    enc, _, _ = _keys(ctx)
    try:
        enc.compare(channel.host_cryptogram, cryptogram)
    except StatusError as refused:
        raise refused.told_as(SW.AUTH_FAILED) from None
    _count(ctx, enc.header.algorithm)
    ctx.session.status |= enc.proof
    ctx.session.scratch = Personalising(channel=channel.at(ref.level))


class _Opening:
    """The chip's half of the channel, for one command."""

    def __init__(self, ctx: Context, form: CommandForm[Any, Any, Any]) -> None:
        self._ctx = ctx
        self._form = form

    def open(self, header: bytes, sent: bytes, *, enciphered: bool = False) -> bytes:
        """The data. StatusError 6982 when no channel is open, or 6985 when none was begun; 6988
        for a wrong MAC, which with EXTERNAL AUTHENTICATE costs a try."""
        ctx, state = self._ctx, current(self._ctx)
        if self._form is OPEN_CHANNEL:
            ctx.session.scratch = CLOSED
            if state.pending is None:
                raise StatusError(SW.CONDITIONS_NOT_SATISFIED, _NOT_BEGUN)
            _, mac, _ = _keys(ctx)
            try:
                channel, data = state.pending.open(header, sent, mac.compare)
            except StatusError as refused:
                raise refused.told_as(SW.MESSAGING_WRONG) from None
            ctx.session.scratch = Personalising(pending=channel)
            return data
        found = open_one(ctx)
        if found is None:
            text = "no secure channel is open: EXTERNAL AUTHENTICATE opens it"
            raise StatusError(SW.SECURITY_NOT_SATISFIED, text)
        channel, data = found.open(header, sent)
        ctx.session.scratch = replace(state, channel=channel)
        return data


messaging = _Opening
"""Finds the channel that a protected command belongs to: the one that is being opened, or the
open one."""


def open_one(ctx: Context) -> Channel | None:
    """The channel, if it is open: it is so only as long as the host stays proven."""
    proof = _keys(ctx)[0].proof
    return current(ctx).channel if proof <= ctx.session.status else None


def _keys(ctx: Context) -> tuple[KeyObject, KeyObject, KeyObject]:
    return (
        ctx.key(CHANNEL_ENC_KEY, KeyUsage.CHANNEL_ENC, CHANNEL_VERSION),
        ctx.key(CHANNEL_MAC_KEY, KeyUsage.CHANNEL_MAC, CHANNEL_VERSION),
        ctx.key(CHANNEL_DEK_KEY, KeyUsage.CHANNEL_DEK, CHANNEL_VERSION),
    )


def counter_file(ctx: Context) -> ElementaryFile | None:
    """Where the sequence counter is; None as long as no channel was opened."""
    return ctx.session.directory.by_fid.get(COUNTER_FID)


def _counter(ctx: Context, algorithm: Algorithm) -> bytes:
    size, file = _COUNTERS[algorithm], counter_file(ctx)
    found = bytes(size) if file is None else file.read_binary(0, size)
    if found == b"\xff" * size:
        text = "the channel's sequence counter has come to its end"
        raise StatusError(SW.CONDITIONS_NOT_SATISFIED, text)
    return found


def _count(ctx: Context, algorithm: Algorithm) -> None:
    """The counter's next number, durably, before the channel is open (GP E.3.2)."""
    number = int.from_bytes(_counter(ctx, algorithm)) + 1
    size = _COUNTERS[algorithm]
    file = counter_file(ctx)
    if file is None:
        header = FileHeader(FileKind.TRANSPARENT, COUNTER_FID, NEVER, NEVER, size=size)
        ctx.tree.add_file(ctx.session.directory, header)
        file = ctx.session.directory.by_fid[COUNTER_FID]
    file.update_binary(0, number.to_bytes(size))
