# SPDX-License-Identifier: Apache-2.0
"""Which command it is: by its instruction, its class, and the application that is selected."""

from __future__ import annotations

from typing import Any, Final

from apdu import cla as class_byte
from apdu.errors import FormatError
from apdu.wire import iso7816, perso
from apdu.wire.form import CommandForm
from apdu.wire.hrss import commands as hrss_commands
from apdu.wire.hrss.spec import DfSpec
from apdu.wire.psam import PSAM
from apdu.wire.psam_commands import WRITE_MASTER_KEY
from host.cli.medical_words import MEDICAL_FORMS
from host.cli.names import BANK, CERTIFICATES, PKI
from host.cli.payment_words import PAYMENT_FORMS
from host.cli.pki_words import PKI_FORMS
from host.cli.psam_words import PSAM_FORMS

Forms = dict[int, CommandForm[Any, Any, Any]]

FORMS: Final[Forms] = {
    form.ins: form
    for form in (
        iso7816.SELECT,
        iso7816.READ_BINARY,
        iso7816.UPDATE_BINARY,
        iso7816.READ_RECORD,
        iso7816.UPDATE_RECORD,
        iso7816.APPEND_RECORD,
        iso7816.VERIFY,
        iso7816.GET_CHALLENGE,
        iso7816.GET_RESPONSE,
        hrss_commands.CHANGE_PIN,
        hrss_commands.PIN_CHANGE_UNBLOCK,
        hrss_commands.INTERNAL_AUTHENTICATE,
        hrss_commands.EXTERNAL_AUTHENTICATE,
        hrss_commands.APPLICATION_BLOCK,
        hrss_commands.APPLICATION_UNBLOCK,
        hrss_commands.CARD_BLOCK,
        perso.CREATE_FILE,
        perso.WRITE_KEY,
        perso.ACTIVATE_FILE,
        perso.DEACTIVATE_FILE,
        perso.TERMINATE_DF,
        *MEDICAL_FORMS,
        *PSAM_FORMS,
    )
}
ON_A_PSAM: Final[Forms] = {WRITE_MASTER_KEY.ins: WRITE_MASTER_KEY}
IN_PKI: Final[Forms] = {form.ins: form for form in PKI_FORMS}
IN_BANK: Final = {(form.cla, form.ins): form for form in PAYMENT_FORMS}
"""By class and instruction, since EXTERNAL AUTHENTICATE of a secure channel is another command than
that of a payment.

These three stand in the place of others, or beside them, once that application is selected."""


def form_of(cla: int, ins: int, directory: DfSpec) -> CommandForm[Any, Any, Any] | None:
    """The command with this class and instruction, sent while this directory is current."""
    if directory is BANK:
        found = IN_BANK.get((cla, ins)) or IN_BANK.get((_base(cla) or 0, ins))
        if found is not None:
            return found
    own = ON_A_PSAM if directory is PSAM else IN_PKI if directory in (PKI, CERTIFICATES) else {}
    form = own.get(ins) or FORMS.get(ins)
    return form if form is not None and form.cla in (cla, _base(cla)) else None


def _base(cla: int) -> int | None:
    try:
        return class_byte.parse(cla).base
    except FormatError:
        return None
