# SPDX-License-Identifier: Apache-2.0
"""The card's signatures (动态数据认证): DDA, CDA and fDDA, under RSA or SM2.

What is signed is the matter of `apdu.crypto.oda_sign` and `gmcert_sign`; here is with which key,
and of which transaction. The ICC dynamic number (IC卡动态数) is the ATC (profile choice
`icc-dynamic-number`).
"""

from __future__ import annotations

from typing import Final

from apdu.crypto import gmcert_sign, oda_sign, sm2
from apdu.crypto.rsa import CrtParts, RsaPrivateKey
from apdu.errors import FormatError, StatusError
from apdu.sw import SW
from apdu.wire.oda import DynamicData
from apdu.wire.pboc.groups import RSA_DP, RSA_DQ, RSA_P, RSA_Q, RSA_QINV, SM2_PRIVATE
from apdu.wire.perso import Algorithm
from card_os.apps.pboc.groups import read_group
from card_os.apps.pboc.profile import Route, profile_of
from card_os.apps.pboc.transaction import current
from card_os.dispatch import Context
from card_os.files.tree import Directory

CardKey = RsaPrivateKey | sm2.PrivateKey
_NOT_MADE: Final = "the card's key and these data make no signature"
_CRT_PARTS: Final = (RSA_P, RSA_Q, RSA_DP, RSA_DQ, RSA_QINV)


def card_key(ctx: Context, route: Route) -> CardKey:
    """The private key that goes with the algorithm of the route; kept while there is power.

    StatusError 6985 when the card has none, or one that is not whole.
    """
    directory = ctx.session.directory
    signers = profile_of(directory).signers
    found: CardKey | None = signers.get(route.algorithm)
    if found is None:
        try:
            found = signers[route.algorithm] = _made(directory, route.algorithm)
        except FormatError as error:
            raise StatusError.of(SW.CONDITIONS_NOT_SATISFIED, error) from None
    return found


def _made(directory: Directory, algorithm: Algorithm) -> CardKey:
    if algorithm is Algorithm.SM4:
        return sm2.PrivateKey(read_group(directory, SM2_PRIVATE) or b"")
    return RsaPrivateKey.from_crt(
        CrtParts(*(read_group(directory, number) or b"" for number in _CRT_PARTS))
    )


def sign_dynamic(ctx: Context, route: Route, terminal: bytes) -> bytes:
    """9F4B of DDA, in the transaction that is going on. `terminal`: what it sent for the DDOL.

    StatusError 6985 as `card_key`, 6400 when the signature could not be made.
    """
    return dynamic_signature(ctx, route, current(ctx).atc, terminal)


def dynamic_signature(ctx: Context, route: Route, atc: bytes, terminal: bytes) -> bytes:
    """As `sign_dynamic`, for a transaction that is still to begin: fDDA signs what GPO answers.

    `atc`: 2 bytes. `terminal`: what `fdda_data` makes.
    """
    key, said = card_key(ctx, route), DynamicData(atc)
    try:
        if isinstance(key, RsaPrivateKey):
            return oda_sign.sign_dynamic(key, said, terminal, ctx.random)
        return gmcert_sign.sign_dynamic(key, said, terminal, ctx.random)
    except (FormatError, ArithmeticError):
        raise StatusError(SW.EXECUTION_ERROR, _NOT_MADE) from None


def sign_combined(
    ctx: Context, route: Route, cid: int, ac: bytes, hash_input: bytes, unpredictable: bytes
) -> bytes:
    """9F4B of CDA (EMV Book 2 6.6). `ac`: 8 bytes. `unpredictable`: 9F37, 4 bytes.

    `hash_input`: the values sent for PDOL, CDOL1 and, with the second GENERATE AC, CDOL2, then
    the TLVs of the answer without 9F4B. StatusErrors as of `sign_dynamic`.
    """
    key, number = card_key(ctx, route), current(ctx).atc
    try:
        if isinstance(key, RsaPrivateKey):
            return oda_sign.sign_combined(
                key, number, cid, ac, hash_input, unpredictable, ctx.random
            )
        return gmcert_sign.sign_combined(
            key, number, cid, ac, hash_input, unpredictable, ctx.random
        )
    except (FormatError, ArithmeticError):
        raise StatusError(SW.EXECUTION_ERROR, _NOT_MADE) from None
