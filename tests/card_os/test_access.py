# SPDX-License-Identifier: Apache-2.0
"""Conditions are judged as they read, by themselves and at the files of a chip."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, combinations

import pytest
from benchplan import BY_LABEL, FILES, BenchFile, holds, path_to
from hypothesis import given
from hypothesis import strategies as st
from testbench import PROVE, bench, blank, command, go_to, send_all, sw, verify

from apdu.errors import FormatError
from apdu.wire.access import (
    ALWAYS,
    MAX_DEPTH,
    MAX_PARTS,
    NEVER,
    Access,
    AllOf,
    AnyOf,
    Key,
    Pin,
    all_of,
    any_of,
)
from apdu.wire.iso7816 import (
    READ_BINARY,
    READ_RECORD,
    UPDATE_BINARY,
    UPDATE_RECORD,
    RecordRef,
    RecordTarget,
    SfiOffset,
)
from apdu.wire.perso import CREATE_FILE, FileHeader, FileKind, KeyRef
from card_os.access import (
    NOTHING_PROVEN,
    SecurityStatus,
    key_proof,
    met,
    pin_proof,
    rule,
    without_local,
)

REFERENCES = (0x00, 0x01, 0x7F, 0x80, 0x81, 0xFF)
proofs = st.builds(Pin, st.sampled_from(REFERENCES)) | st.builds(Key, st.sampled_from(REFERENCES))


def nested(inner: st.SearchStrategy[Access]) -> st.SearchStrategy[Access]:
    parts = st.lists(inner, min_size=2, max_size=4).map(tuple)
    return st.builds(AllOf, parts) | st.builds(AnyOf, parts)


conditions = st.recursive(st.just(ALWAYS) | st.just(NEVER) | proofs, nested, max_leaves=12)
statuses = st.sets(proofs)


def status_of(proven: Iterable[Pin | Key]) -> SecurityStatus:
    return frozenset(
        pin_proof(each.reference) if isinstance(each, Pin) else key_proof(each.kid)
        for each in proven
    )


def subsets(items: Iterable[Pin | Key]) -> Iterable[tuple[Pin | Key, ...]]:
    every = tuple(items)
    return chain.from_iterable(combinations(every, n) for n in range(len(every) + 1))


def named(condition: Access) -> set[Pin | Key]:
    """The proofs that a condition speaks of."""
    if isinstance(condition, AllOf | AnyOf):
        return set().union(*map(named, condition.parts))
    return {condition} if isinstance(condition, Pin | Key) else set()


@given(conditions, statuses)
def test_a_condition_is_met_exactly_when_it_reads_as_met(
    condition: Access, proven: set[Pin | Key]
) -> None:
    assert holds(condition, proven) == met(rule(condition), status_of(proven))


@given(conditions)
def test_every_combination_of_the_proofs_named_is_judged_as_it_reads(condition: Access) -> None:
    judged = rule(condition)
    for proven in subsets(sorted(named(condition), key=repr)[:8]):
        assert holds(condition, proven) == met(judged, status_of(proven))


@given(conditions, statuses, statuses)
def test_proving_more_never_closes_what_was_open(
    condition: Access, proven: set[Pin | Key], more: set[Pin | Key]
) -> None:
    judged = rule(condition)
    assert not met(judged, status_of(proven)) or met(judged, status_of(proven | more))


@given(conditions)
def test_a_rule_has_no_alternative_that_asks_for_more_than_another(condition: Access) -> None:
    judged = rule(condition)
    for one, other in combinations(judged, 2):
        assert not one <= other and not other <= one


def test_a_pin_and_a_key_of_one_number_are_different_proofs() -> None:
    for number in REFERENCES:
        assert not met(rule(Pin(number)), frozenset({key_proof(number)}))
        assert not met(rule(Key(number)), frozenset({pin_proof(number)}))


@given(statuses)
def test_leaving_a_df_forgets_local_proofs_and_no_others(proven: set[Pin | Key]) -> None:
    kept = {
        each for each in proven if (each.reference if isinstance(each, Pin) else each.kid) < 0x80
    }
    assert status_of(kept) == without_local(status_of(proven))


def test_always_asks_for_nothing_and_never_cannot_be_met() -> None:
    everything = status_of(Pin(n) for n in range(256)) | status_of(Key(n) for n in range(256))
    assert met(rule(ALWAYS), NOTHING_PROVEN)
    assert not met(rule(NEVER), everything)
    assert not met(rule(all_of(ALWAYS, NEVER)), everything)
    assert met(rule(any_of(NEVER, ALWAYS)), NOTHING_PROVEN)


def test_the_largest_condition_that_can_be_written_becomes_a_rule_at_once() -> None:
    """Eight or-pairs joined by and have 2 to the power of 8 ways; a card must still mount."""
    pairs = [any_of(Pin(n), Key(n)) for n in range(MAX_PARTS)]
    judged = rule(all_of(*pairs))
    assert met(judged, status_of(Pin(n) for n in range(MAX_PARTS)))
    assert not met(judged, status_of(Pin(n) for n in range(1, MAX_PARTS)))
    assert MAX_DEPTH == 4


# 146 bytes that could be met in 8 to the power of 8 ways
TOO_MANY_WAYS = all_of(*(any_of(*(Pin(8 * i + j) for j in range(8))) for i in range(8)))


def test_a_condition_with_too_many_ways_to_meet_it_is_refused_before_it_reaches_memory() -> None:
    with pytest.raises(FormatError):
        rule(TOO_MANY_WAYS)
    chip = blank()
    before = chip.snapshot()
    for read, update in ((TOO_MANY_WAYS, NEVER), (NEVER, TOO_MANY_WAYS)):
        header = FileHeader(FileKind.TRANSPARENT, 0x2F01, read, update, size=1)
        assert b"\x6a\x80" == chip.transmit(command(CREATE_FILE, None, header))
    assert before == chip.snapshot()


# At the files: every combination of what can be proven in a directory, against every file in it.

ACCESS_CASES = [
    pytest.param(file, id=f"{file.where} {file.number}") for file in FILES if file.has_sfi
]


def proofs_of(label: str) -> dict[Pin | Key, bytes]:
    """What can be proven in a directory, and the command that does."""
    application = path_to(label)[:1] and path_to(label)
    found: dict[Pin | Key, bytes] = {}
    for directory in application:
        if application[0].label != "SSSE":
            continue  # neither MF nor debit application knows a PIN
        for reference, pin in directory.pins.items():
            if reference < 0x80 or directory.label == label:
                found[Pin(reference)] = verify(pin.value, reference)
        for kid in directory.keys:
            if kid < 0x80 or directory.label == label:
                found[Key(kid)] = command(PROVE, KeyRef(kid))
    return found


@pytest.mark.parametrize("file", ACCESS_CASES)
def test_a_file_opens_for_exactly_the_combinations_in_its_condition(file: BenchFile) -> None:
    chip = bench()
    available = proofs_of(file.where)
    assert BY_LABEL[file.where].label == file.where
    for proven in subsets(available):
        chip.reset()
        send_all(chip, go_to(file.where))
        send_all(chip, [available[each] for each in proven])
        if file.kind is FileKind.TRANSPARENT:
            assert isinstance(file.content, bytes)
            content = file.content[:200]
            read = command(READ_BINARY, SfiOffset(file.sfi), ne=len(content))
            update = command(UPDATE_BINARY, SfiOffset(file.sfi), content)
        else:
            content = file.content[0] if file.kind is not FileKind.CYCLIC else file.content[1]
            read = command(READ_RECORD, RecordRef(1, file.sfi))
            update = command(UPDATE_RECORD, RecordTarget(1, file.sfi), content)
        may_read, may_update = holds(file.read, proven), holds(file.update, proven)
        assert (content if may_read else b"") + (b"\x90\x00" if may_read else b"\x69\x82") == (
            chip.transmit(read)
        )
        assert (0x9000 if may_update else 0x6982) == sw(chip.transmit(update))
