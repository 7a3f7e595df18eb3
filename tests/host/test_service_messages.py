# SPDX-License-Identifier: Apache-2.0
"""The messages of the local service: what is a call, what is a PIN, and what is neither."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from servicebench import in_a_loop, serving, told

from host.service.messages import Call, Malformed, Typed, parse, read_object

BASIC = {"function": "iReadCardBas", "iType": 3}
LONG = 64 * 1024

BAD = [
    (b"", "no JSON"),
    (b"{", "no JSON"),
    (b"\xff\xfe", "no JSON in UTF-8"),
    ("[" * 100_000, "no JSON"),
    (b"[]", "no JSON object"),
    (b'"iReadCardBas"', "no JSON object"),
    (b'{"function":"iReadCardBas","iType":NaN}', "NaN"),
    (b'{"function":"iReadCardBas","iType":1,"iType":2}', "twice"),
    (b"{}", "function: must be there"),
    (b'{"function":7}', "function: must be there, and a string"),
    (b'{"function":"iReadCardBas","iType":1.5}', "iType: must be a string or a whole number"),
    (b'{"function":"iReadCardBas","iType":true}', "iType: must be a string or a whole number"),
    (b'{"function":"iReadCardBas","iType":null}', "iType: must be"),
    (b'{"function":"iReadCardBas_HSM_Step2","pKey":["x"]}', "pKey: must be"),
    (b'{"function":"iReadCardBas","iType":' + b"9" * 16 + b"}", "iType: a number of less than"),
    (b'{"function":"iReadCardBas","iType":' + b"9" * 5000 + b"}", "no JSON"),
    (b'{"function":"iReadCardBas","self":1}', "iReadCardBas: there are no parameters but iType"),
    (b'{"function":"iReadCardBas_HSM_Step2","pKey":"\\ud800"}', "half a character"),
    (b'{"function":"iReadCardBas","id":1.5}', "id: must be"),
    (b'{"function":"iReadCardBas","id":true}', "id: must be"),
    (b'{"function":"iReadCardBas","id":"' + b"x" * 65 + b'"}', "id: must be no longer"),
    (b'{"function":"iReadCardBas","id":' + b"9" * 16 + b"}", "id: a number of less"),
]


@pytest.mark.parametrize(("raw", "why"), BAD)
@in_a_loop
async def test_what_is_no_call_is_refused_with_the_rule(raw: bytes | str, why: str) -> None:
    raw = raw.encode() if isinstance(raw, str) else raw
    with pytest.raises(Malformed, match=why.replace("(", "\\(")):
        parse(raw)
    if len(raw) > LONG:
        return
    async with serving() as caller:
        status, body = await caller.post(raw=raw)
        assert (400, -14) == (status, body["code"])
        assert why in body["pOutInfo"]
        if b"\xff" in raw:
            return
        async with caller.socket() as socket:
            await socket.send_str(raw.decode())
            assert body == await socket.receive_json()
            assert 0 == (await told(socket, BASIC))["code"]


@pytest.mark.parametrize(
    "name",
    ["call", "__init__", "iread", "IReadCardBas", "i", "iReadCardBas ", "iRead_Card", "i读卡"],
)
@in_a_loop
async def test_a_function_of_another_kind_of_name_is_unknown(name: str) -> None:
    async with serving() as caller:
        status, body = await caller.post({"function": name, "id": 3})
        assert (400, -13, 3) == (status, body["code"], body["id"])
        assert [] == caller.bench.calls


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
names = st.sampled_from(["function", "id", "pin", "cancel", "token", "iType", "pKey"]) | st.text()


@given(st.dictionaries(names, anything).map(json.dumps) | st.text() | st.binary())
def test_any_message_is_a_call_a_pin_or_a_refusal(raw: str | bytes) -> None:
    try:
        found = parse(raw)
    except Malformed as error:
        assert str(error)
    else:
        assert isinstance(found, Call | Typed)


@given(st.text(min_size=7), st.sampled_from(["pin", "pKey", "id", "x", "function", "token"]))
def test_no_refusal_repeats_what_was_sent(text: str, name: str) -> None:
    for message in ({name: [text]}, {name: text, text: 1}, {text: name}, [text], text):
        for raw in (json.dumps(message), json.dumps(message)[:-1]):
            try:
                parse(raw)
            except Malformed as error:
                assert text not in f"{error} {error.__cause__}"


def test_secrets_of_a_call_are_not_in_its_text() -> None:
    call = parse('{"function": "iReloadPIN_HSM_Step3", "pKey": "871403"}')
    typed = parse('{"pin": "871403"}')
    assert "871403" not in f"{call!r} {call} {typed!r} {typed}"


def test_a_message_is_read_whole() -> None:
    assert {"pKey": "张三😀", "id": 1} == read_object('{"pKey": "张三\\ud83d\\ude00", "id": 1}')
