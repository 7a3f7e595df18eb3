# SPDX-License-Identifier: Apache-2.0
"""The private keys of the PKI application never leave the chip, whatever is sent to it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from pkibench import (
    ADMIN,
    DIGEST,
    SESSION,
    WORK,
    Holder,
    generate,
    load_session,
    sign,
    stored,
    with_key_pair,
)
from secretscan import leaks
from strategies import FORMS, layout_values, near, params
from testbench import select_df, sw

from apdu.wire import pki_commands
from apdu.wire.form import CommandForm
from apdu.wire.pki import ENCIPHERMENT, PAIRS, PrivateKeyContent
from apdu.wire.pki_commands import SessionKeyData
from card_os.nvm import Flash


def test_no_answer_to_any_read_holds_a_private_key() -> None:
    holder = with_key_pair()
    assert 0x9000 == holder.send(generate(ENCIPHERMENT))
    assert [0x9000, 0x9000] == [holder.verify(ADMIN), holder.authenticate()]
    keys = [stored(holder, pair) for pair in PAIRS]
    assert all(len(key) == 32 for key in keys)
    said = []
    for sfi in range(32):
        for p1p2 in (0x8000 | sfi << 8, 0x8002 | sfi << 8):
            said.append(holder.chip.transmit(bytes((0x00, 0xB0)) + p1p2.to_bytes(2) + b"\0\0\0"))
        for mode in (0, 4, 5):
            said.append(holder.chip.transmit(bytes((0x00, 0xB2, 0x01, sfi << 3 | mode, 0x00))))
    for fid in range(0x0010, 0x001C):
        holder.chip.transmit(select_df(fid))
        said.append(holder.chip.transmit(bytes.fromhex("00B0000000")))
        said.append(holder.chip.transmit(bytes.fromhex("00B0000200")))
    said += [holder.chip.transmit(raw) for raw in (*WORK.values(), sign(), sign(DIGEST))]
    assert [] == leaks(said, keys, [])
    assert [] != leaks([b"\xcb\x20" + keys[0]], keys, [])


OURS = [form for form in vars(pki_commands).values() if isinstance(form, CommandForm)]


@st.composite
def formed(draw: st.DrawFn) -> bytes:
    """A command of the application or of any other, with data that is right for it or any."""
    form = draw(st.sampled_from(OURS) | st.sampled_from(FORMS))
    p1p2 = form.params.number(draw(params(form)))
    right = layout_values(form.data) if isinstance(form.data, type) else st.binary(max_size=40)
    data = draw(right)
    raw = data if isinstance(data, bytes) else bytes(data)
    head = bytes((form.cla | draw(st.sampled_from([0, 0, 4])), form.ins)) + p1p2.to_bytes(2)
    le = draw(st.sampled_from([b"", b"\0", b"\x40"]))
    return head + (bytes((len(raw),)) + raw if 0 < len(raw) < 256 else b"") + le


_READY = bytes(with_key_pair().flash.cells)
usual = st.sampled_from([*WORK.values(), bytes.fromhex("0084000010"), bytes.fromhex("00C0000000")])
anything = near(formed()) | near(usual) | st.binary(max_size=12)


@settings(max_examples=150)
@given(sequence=st.lists(anything, max_size=10), proven=st.booleans())
def test_any_bytes_get_an_answer_and_no_answer_holds_a_private_key(
    sequence: list[bytes], proven: bool
) -> None:
    holder = Holder(Flash(bytearray(_READY)))
    if proven:
        assert 0x9000 == holder.verify()
    key = stored(holder)
    said = []
    for raw in sequence:
        answer = holder.chip.transmit(raw)
        assert len(answer) >= 2
        assert sw(answer) != 0x6F00
        said.append(answer)
    assert not any(key[:8] in answer or key[8:16] in answer for answer in said)


def test_whatever_the_chip_shows_of_itself_holds_no_private_key() -> None:
    holder = with_key_pair()
    assert 0x9000 == holder.send(load_session())
    session = holder.chip._ctx.session
    said = [repr(session.scratch), str(session.scratch), repr(holder.chip)]
    said += [repr(PrivateKeyContent(stored(holder))), repr(SessionKeyData(SESSION))]
    assert [] == leaks(said, [stored(holder), SESSION, holder.master], [])
