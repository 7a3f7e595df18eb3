# SPDX-License-Identifier: Apache-2.0
"""PUT DATA: the data elements that an issuer may change after issuance (JR/T 0025.5 annex B).

Limits stand in the parameter groups and are replaced there; a balance is in the state, and with it
goes a record of the load log. A load (圈存) tells the new balance, not what is added.
"""

from __future__ import annotations

from dataclasses import replace

from apdu.errors import StatusError
from apdu.sw import SW
from apdu.wire.elements import BY_TAG, Format
from apdu.wire.pboc import tags
from apdu.wire.pboc.amounts import LARGEST_AMOUNT, amount_of
from apdu.wire.pboc.commands import BALANCES, PARAMETERS, PUT_DATA, DataTag
from card_os.apps.pboc import logs
from card_os.apps.pboc.groups import HEAD
from card_os.apps.pboc.profile import Profile, profile_of
from card_os.apps.pboc.scripts import ANSWERING, processing, route_of
from card_os.apps.pboc.state import CardState, store
from card_os.apps.pboc.transaction import current
from card_os.dispatch import CommandTable, Context, Protection

commands = CommandTable()


@commands.on(PUT_DATA, messaging=Protection.MAC, life=ANSWERING)
def put_data(ctx: Context, ref: DataTag, value: bytes) -> None:
    """Replace one element.

    StatusError 6A80 for one that may not be put, and with FormatError for an amount that is none;
    6A88 for one that this card does not have (profile choice `put-absent`), 6700 for another
    length than it has, 6A80 or 6985 when it breaks its rule.
    """
    tag = ref.tag
    with processing(ctx) as state:
        if tag not in PARAMETERS and tag not in BALANCES:
            raise StatusError(SW.WRONG_DATA, "{tag:04X} may not be put", tag=tag)
        profile = profile_of(ctx.session.directory)
        there = profile.parameters.get(tag)
        if there is None:
            text = "this card was personalised without {tag:04X}"
            raise StatusError(SW.REFERENCE_NOT_FOUND, text, tag=tag)
        if len(value) != len(there):
            text = "{tag:04X} has {wanted} bytes, these are {length}"
            facts = {"tag": tag, "wanted": len(there), "length": len(value)}
            raise StatusError(SW.WRONG_LENGTH, text, **facts)
        if BY_TAG[tag].format is Format.NUMERIC:
            amount_of(value)
        if tag in BALANCES:
            _load(ctx, profile, state, tag, amount_of(value))
            return
        if tag == tags.DEDUCTION_LIMIT:
            _judge_deduction(profile, state, amount_of(value))
        _replace(ctx, profile, state, tag, value)


def _load(ctx: Context, profile: Profile, state: CardState, tag: int, new: int) -> None:
    """A new balance and its record in the load log, in one step.

    StatusError 6A80 (9F79), 6985 (DF79) above the balance's limit; a card without one takes none
    but 0. Of 9F79 what segmented deduction has used up (DF63) does not count.
    """
    if tag == tags.EC_BALANCE:
        limit = profile.amount(tags.EC_BALANCE_LIMIT) or 0
        if new - state.deducted > limit:
            text = "the balance would be above its limit (9F77), {limit} fen"
            raise StatusError(SW.WRONG_DATA, text, limit=limit)
        before, after = state.balance, replace(state, balance=new)
    else:
        limit = profile.amount(tags.SECOND_EC_BALANCE_LIMIT) or 0
        if new > limit:
            text = "the second balance would be above its limit, {limit}"
            raise StatusError(SW.CONDITIONS_NOT_SATISFIED, text, limit=limit)
        before, after = state.second_balance, replace(state, second_balance=new)
    transaction = current(ctx)
    entry = logs.load_record(
        profile,
        tag,
        before,
        new,
        transaction.atc,
        (route_of(transaction).cdol1, transaction.first_data),
        (profile.pdol(ctx.session.interface), transaction.options),
    )
    logs.commit_load(ctx, profile, after, entry)


def _judge_deduction(profile: Profile, state: CardState, limit: int) -> None:
    """DF62 must cover what is used up already (6A80), and with the balance's limit fit an amount
    (6985)."""
    if limit < state.deducted:
        text = "{deducted} fen of segmented deduction are used up, and the limit would be less"
        raise StatusError(SW.WRONG_DATA, text, deducted=state.deducted)
    together = limit + (profile.amount(tags.EC_BALANCE_LIMIT) or 0)
    if together > LARGEST_AMOUNT:
        text = "with the balance's limit it would grow beyond an amount, {largest} fen"
        raise StatusError(SW.CONDITIONS_NOT_SATISFIED, text, largest=LARGEST_AMOUNT)


def _replace(ctx: Context, profile: Profile, state: CardState, tag: int, value: bytes) -> None:
    """A parameter in its place."""
    directory = ctx.session.directory
    group, at = profile.places[tag]
    with ctx.nvm.atomic():
        store(directory, state)
        directory.by_fid[group].update_binary(HEAD + at, value)
    directory.made = None
