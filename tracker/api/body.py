"""Bodies of JSON: read as the type that is asked for, or refused with what is wrong and where."""

from typing import Any, Final

import msgspec

from tracker.api.answer import Refused
from tracker.nul import IN_JSON, place_of_nul

UNFIT: Final = "the body isn't what it should be"


def decoded(body: bytes, kind: Any, unfit: str = UNFIT) -> Any:
    """Read a body; `unfit` begins the sentence about one that can't be. Raises Refused."""
    if not body.strip():
        raise Refused(f"{unfit}: it is empty, and should be JSON")
    try:
        value = msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Refused(f"{unfit}: {error}") from error
    if IN_JSON in body and (place := place_of_nul(msgspec.json.decode(body))):
        raise Refused(f"{unfit}: a text can't hold a NUL character (\\u0000) - at `{place}`")
    return value
