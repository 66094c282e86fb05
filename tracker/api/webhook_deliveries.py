"""Webhooks beyond Mailgun's: `/v1/{domain}/webhooks…`, how each URL does and what it was sent.

A delivery's `said` is the beginning of what the URL answered, which may be anything.
"""

import time
from typing import Final

import msgspec
from starlette.requests import Request

from tracker.api.answer import Answer, Refused, answered
from tracker.api.form import fields
from tracker.api.number import number, whole
from tracker.api.operation import Operation, Parameter
from tracker.api.tracking import SWITCH
from tracker.api.webhooks import FORM, found, known, named, register, sending_domain
from tracker.store.webhook_history import MOST, STATES, Delivery, History, NoDelivery, State
from tracker.store.webhook_keys import SigningKeys
from tracker.store.webhook_queue import Deliveries
from tracker.store.webhooks import KINDS, MOST_BATCH, Kind
from tracker.webhooks.client import Client
from tracker.webhooks.trial import Tried, tried

LIMIT: Final = 100
HIGHEST: Final = 1 << 53


class Url(msgspec.Struct, frozen=True):
    """A URL, how it is posted to, and how it does.

    `failing_since` is in Unix seconds, null while it takes what it gets; `waiting` counts what is
    queued for it.
    """

    kind: Kind
    url: str
    batch: int
    revisions: bool
    failing_since: int | None
    trouble: str
    waiting: int


class Urls(msgspec.Struct, frozen=True):
    """All URLs of a domain."""

    webhooks: list[Url]


class Options(msgspec.Struct, frozen=True):
    """How the URLs of a kind are posted to."""

    urls: tuple[str, ...]
    batch: int
    revisions: bool


class Trials(msgspec.Struct, frozen=True):
    """What each URL of a kind said to a test."""

    tried: list[Tried]


class Listed(msgspec.Struct, frozen=True):
    """Deliveries, newest first; `before` leads on to older ones, null at the end."""

    deliveries: list[Delivery]
    before: int | None


class Redelivered(msgspec.Struct, frozen=True):
    """How many deliveries begin anew."""

    redelivered: int


