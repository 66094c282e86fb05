"""The API as one ASGI application: its operations, and what stands before them.

In: the store, the keys, and two callables that tell of the system's health and figures. Out: a
Starlette application that keeps nothing of its own and closes nothing that was handed in.
"""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.routing import Route

from certs.vault.database import Vault
from tracker.api import (
    audit,
    domains,
    events,
    export,
    feed,
    ingest,
    openapi,
    report,
    stats,
    suppressed,
    tags,
    trace,
    tracking,
    unsubscribes,
    webhook_keys,
)
from tracker.api.access import Authenticated, Bounded
from tracker.api.answer import Answer, Refused, answered, refusal
from tracker.api.arrivals import Arrivals
from tracker.api.certificates import CertificateApi
from tracker.api.keys import ApiKeys
from tracker.api.operation import Operation, routes
from tracker.api.rate import Rates
from tracker.api.recipients import RecipientApi
from tracker.api.rewrite import NO_FILE, Rewriting
from tracker.api.webhook_deliveries import WebhookDeliveryApi
from tracker.api.webhooks import WebhookApi
from tracker.health import Health
from tracker.recipients import Recipients
from tracker.shared.lookup import Lookup
from tracker.store.database import Store, StoreUnavailable
from tracker.store.page import Unfinished
from tracker.webhooks.client import Client

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"  # Prometheus' text exposition format

# What needs nothing but the store. Each part of the API lists its own operations.
OPERATIONS: Final[tuple[Operation, ...]] = (
    *events.OPERATIONS,
    *export.OPERATIONS,
    *feed.OPERATIONS,
    *audit.OPERATIONS,
    *ingest.OPERATIONS,
    *report.OPERATIONS,
    *stats.OPERATIONS,
    *tags.OPERATIONS,
    *trace.OPERATIONS,
    *tracking.OPERATIONS,
    *domains.OPERATIONS,
    *unsubscribes.OPERATIONS,
    *suppressed.OPERATIONS,
    *webhook_keys.OPERATIONS,
)


def api(
    store: Store,
    keys: ApiKeys,
    health: Callable[[], Awaitable[Health]],
    metrics: Callable[[], bytes],
    *,
    keyring: Path | None = None,
    published: Path = NO_FILE,
    rate: float = 0,
    public_url: str = "",
    vault: Callable[[], Vault | None] = lambda: None,
    recipients: Recipients | None = None,
    webhooks: Client | None = None,
    lookup: Lookup | None = None,
) -> Starlette:
    """Put the API together. All but `/healthz`, `/readyz` and `/metrics` asks for a key.

    Mail is rewritten with the keys of `keyring`, if it is given, by what is `published` of
    domains. A key may make `rate` requests a second; 0 lets it make any number. Links to the
    API begin with `public_url`, which ends without a slash, else with where a request came to.
    `vault` returns that of the certificates while it is open; `recipients` is where a person's
    data is; `webhooks` knows which URLs may be registered; `lookup` tells who is suppressed even
    while the store is away. Raises KeyringError.
    """

    async def healthz(_request: Request) -> Answer:
        """Answer 200 as long as the process can answer at all."""
        return answered({"status": "ok"})

    async def readyz(_request: Request) -> Answer:
        """Answer 200 if the system does its work, be it with a limp, and 503 if it doesn't."""
        state = await health()
        return answered(state, 503 if state.status == "down" else 200)

    async def figures(_request: Request) -> Answer:
        """Answer with the figures, for Prometheus to read."""
        return Answer(metrics(), media_type=METRICS_TYPE)

    operations = [
        *OPERATIONS,
        *CertificateApi(vault).operations(),
        *(Rewriting(keyring, published).operations() if keyring else ()),
        *(RecipientApi(recipients).operations() if recipients else ()),
        *(WebhookApi(webhooks).operations() if webhooks else ()),
        *(WebhookDeliveryApi(webhooks).operations() if webhooks else ()),
    ]

    async def described(_request: Request) -> Answer:
        """Answer with the API's description."""
        return answered(openapi.document(operations))

    unguarded = {
        "/healthz": healthz,
        "/readyz": readyz,
        "/metrics": figures,
        openapi.PATH: described,
    }
    app = Starlette(
        routes=[
            *(Route(path, endpoint) for path, endpoint in unguarded.items()),
            *routes(operations),
        ],
        middleware=[
            Middleware(Bounded),
            Middleware(Authenticated, keys=keys, rates=Rates(rate), open_paths=unguarded),
        ],
        exception_handlers={
            Refused: _refused,
            StoreUnavailable: _unavailable,
            Unfinished: _unfinished,
            HTTPException: _http,
            500: _broken,
        },
    )
    app.router.redirect_slashes = False
    app.state.store = store
    app.state.arrivals = Arrivals(store)
    app.state.lookup = lookup or Lookup(store)
    app.state.public_url = public_url
    return app


async def _refused(_request: Request, error: Exception) -> Answer:
    assert isinstance(error, Refused)  # noqa: S101 - it is registered for these
    return refusal(error.message, error.status)


async def _unavailable(_request: Request, error: Exception) -> Answer:
    return refusal(str(error), 503, {"Retry-After": "5"})


async def _unfinished(_request: Request, error: Exception) -> Answer:
    # An empty page would be taken for the end.
    return refusal(str(error), 400)


async def _http(request: Request, error: Exception) -> Answer:
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for these
    return refusal(_sentence(request, error), error.status_code, error.headers)


def _sentence(request: Request, error: HTTPException) -> str:
    if error.status_code == HTTPStatus.NOT_FOUND:
        return f"there is no such path: {openapi.PATH} tells of those that there are"
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return f"{request.method} isn't for this path: {(error.headers or {}).get('Allow')} is"
    return HTTPStatus(error.status_code).phrase


async def _broken(_request: Request, _error: Exception) -> Answer:
    return refusal("Internal Server Error", 500)
