# SPDX-License-Identifier: Apache-2.0
"""The bank's application, and its two directories, as values of the ROM.

One application, two FCIs: which of them SELECT answers, and whether PPSE is there at all, the
interface decides (JR/T 0025.5, 0025.12). What CARD BLOCK has ended is not supported any more: 6A81.
"""

from __future__ import annotations

from apdu.atr import Interface
from apdu.errors import StatusError
from apdu.sw import SW
from apdu.wire.pboc.application import DEBIT_AID, PPSE_NAME, PSE_NAME
from card_os.apps.pboc import (
    channel,
    data,
    dynamic,
    generate_ac,
    issuer_authentication,
    personalisation,
    processing,
    put_data,
    script_commands,
    scripts,
    verification,
)
from card_os.apps.pboc.profile import profile_of
from card_os.apps.pboc.transaction import SELECTED
from card_os.commands import administration, authentication, files
from card_os.dispatch import Application, CommandTable, Context
from card_os.files.tree import Directory


def _debit_fci(ctx: Context, directory: Directory) -> bytes:
    profile = profile_of(directory)
    if ctx.session.interface is Interface.CONTACTLESS:
        return profile.contactless_fci
    return profile.contact_fci


def _contactless_only(ctx: Context, directory: Directory) -> bytes:
    if ctx.session.interface is Interface.CONTACT:
        raise StatusError(SW.FILE_NOT_FOUND, "PPSE is there for contactless readers alone")
    return directory.header.fci


DEBIT = Application(
    "DEBIT",
    DEBIT_AID,
    CommandTable(
        files.selection,
        authentication.challenge,
        processing.commands,
        data.commands,
        dynamic.commands,
        generate_ac.commands,
        issuer_authentication.commands,
        verification.commands,
        script_commands.commands,
        put_data.commands,
    ),
    messaging=scripts.messaging,
    scratch=SELECTED,
    fci=_debit_fci,
    ended=SW.NOT_SUPPORTED,
    personalisation=Application(
        "DEBIT, not personalised",
        DEBIT_AID,
        CommandTable(
            files.selection,
            channel.commands,
            personalisation.commands,
            administration.commands,
        ),
        messaging=channel.messaging,
        scratch=channel.CLOSED,
        unprotected=SW.SECURITY_NOT_SATISFIED,
    ),
)
PSE = Application(
    "PSE",
    PSE_NAME,
    CommandTable(files.commands, administration.commands),
    ended=SW.NOT_SUPPORTED,
)
PPSE = Application(
    "PPSE",
    PPSE_NAME,
    CommandTable(files.selection, administration.commands),
    fci=_contactless_only,
    ended=SW.NOT_SUPPORTED,
)