class WebhookDeliveryApi:
    """Endpoints for what webhooks were sent; `client` posts tests."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def operations(self) -> tuple[Operation, ...]:
        """Return the endpoints."""
        trial = Operation(
            "POST",
            "/v1/{domain}/webhooks/{name}/test",
            self.test,
            "write",
            "Post a test event to the URLs of a kind",
            answers={200: Trials},
        )
        return (*OPERATIONS, trial)

    async def test(self, request: Request) -> Answer:
        """Post a test event to every URL of a kind; 404 if there are none."""
        domain, kind = sending_domain(request), named(request)
        webhook = await found(register(request).get(domain, kind))
        keys = await SigningKeys(request.app.state.store).of(domain)
        batch = webhook.batch > 1
        said = [
            await tried(self._client, keys, domain, kind, url, batch=batch) for url in webhook.urls
        ]
        return answered(Trials(said))


async def urls(request: Request) -> Answer:
    """Answer with every URL of a domain, and how it does."""
    hooks = await register(request).all(sending_domain(request))
    waiting = await Deliveries(request.app.state.store).waiting()
    return answered(
        Urls(
            [
                Url(
                    known(hook.kind),
                    hook.url,
                    hook.batch,
                    hook.revisions,
                    hook.failing_since,
                    hook.trouble,
                    waiting[hook.id].number if hook.id in waiting else 0,
                )
                for hook in hooks
            ]
        )
    )


async def options(request: Request) -> Answer:
    """Change how the URLs of a kind are posted to; 404 if there are none, 400 tells what's wrong.

    A batch larger than 1 isn't Mailgun's form: a JSON array of such objects.
    """
    form = dict(await fields(request))
    if unknown := sorted(set(form) - {"batch", "revisions"}):
        raise Refused(f"there is no field `{unknown[0]}`: there are batch, revisions")
    batch = None
    if "batch" in form:
        batch = whole(form["batch"], "batch", 1, MOST_BATCH)
    revisions = None
    if "revisions" in form:
        if (word := form["revisions"].lower()) not in SWITCH:
            raise Refused(f"revisions should be one of {', '.join(SWITCH)}")
        revisions = SWITCH[word]
    domain, kind, who = sending_domain(request), named(request), request.state.grant.who
    changing = register(request).change(domain, kind, who=who, batch=batch, revisions=revisions)
    webhook = await found(changing)
    return answered(Options(webhook.urls, webhook.batch, webhook.revisions))


async def deliveries(request: Request) -> Answer:
    """Answer with what was posted and is to be; 400 tells what is wrong."""
    query = request.query_params
    limit = number(request, "limit", LIMIT, 1, MOST)
    before = number(request, "before", HIGHEST, 1, HIGHEST)
    kind = _kind(query["kind"]) if "kind" in query else None
    state = _state(query["state"]) if "state" in query else None
    history = History(request.app.state.store)
    listed = await history.newest(
        sending_domain(request), limit, before=before, kind=kind, state=state
    )
    last = listed[-1].number if len(listed) == limit else None
    return answered(Listed(listed, last))


async def redeliver(request: Request) -> Answer:
    """Let a delivery begin anew; 404 if there is none, or no event any more."""
    history, who = History(request.app.state.store), request.state.grant.who
    which = whole(request.path_params["number"], "number", 1, HIGHEST)
    try:
        await history.redeliver(sending_domain(request), which, _now(), who=who)
    except NoDelivery as error:
        raise Refused(str(error), 404) from error
    return answered(Redelivered(1))


async def redeliver_failed(request: Request) -> Answer:
    """Let every delivery that has failed begin anew."""
    history, who = History(request.app.state.store), request.state.grant.who
    count = await history.redeliver_failed(sending_domain(request), _now(), who=who)
    return answered(Redelivered(count))


def _kind(text: str) -> Kind:
    for kind in KINDS:
        if kind == text:
            return kind
    raise Refused(f"`kind` is one of {', '.join(KINDS)}")


def _state(text: str) -> State:
    for state in STATES:
        if state == text:
            return state
    raise Refused(f"`state` is one of {', '.join(STATES)}")


def _now() -> int:
    return time.time_ns() // 1_000


_KIND: Final = Parameter("kind", "of this kind alone", {"type": "string", "enum": list(KINDS)})
_STATE: Final = Parameter("state", "in this state", {"type": "string", "enum": list(STATES)})
_LIMIT: Final = {"type": "integer", "minimum": 1, "maximum": MOST}
_BEFORE: Final = {"type": "integer", "minimum": 1, "maximum": HIGHEST}

OPERATIONS: Final = (
    Operation(
        "GET",
        "/v1/{domain}/webhooks",
        urls,
        "read",
        "Tell how a domain's webhooks do",
        answers={200: Urls},
    ),
    Operation(
        "PUT",
        "/v1/{domain}/webhooks/{name}",
        options,
        "write",
        "Change how the URLs of a kind are posted to",
        body=FORM,
        answers={200: Options},
    ),
    Operation(
        "GET",
        "/v1/{domain}/webhook-deliveries",
        deliveries,
        "read",
        "List what was posted, and is to be",
        parameters=(
            _KIND,
            _STATE,
            Parameter("limit", f"how many, {LIMIT} unless given", _LIMIT),
            Parameter("before", "a `before`, to go on with older ones", _BEFORE),
        ),
        answers={200: Listed},
    ),
    Operation(
        "POST",
        "/v1/{domain}/webhook-deliveries/redeliver",
        redeliver_failed,
        "write",
        "Deliver anew all that has failed",
        answers={200: Redelivered},
    ),
    Operation(
        "POST",
        "/v1/{domain}/webhook-deliveries/{number}/redeliver",
        redeliver,
        "write",
        "Deliver an event anew",
        answers={200: Redelivered},
    ),
)
