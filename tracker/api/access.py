"""Access: what stands before every endpoint. Basic authentication, and bounds on a request's size.

Promise: a path that isn't listed as open is answered to holders of a key alone, be it there or not.
"""

import binascii
from base64 import b64decode
from collections.abc import Collection, Mapping
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tracker.api.answer import Refused, refusal
from tracker.api.keys import ApiKeys

USER: Final = "api"  # the user name that Mailgun's clients send
MOST_TARGET_BYTES: Final = 8_192
MOST_BODY_BYTES: Final = 1 << 20
TOO_LARGE: Final = "a request's body takes {} bytes"


class Bounded:
    """Refuse a request that is larger than its endpoint needs, before anything reads it.

    `roomy` gives the paths that take more, and how many bytes of a body each of them takes. Only
    these take a body whose length isn't known beforehand; one that turns out to be larger raises
    Refused where it is read.
    """

    def __init__(self, app: ASGIApp, roomy: Mapping[str, int]) -> None:
        self._app = app
        self._roomy = roomy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 411, 413 or 414, or let the request through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        length = headers.get("content-length", "0")
        room = self._roomy.get(scope["path"])
        most = room or MOST_BODY_BYTES
        if len(scope["raw_path"]) + len(scope["query_string"]) > MOST_TARGET_BYTES:
            answer = refusal(f"a request's URL takes {MOST_TARGET_BYTES} bytes", 414)
        elif "transfer-encoding" in headers and not room:
            answer = refusal("a request's body needs a Content-Length", 411)
        elif not length.isdecimal() or int(length[:16]) > most:
            answer = refusal(TOO_LARGE.format(most), 413)
        else:
            await self._app(scope, _counted(receive, most), send)
            return
        await answer(scope, receive, send)


def _counted(receive: Receive, most: int) -> Receive:
    """Receive a body up to its bound, whatever length it claims. Raises Refused."""
    taken = 0

    async def counted() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > most:
            raise Refused(TOO_LARGE.format(most), 413)
        return message

    return counted


class Authenticated:
    """Ask for a key, as the password of the user `api` (RFC 7617), on every path but the open."""

    def __init__(self, app: ASGIApp, keys: ApiKeys, open_paths: Collection[str]) -> None:
        self._app = app
        self._keys = keys
        self._open = frozenset(open_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 401, or let the request through."""
        if scope["type"] != "http" or scope["path"] in self._open or self._knows(scope):
            await self._app(scope, receive, send)
            return
        challenge = {"WWW-Authenticate": 'Basic realm="api", charset="UTF-8"'}
        answer = refusal("a valid API key is needed, as the password of `api`", 401, challenge)
        await answer(scope, receive, send)

    def _knows(self, scope: Scope) -> bool:
        scheme, _, credentials = Headers(scope=scope).get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            user, _, key = b64decode(credentials.strip(), validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            return False
        return self._keys.accept(key) and user == USER
