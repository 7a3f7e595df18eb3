# SPDX-License-Identifier: Apache-2.0
"""Whether what came makes a whole card: asked once, before the application is put in use.

What is missing is refused with 6985, what contradicts itself with 6A80.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from apdu.crypto.rsa import RsaPrivateKey
from apdu.errors import Fact, FormatError, StatusError
from apdu.sw import SW
from apdu.tlv import Tlv, find, parse
from apdu.wire.cryptogram import Cvn
from apdu.wire.gmcert import Sm2IccCertificate
from apdu.wire.pboc import tags
from apdu.wire.pboc.answers import parse_afl
from apdu.wire.pboc.application import DEBIT_AID
from apdu.wire.pboc.flags import Aip
from apdu.wire.pboc.groups import CHECK_VALUES, CONTACT_FCI, CONTACTLESS_FCI, Way
from card_os.apps.pboc.cryptogram import TERMINAL_DATA
from card_os.apps.pboc.groups import read_group
from card_os.apps.pboc.keys import check_keys, has_keys
from card_os.apps.pboc.profile import DataList, Profile, Route, profile_of
from card_os.apps.pboc.signatures import CardKey, card_key
from card_os.dispatch import Context
from card_os.files.tree import Directory

_CVN_AT: Final = 2
_OTHER_KEY: Final = "the key to sign with is not that of the certificate (9F46)"
_DYNAMIC: Final = int(Aip.DDA | Aip.CDA)


def check_whole(ctx: Context) -> Profile:
    """The profile of an application that can be put in use. StatusError 6985 or 6A80 if not."""
    directory = ctx.session.directory
    try:
        profile = profile_of(directory)
        _check_fcis(directory, profile)
        _check_routes(ctx, directory, profile)
    except FormatError as error:
        raise StatusError.of(SW.WRONG_DATA, error) from None
    return profile


def _missing(text: str, **about: Fact) -> StatusError:
    return StatusError(SW.CONDITIONS_NOT_SATISFIED, text, **about)


def _contradiction(text: str, **about: Fact) -> StatusError:
    return StatusError(SW.WRONG_DATA, text, **about)


def _check_fcis(directory: Directory, profile: Profile) -> None:
    taps = any(way is Way.QPBOC for _, way in profile.routes)
    for number, wanted in ((CONTACT_FCI, True), (CONTACTLESS_FCI, taps)):
        fci = read_group(directory, number)
        if fci is None and wanted:
            raise _missing("there is no FCI (group {group:04X})", group=number)
        if fci is not None:
            template = find(parse(fci), tags.FCI_TEMPLATE)
            name = template and template.find(tags.DF_NAME)
            if name is None or name.value != DEBIT_AID:
                text = "the FCI in group {group:04X} does not name this application"
                raise _contradiction(text, group=number)


def _check_routes(ctx: Context, directory: Directory, profile: Profile) -> None:
    if not any(way is Way.DEBIT for _, way in profile.routes):
        raise _missing("there are no AIP and AFL for a debit in the slot")
    for (algorithm, _), route in profile.routes.items():
        if not route.afl or not route.iad:
            text = "the way of {way} under {algorithm} has no AFL, or no 9F10"
            raise _missing(text, way=route.way.name, algorithm=algorithm.name)
        _check_records(directory, route)
        if not has_keys(ctx, algorithm):
            raise _missing("there are no payment keys of {algorithm}", algorithm=algorithm.name)
        values = read_group(directory, CHECK_VALUES[algorithm])
        if values is not None:
            check_keys(ctx, algorithm, values)
        _check_lists(profile, route)
        if route.aip & _DYNAMIC:
            _check_card_key(card_key(ctx, route), route)


def _check_records(directory: Directory, route: Route) -> None:
    """Every record that the AFL names is there, and is one template 70."""
    for entry in parse_afl(route.afl):
        for number in range(entry.first, entry.last + 1):
            found = read_group(directory, entry.sfi << 8 | number)
            if found is None:
                text = "the AFL names record {number} of SFI {sfi:02X}, which is not there"
                raise _missing(text, number=number, sfi=entry.sfi)
            items: list[Tlv] = parse(found)
            if [item.tag for item in items] != [tags.RECORD_TEMPLATE]:
                text = "record {number} of SFI {sfi:02X} is not one template 70"
                raise _contradiction(text, number=number, sfi=entry.sfi)


def _check_lists(profile: Profile, route: Route) -> None:
    """The terminal is asked for all that the cryptogram is computed over."""
    wanted = TERMINAL_DATA.lengths
    if route.way is Way.QPBOC:
        _check_list(profile.contactless_pdol, {**wanted, tags.TTQ: 4})
        return
    if route.iad[_CVN_AT] == Cvn.CVN_17:
        wanted = {tag: wanted[tag] for tag in (tags.AMOUNT, tags.UNPREDICTABLE_NUMBER)}
    _check_list(route.cdol1, wanted)
    _check_list(route.cdol2, {**wanted, tags.ARC: 2})


def _check_list(found: DataList, wanted: Mapping[int, int]) -> None:
    """`wanted`: tags and their lengths."""
    for tag, length in wanted.items():
        place = found.places.get(tag)
        if place is None or place.length != length:
            text = "a data object list does not ask for {tag:04X} with {length} bytes"
            raise _missing(text, tag=tag, length=length)


def _check_card_key(key: CardKey, route: Route) -> None:
    """The private key is the certificate's, as far as a card can see without the issuer's key:
    under RSA by the exponent and the part of the modulus that stands beside the certificate."""
    certificate = route.elements.get(tags.ICC_CERTIFICATE)
    if certificate is None:
        raise _missing("there is a key to sign with, and no certificate (9F46) of it")
    if not isinstance(key, RsaPrivateKey):
        if Sm2IccCertificate.parse(certificate).key != key.public.value:
            raise _contradiction(_OTHER_KEY)
        return
    exponent = route.elements.get(tags.ICC_EXPONENT)
    if exponent is None:
        raise _missing("there is no exponent (9F47) of the key to sign with")
    rest = route.elements.get(tags.ICC_REMAINDER, b"")
    if exponent != key.public.exponent or not key.public.modulus.endswith(rest):
        raise _contradiction(_OTHER_KEY)
