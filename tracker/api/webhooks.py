"""Webhooks: `/v3/domains/{domain}/webhooks` in Mailgun's form.

What is registered here hears of every event that is stored from now on. A URL that leads to an
address that isn't public is refused, unless the operator allows it.
"""

from collections.abc import Awaitable, Mapping
from typing import Any, Final

import msgspec
from starlette.requests import Request

from tracker.api.answer import Answer, Refused, answered
from tracker.api.form import MULTIPART, URLENCODED, fields
from tracker.api.operation import DOMAIN, Endpoint, Operation
from tracker.api.tracking import refusing
from tracker.domains import canonical_name
from tracker.store.webhook_keys import SigningKeys
from tracker.store.webhooks import (
    MOST_URLS,
    BadWebhook,
    Kind,
    NoWebhook,
    Webhook,
    WebhookExists,
    Webhooks,
    known_kind,
)
from tracker.webhooks.client import BadTarget, Client
from tracker.webhooks.trial import tried

FORM: Final = {MULTIPART: dict[str, str], URLENCODED: dict[str, str]}
ALL: Final = "/v3/domains/{domain}/webhooks"
ONE: Final = "/v3/domains/{domain}/webhooks/{name}"


class Urls(msgspec.Struct, frozen=True):
    """The URLs of one kind."""

    urls: tuple[str, ...]


class Registered(msgspec.Struct, frozen=True):
    """Mailgun's frame around one kind's."""

    webhook: Urls


class AllRegistered(msgspec.Struct, frozen=True):
    """Mailgun's frame around those of a domain, by kind."""

    webhooks: dict[str, Urls]


class Changed(msgspec.Struct, frozen=True):
    """What was changed, as it is now, or was before it was deleted."""

    message: str
    webhook: Urls


class Tested(msgspec.Struct, frozen=True):
    """What a URL answered to a test; `code` is 0 where it didn't."""

    code: int
    message: str


class WebhookApi:
    """Endpoints for webhooks; `client` knows which URLs may be posted to."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def operations(self) -> tuple[Operation, ...]:
        """Return the endpoints."""
        update, test = self.update, self.test
        return (
            _reading(ALL, list_, "List a domain's webhooks", AllRegistered),
            _changing("POST", ALL, self.create, "Register URLs for a kind"),
            _reading(ONE, get, "Tell the URLs of a kind", Registered),
            _changing("PUT", ONE, update, "Replace the URLs of a kind"),
            _changing("DELETE", ONE, delete, "Remove the URLs of a kind", body={}),
            _changing("PUT", f"{ONE}/test", test, "Post a test event to a URL", answer=Tested),
        )

    async def create(self, request: Request) -> Answer:
        """Register the URLs of a kind; 400 tells what is wrong, or that there are some."""
        form = await fields(request)
        names = [value for name, value in form if name == "id"]
        if len(names) != 1:
            raise Refused("`id` should be given once: the kind of events that the URLs hear of")
        domain, kind = sending_domain(request), known(names[0])
        urls = await self._urls(form)
        try:
            webhooks, who = register(request), request.state.grant.who
            await webhooks.add(domain, kind, Webhook(urls), who=who)
        except WebhookExists as error:
            raise Refused(f"{error}: change it by PUT") from error
        return answered(Changed("Webhook has been created", Urls(urls)))

    async def update(self, request: Request) -> Answer:
        """Replace the URLs of a kind; 404 if there are none, 400 tells what is wrong."""
        urls = await self._urls(await fields(request))
        domain, kind, who = sending_domain(request), named(request), request.state.grant.who
        changed = await found(register(request).change(domain, kind, who=who, urls=urls))
        return answered(Changed("Webhook has been updated", Urls(changed.urls)))

    async def test(self, request: Request) -> Answer:
        """Post a test event to a URL, be it registered or not; 400 tells what is wrong."""
        urls = await self._urls(await fields(request))
        if len(urls) != 1:
            raise Refused("`url` should be given once")
        domain, kind = sending_domain(request), named(request)
        keys = await SigningKeys(request.app.state.store).of(domain)
        said = await tried(self._client, keys, domain, kind, urls[0], batch=False)
        return answered(Tested(said.status, said.said or f"it took {said.took} ms"))

    async def _urls(self, form: list[tuple[str, str]]) -> tuple[str, ...]:
        urls = tuple(dict.fromkeys(value.strip() for name, value in form if name == "url"))
        if not 0 < len(urls) <= MOST_URLS:
            raise Refused(f"`url` should be given once, or up to {MOST_URLS} times")
        for url in urls:
            try:
                await self._client.check(url)
            except BadTarget as error:
                raise Refused(f"`url`: {error}") from error
        return urls


async def list_(request: Request) -> Answer:
    """Answer with the URLs of every kind that has some."""
    there = await register(request).of(sending_domain(request))
    return answered(AllRegistered({kind: Urls(one.urls) for kind, one in there.items()}))


async def get(request: Request) -> Answer:
    """Answer with the URLs of a kind; 404 if there are none."""
    webhook = await found(register(request).get(sending_domain(request), named(request)))
    return answered(Registered(Urls(webhook.urls)))


async def delete(request: Request) -> Answer:
    """Remove the URLs of a kind, and what waits for them; 404 if there are none."""
    who = request.state.grant.who
    removing = register(request).remove(sending_domain(request), named(request), who=who)
    removed = await found(removing)
    return answered(Changed("Webhook has been deleted", Urls(removed.urls)))


def register(request: Request) -> Webhooks:
    """Return the register of webhooks."""
    return Webhooks(request.app.state.store)


def sending_domain(request: Request) -> str:
    """Return the sending domain of the path. Raises Refused."""
    with refusing():
        return canonical_name(request.path_params[DOMAIN])


def named(request: Request) -> Kind:
    """Return the kind of the path. Raises Refused."""
    return known(request.path_params["name"])


def known(name: str) -> Kind:
    """Return a kind. Raises Refused."""
    try:
        return known_kind(name)
    except BadWebhook as error:
        raise Refused(str(error)) from error


async def found(webhook: Awaitable[Webhook]) -> Webhook:
    """Return what the register does. Raises Refused."""
    try:
        return await webhook
    except NoWebhook as error:
        raise Refused(str(error), 404) from error
    except BadWebhook as error:
        raise Refused(str(error)) from error


def _reading(path: str, endpoint: Endpoint, summary: str, answer: type) -> Operation:
    return Operation("GET", path, endpoint, "read", summary, answers={200: answer})


def _changing(
    method: str,
    path: str,
    endpoint: Endpoint,
    summary: str,
    *,
    body: Mapping[str, Any] = FORM,
    answer: type = Changed,
) -> Operation:
    answers = {200: answer}
    return Operation(method, path, endpoint, "write", summary, body=body, answers=answers)
