"""An answer: JSON with the headers that keep a browser from doing anything else with it.

Errors have Mailgun's form, `{"message": "…"}`. A handler raises Refused for what the client did.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from starlette.responses import Response

# Events are about people: nothing on the way keeps them, and no page frames, sniffs or runs them.
HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Refused(Exception):
    """The request can't be met; the message says what would be right."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


class Answer(Response):
    """Bytes under the API's headers."""

    def __init__(
        self,
        content: bytes,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str = "application/json",
    ) -> None:
        super().__init__(content, status, {**HEADERS, **(headers or {})}, media_type)


def answered(value: Any, status: int = 200) -> Answer:
    """Answer with a value that msgspec can write as JSON."""
    return Answer(msgspec.json.encode(value), status)


def refusal(message: str, status: int, headers: Mapping[str, str] | None = None) -> Answer:
    """Answer with an error in Mailgun's form."""
    return Answer(msgspec.json.encode({"message": message}), status, headers)
