"""Access: what stands before every endpoint. Basic authentication, and bounds on a request's size.

Promise: a path that isn't listed as open is answered to holders of a key alone, be it there or not.
"""

import binascii
from base64 import b64decode
from collections.abc import Collection
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from tracker.api.answer import refusal
from tracker.api.keys import ApiKeys

USER: Final = "api"  # the user name that Mailgun's clients send
MOST_TARGET_BYTES: Final = 8_192
MOST_BODY_BYTES: Final = 1 << 20


class Bounded:
    """Refuse a request that is larger than any endpoint needs, before anything reads it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 411, 413 or 414, or let the request through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        length = headers.get("content-length", "0")
        if len(scope["raw_path"]) + len(scope["query_string"]) > MOST_TARGET_BYTES:
            answer = refusal(f"a request's URL takes {MOST_TARGET_BYTES} bytes", 414)
        elif "transfer-encoding" in headers:
            answer = refusal("a request's body needs a Content-Length", 411)
        elif not length.isdecimal() or int(length[:16]) > MOST_BODY_BYTES:
            answer = refusal(f"a request's body takes {MOST_BODY_BYTES} bytes", 413)
        else:
            await self._app(scope, receive, send)
            return
        await answer(scope, receive, send)


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
