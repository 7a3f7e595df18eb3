# SPDX-License-Identifier: Apache-2.0
"""Who may come in: the Host, Origin and token of a request. This file knows no sockets.

- Host: a page elsewhere can point a name of its own at 127.0.0.1 (DNS rebinding), but cannot change
  the Host that the browser sends.
- Origin: the browser says which page calls; only pages that were named may, by their exact origin.
- Token: other programs on this machine have no Origin to tell them by.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from hmac import compare_digest
from typing import Final

from apdu.errors import FormatError
from apdu.secret import Secret
from host.driver import Code

PROTOCOL: Final = "sscard.v1"
"""The WebSocket protocol that is spoken."""
SECOND_PROTOCOL: Final = "token."
"""Before the token, where it comes as a second WebSocket protocol."""

_BEARER: Final = "bearer "
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{16,256}")
_ORIGIN: Final = re.compile(r"([a-z][a-z0-9+.-]*)://([a-z0-9._-]+|\[[0-9a-f:]+\])(:[0-9]{1,5})?")
_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}


class Refused(Exception):
    """A request that is not let in: an HTTP status, a code for callers, a sentence."""

    def __init__(self, status: int, sentence: str, code: Code = Code.NOT_CONNECTED) -> None:
        super().__init__(sentence)
        self.status = status
        self.code = code


def checked_token(text: str) -> Secret:
    """A token that can stand in every place where tokens come: FormatError for another."""
    if not _TOKEN.fullmatch(text):
        raise FormatError("token: must be 16 to 256 letters, digits, - or _")
    return Secret(text.encode())


def checked_origin(text: str) -> str:
    """An origin as browsers write it: FormatError for what they never send, such as a path."""
    match = _ORIGIN.fullmatch(text)
    if not match:
        raise FormatError(
            f"origin {text!a}: must be scheme://host or scheme://host:port, in lower case, no path"
        )
    scheme, _, port = match.groups()
    if port and port == _DEFAULT_PORTS.get(scheme):
        raise FormatError(f"origin {text!a}: browsers leave out {port}, the usual port")
    return text


@dataclass(frozen=True, slots=True)
class Door:
    """The rules of one service: its token, its own port, and the pages that may call."""

    token: Secret
    port: int
    origins: frozenset[str] = frozenset()

    @property
    def hosts(self) -> tuple[str, ...]:
        """The names under which the service may be called."""
        return tuple(f"{name}:{self.port}" for name in ("127.0.0.1", "localhost", "[::1]"))

    def check(self, host: str | None, origins: Iterable[str], query: str) -> str | None:
        """The origin that may read the answer, None for a program without one.

        Raises Refused. A query is refused whatever is in it: it would stand in logs and histories.
        """
        if host is None or host.lower() not in self.hosts:
            raise Refused(403, "Host: this service is 127.0.0.1 or localhost, with its port")
        given = list(origins)
        if len(given) > 1 or (given and not self._may_call(given[0])):
            raise Refused(403, "Origin: this page may not call; start the service with --origin")
        if query:
            raise Refused(400, "nothing goes behind a ? in the address", Code.PARAMETER)
        return given[0] if given else None

    def _may_call(self, origin: str) -> bool:
        return origin in self.origins or origin in {f"http://{host}" for host in self.hosts}

    def knows(self, token: Secret) -> bool:
        """Whether this is the token, in a time that does not depend on what is wrong with it."""
        return compare_digest(self.token.reveal(), token.reveal())

    def brought(self, authorization: str | None, protocols: Iterable[str] = ()) -> bool:
        """Whether the headers bring the token; False when they bring none.

        Raises Refused for a wrong one.
        """
        given = [
            p.removeprefix(SECOND_PROTOCOL) for p in protocols if p.startswith(SECOND_PROTOCOL)
        ]
        if authorization is not None:
            if not authorization.lower().startswith(_BEARER):
                raise Refused(401, "Authorization: must be Bearer and the token")
            given.append(authorization[len(_BEARER) :].strip())
        # A header may hold bytes that are no text: they come as surrogates.
        tokens = [Secret(each.encode("utf-8", "surrogateescape")) for each in given]
        if not all([self.knows(token) for token in tokens]):
            raise Refused(401, "the token is wrong")
        return bool(tokens)
