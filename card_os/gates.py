# SPDX-License-Identifier: Apache-2.0
"""From a C-APDU to its answer: the gates, in the one order in which this chip judges.

     1  lengths Lc and Le make sense                    6700
     2  the instruction is known                        6D00
     3  the class is the one declared                   6E00, channel 6881, messaging 6882,
                                                        chaining 6884
     4  the command exists at this stage of life        6985, a terminated chip 6A81
     5  a chain is complete                             6883; 9000 while it is not
     6  secure messaging is there and right             6987, 6988; all that was proven is forgotten
     7  case, and number of data bytes                  6700
     8  P1-P2                                           6A86
     9  data                                            6A80
    10  access condition                                6982
    11  the handler

From gate 7 on the data is what was protected. Handlers contain no permission checks. Status
words raised anywhere below end here, and their reasons with them (`card_os.refusal`): which gate
it was is said where a command is stopped, so that a command that passes pays nothing for it.
"""

from __future__ import annotations

from typing import Any, Final

from apdu import cla as class_byte
from apdu.command import SHORT_NE, decode
from apdu.errors import FormatError, StatusError
from apdu.flow import OK, deliver
from apdu.sw import SW
from apdu.wire.iso7816 import GET_RESPONSE
from card_os.access import FREE, NOTHING_PROVEN, Rule, met
from card_os.dispatch import Context, Entry, Protection
from card_os.refusal import Gate, Noted
from card_os.session import INITIALISATION, TERMINATED, Stage

_GET_RESPONSE: Final = bytes((GET_RESPONSE.ins,))
_WRONG_LENGTH: Final = SW.WRONG_LENGTH.to_bytes(2)
_WRONG_DATA: Final = SW.WRONG_DATA.to_bytes(2)
_WRONG_LE: Final = SW.WRONG_LE >> 8
_APPENDED: Final = 1
"""Secure messaging bits of CLA 04 and 84: a MAC is appended; what else they may say is refused."""
_STAGES: Final = {
    Stage.INITIALISATION: "personalised",
    Stage.OPERATIONAL: "in use",
    Stage.BLOCKED: "blocked",
    Stage.TERMINATED: "terminated",
    Stage.PERSONALISATION: "being personalised",
}


def answer(ctx: Context, raw: bytes) -> bytes:
    """The R-APDU for any bytes at all."""
    session = ctx.session
    ctx.noted = None
    if session.pending and raw[1:2] != _GET_RESPONSE:
        session.pending = b""
    try:
        cla, ins, p1p2, data, ne = decode(raw)
    except FormatError as error:
        session.incoming.drop()
        _note(ctx, None, StatusError.of(SW.WRONG_LENGTH, error), Gate.LENGTHS)
        return _WRONG_LENGTH
    entry = ctx.table.get(ins)
    try:
        if entry is None:
            raise _unknown(ctx, ins)
        more, secured = _judge_class(cla, entry) if cla != entry.cla else (False, False)
        if not entry.life & session.stage:
            raise _out_of_life(session.stage, entry)
        if more or session.incoming.header is not None:
            whole = _joined(ctx, ins, p1p2, data, more, secured)
            if whole is None:
                return OK
            data = whole
        if secured or not entry.bare:
            data = _open(ctx, entry, raw, data) if secured else _bare(ctx)
        if data:
            fits = entry.cases[3 if ne else 2] and entry.shortest <= len(data) <= entry.longest
        else:
            fits = entry.cases[1 if ne else 0]
        if not fits:
            raise _misfit(entry, data, ne)
        try:
            params = entry.seen[p1p2]
        except KeyError:
            params = _first_seen(entry, p1p2)
        try:
            value = data if entry.parse is None else entry.parse(data)
        except FormatError as error:
            raise _at(Gate.DATA, StatusError.of(SW.WRONG_DATA, error)) from None
        if entry.access is not None:
            try:
                rule = entry.access(ctx, params)
            except StatusError as refused:
                _at(Gate.ACCESS, refused)
                raise
            if rule is not FREE and session.stage != INITIALISATION:
                if not met(rule, session.status):
                    raise _denied(ctx, params, rule)
        ctx.ne = ne
        reply = entry.handler(ctx, params, value)
    except StatusError as refused:
        session.incoming.drop()
        _note(ctx, entry, refused)
        # A warning brings data; it goes out only where the command asked for as much.
        return (refused.data if len(refused.data) <= ne else b"") + refused.sw.to_bytes(2)
    except FormatError as error:
        session.incoming.drop()
        _note(ctx, entry, StatusError.of(SW.WRONG_DATA, error))
        return _WRONG_DATA
    if reply is None:
        return OK
    if len(reply) <= ne == SHORT_NE:  # what `deliver` would say, in the usual case
        return reply + OK
    answered, session.pending = deliver(reply, ne, entry.form.exact)
    if answered[0] == _WRONG_LE and len(answered) == len(OK):
        _note(ctx, entry, _wrong_le(int.from_bytes(answered), ne, len(reply)))
    return answered


def _first_seen(entry: Entry, p1p2: int) -> Any:
    try:
        params = entry.seen[p1p2] = entry.form.params.of(p1p2)
    except FormatError as error:
        raise _at(Gate.PARAMETERS, StatusError.of(SW.WRONG_P1P2, error)) from None
    return params


