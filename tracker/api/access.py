"""Access: what stands before every endpoint. Basic authentication, a rate, a bound on the URL.

Promise: a path that isn't listed as open is answered to holders of a key alone, be it there or not.
What the key opens is told in the request's state as `grant`; `tracker.api.operation` holds the
request to it.
"""

import binascii
import math
from base64 import b64decode
from collections.abc import Collection
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from tracker.api.answer import refusal
from tracker.api.grant import Grant
from tracker.api.keys import ApiKeys
from tracker.api.rate import Rates
from tracker.store.database import StoreUnavailable

USER: Final = "api"  # the user name that Mailgun's clients send
MOST_TARGET_BYTES: Final = 8_192


class Bounded:
    """Refuse a request whose URL is longer than any that is asked for."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 414, or let the request through."""
        if (
            scope["type"] == "http"
            and len(scope["raw_path"]) + len(scope["query_string"]) > MOST_TARGET_BYTES
        ):
            answer = refusal(f"a request's URL takes {MOST_TARGET_BYTES} bytes", 414)
            await answer(scope, receive, send)
            return
        await self._app(scope, receive, send)


class Authenticated:
    """Ask for a key, as the password of the user `api` (RFC 7617), on every path but the open."""

    def __init__(
        self, app: ASGIApp, keys: ApiKeys, rates: Rates, open_paths: Collection[str]
    ) -> None:
        self._app = app
        self._keys = keys
        self._rates = rates
        self._open = frozenset(open_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, or answer 401, 429 to a key that asks too often, or 503."""
        if scope["type"] != "http" or scope["path"] in self._open:
            await self._app(scope, receive, send)
            return
        try:
            grant = await self._grant(scope)
        except StoreUnavailable as error:
            await refusal(str(error), 503, {"Retry-After": "5"})(scope, receive, send)
            return
        if grant is None:
            challenge = {"WWW-Authenticate": 'Basic realm="api", charset="UTF-8"'}
            answer = refusal("a valid API key is needed, as the password of `api`", 401, challenge)
        elif wait := self._rates.take(grant.id):
            answer = refusal(
                f"this key makes more than {self._rates.a_second:g} requests a second",
                429,
                {"Retry-After": str(math.ceil(wait))},
            )
        else:
            scope.setdefault("state", {})["grant"] = grant
            await self._app(scope, receive, send)
            return
        await answer(scope, receive, send)

    async def _grant(self, scope: Scope) -> Grant | None:
        scheme, _, credentials = Headers(scope=scope).get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            user, _, key = b64decode(credentials.strip(), validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            return None
        return await self._keys.grant(key) if user == USER else None
