"""Webhooks' signing keys: given out once, replaced by new ones with a time in which both hold.

Of a domain, or of all that have no key of their own. A key of the API that is for some domains sees
theirs alone: whoever holds the one for all could sign events of every other domain.
"""

from typing import Final

import msgspec
from starlette.requests import Request

from tracker.api.answer import Answer, Refused, answered
from tracker.api.form import fields
from tracker.api.number import whole
from tracker.api.operation import DOMAIN, Operation
from tracker.api.webhooks import FORM, sending_domain
from tracker.store.webhook_keys import EVERY, MOST_OVERLAP, AlreadyShown, SigningKey, SigningKeys
from tracker.webhooks.signature import mailgun_key, standard_key

OVERLAP: Final = 86_400  # seconds, unless told otherwise


class Key(msgspec.Struct, frozen=True):
    """A key in both forms: for Mailgun's signature, and for that of Standard Webhooks.

    In bodies, where one signature has room, it signs from `signs_from` on, in Unix seconds.
    """

    id: str
    domain: str
    http_signing_key: str
    secret: str
    signs_from: int


async def show(request: Request) -> Answer:
    """Answer with the signing key, this once; 409 if it was given out."""
    keys, who = SigningKeys(request.app.state.store), request.state.grant.who
    try:
        return answered(told(await keys.show(_owner(request), who=who)))
    except AlreadyShown as error:
        raise Refused(str(error), 409) from error


async def rotate(request: Request) -> Answer:
    """Make a new signing key; the one before holds for `overlap` seconds more."""
    overlap = OVERLAP
    if request.headers.get("content-type"):
        form = dict(await fields(request))
        if unknown := sorted(set(form) - {"overlap"}):
            raise Refused(f"there is no field `{unknown[0]}`: there is overlap")
        overlap = whole(form.get("overlap", str(OVERLAP)), "overlap", 0, MOST_OVERLAP)
    keys, who = SigningKeys(request.app.state.store), request.state.grant.who
    return answered(told(await keys.rotate(_owner(request), overlap, who=who)))


def told(key: SigningKey) -> Key:
    """Write a key as receivers take it."""
    return Key(
        key.id, key.domain, mailgun_key(key.secret), standard_key(key.secret), key.signs_from
    )


def _owner(request: Request) -> str:
    return sending_domain(request) if DOMAIN in request.path_params else EVERY


OPERATIONS: Final = tuple(
    operation
    for path, whose in (
        ("/v1/{domain}/webhook-key", "a domain's own webhooks"),
        ("/v1/webhook-key", "webhooks"),
    )
    for operation in (
        Operation(
            "GET", path, show, "write", f"Give out the key that signs {whose}", answers={200: Key}
        ),
        Operation(
            "POST",
            path,
            rotate,
            "write",
            f"Make a new key that signs {whose}",
            body=FORM,
            answers={200: Key},
        ),
    )
)