def _judge_class(cla: int, entry: Entry) -> tuple[bool, bool]:
    """A class byte that is not plainly the declared one: a part of a chain? a protected command?"""
    try:
        found = class_byte.parse(cla)
    except FormatError as error:
        raise _at(Gate.CLASS, StatusError.of(SW.CLA_NOT_SUPPORTED, error)) from None
    if found.base != entry.cla:
        raise _wrong_class(SW.CLA_NOT_SUPPORTED, "{command} has CLA {declared:02X}", cla, entry)
    if found.channel:
        raise _wrong_class(SW.CHANNEL_NOT_SUPPORTED, "there is no channel but 0", cla, entry)
    secured = found.messaging == _APPENDED and entry.messaging is not Protection.NONE
    if found.messaging and (not secured or found.chaining):
        text = "{command} {protection}; that is appended, and to no part of a chain"
        if entry.messaging is Protection.NONE:
            text = "{command} never comes under secure messaging"
        raise _wrong_class(SW.MESSAGING_NOT_SUPPORTED, text, cla, entry)
    if found.chaining and not entry.form.chained:
        raise _wrong_class(SW.CHAINING_NOT_SUPPORTED, "{command} cannot be chained", cla, entry)
    return found.chaining, secured


def _joined(
    ctx: Context, ins: int, p1p2: int, data: bytes, more: bool, secured: bool
) -> bytes | None:
    """The data of a whole chain, None while it is not complete."""
    try:
        if secured:
            raise StatusError(
                SW.CHAINING_NOT_SUPPORTED, "a chain is open, and takes no protected command"
            )
        return ctx.session.incoming.add(ins, p1p2, data, more)
    except StatusError as refused:
        _at(Gate.CHAIN, refused)
        raise


def _open(ctx: Context, entry: Entry, raw: bytes, data: bytes) -> bytes:
    """What a protected command says. When it is not right, nothing that was proven stays so."""
    if ctx.messaging is None:
        text = "{place} has no secure messaging"
        raise StatusError(SW.MESSAGING_NOT_SUPPORTED, text, gate=Gate.MESSAGING)
    try:
        enciphered = entry.messaging is Protection.ENCIPHERED
        return ctx.messaging(ctx, entry.form).open(raw[:4], data, enciphered=enciphered)
    except StatusError as refused:
        ctx.session.status = NOTHING_PROVEN
        _at(Gate.MESSAGING, refused)
        raise


def _bare(ctx: Context) -> bytes:
    """A command that had to be protected and is not."""
    ctx.session.status = NOTHING_PROVEN
    text = "{command} must have a MAC, and came without"
    raise StatusError(ctx.unprotected, text, gate=Gate.MESSAGING)


# Reasons


def _note(
    ctx: Context, entry: Entry | None, refused: StatusError, gate: Gate | None = None
) -> None:
    if gate is not None:
        _at(gate, refused)
    name, spec = (entry.form.name, entry.form.spec) if entry else ("", "")
    ctx.noted = Noted.of(refused, name, spec, ctx.session.directory)


def _at(gate: Gate, refused: StatusError) -> StatusError:
    refused.about.setdefault("gate", gate)
    return refused


def _unknown(ctx: Context, ins: int) -> StatusError:
    text = "{place} knows no instruction {ins:02X}"
    return StatusError(SW.INS_NOT_SUPPORTED, text, ins=ins, gate=Gate.INSTRUCTION)


def _wrong_class(sw: int, text: str, cla: int, entry: Entry) -> StatusError:
    return StatusError(
        sw,
        "CLA {cla:02X}: " + text,
        cla=cla,
        declared=entry.cla,
        protection=entry.messaging.value,
        gate=Gate.CLASS,
    )


def _out_of_life(stage: int, entry: Entry) -> StatusError:
    allowed = " or ".join(word for each, word in _STAGES.items() if entry.life & each)
    return StatusError(
        SW.NOT_SUPPORTED if stage == TERMINATED else SW.CONDITIONS_NOT_SATISFIED,
        "{command} is for {allowed}, and this is {stage}",
        allowed=allowed,
        stage=_STAGES[Stage(stage)],
        gate=Gate.LIFE,
    )


def _misfit(entry: Entry, data: bytes, ne: int) -> StatusError:
    cases = " or ".join(str(case) for case, there in enumerate(entry.cases, 1) if there)
    has_data = any(entry.cases[2:])
    return StatusError(
        SW.WRONG_LENGTH,
        "{command} comes as case {cases}"
        + (" with {shortest} to {longest} data bytes" if has_data else "")
        + "; this is case {case} with {length}",
        cases=cases,
        shortest=entry.shortest,
        longest=entry.longest,
        case=1 + bool(ne) + 2 * bool(data),
        length=len(data),
        gate=Gate.CASE,
    )


def _denied(ctx: Context, params: Any, rule: Rule) -> StatusError:
    """6982: what the rule wants, and what was proven. A target file knows its own rule."""
    aimed = getattr(params, "sfi", None) is not None
    target = {"file": ctx.target.header.fid} if aimed else {}
    return StatusError(
        SW.SECURITY_NOT_SATISFIED,
        "{command}" + (" of {file}" if aimed else "") + " needs {needs}; proven: {proven}",
        needs=rule,
        proven=ctx.session.status,
        gate=Gate.ACCESS,
        **target,
    )


def _wrong_le(sw: int, ne: int, length: int) -> StatusError:
    text = "Le asks for {ne} bytes, and the answer has {length}"
    return StatusError(sw, text, ne=ne, length=length)
