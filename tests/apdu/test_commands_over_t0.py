# SPDX-License-Identifier: Apache-2.0
"""Over T=0 no Le stands behind data (ISO 7816-3 12.2): what is answered waits behind 61xx."""

from __future__ import annotations

import pytest
from strategies import FORMS

from apdu.wire.form import CommandForm


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_a_command_with_data_and_le_may_come_without_le(form: CommandForm) -> None:
    assert 4 not in form.cases or 3 in form.cases
