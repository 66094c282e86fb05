"""The register of webhooks: which URLs hear of which events of a sending domain.

Promise: every change passes through here and is written to the audit log with who made it, in the
same transaction; what changes nothing is no change. An event that was stored before a URL was
registered is never posted to it.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, get_args
from urllib.parse import urlsplit

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tracker.store.audit import entry, record
from tracker.store.database import Store
from tracker.store.schema import ingested
from tracker.store.webhook_schema import delivery_table, webhook_table

# Mailgun's names. A failed event is one of two by its severity; all others are kinds of events.
Kind = Literal[
    "accepted",
    "clicked",
    "complained",
    "delivered",
    "opened",
    "permanent_fail",
    "temporary_fail",
    "unsubscribed",
]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
MOST_URLS: Final = 3  # of one kind and domain, as Mailgun has it
MOST_BATCH: Final = 500


class BadWebhook(ValueError):
    """There can't be such a webhook; the message says what would be right."""


class NoWebhook(LookupError):
    """Nothing is registered for this kind of a domain's events."""

    def __init__(self, domain: str, kind: str) -> None:
        super().__init__(f"{domain} has no webhook for {kind}")


class WebhookExists(Exception):
    """URLs are registered for this kind of a domain's events already."""

    def __init__(self, domain: str, kind: str) -> None:
        super().__init__(f"{domain} has a webhook for {kind} already")


@dataclass(frozen=True, slots=True)
class Hook:
    """One URL that hears of one kind of a domain's events.

    Up to `batch` events go into one request; `revisions` says whether an event that is judged anew
    comes again. Events from sequence number `since` on are not known to it. `failing_since` is
    in Unix seconds, None while it takes what it gets; `trouble` says what it did last instead.
    """

    id: int
    domain: str
    kind: str
    url: str
    batch: int
    revisions: bool
    since: int
    failing_since: int | None
    trouble: str


@dataclass(frozen=True, slots=True)
class Webhook:
    """All URLs of one kind and domain, and what holds for them."""

    urls: tuple[str, ...]
    batch: int = 1
    revisions: bool = False


def known_kind(name: str) -> Kind:
    """Return a kind's name. Raises BadWebhook."""
    for kind in KINDS:
        if kind == name:
            return kind
    raise BadWebhook(f"there is no webhook '{name}': there are {', '.join(KINDS)}")


class Webhooks:
    """The webhooks in a store. Every method raises StoreUnavailable; domains are canonical."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def all(self, domain: str | None = None) -> list[Hook]:
        """Return every URL that is registered, for a domain or for all."""
        async with self._store.reading() as connection:
            return await hooks(connection, domain)

    async def of(self, domain: str) -> dict[str, Webhook]:
        """Return a domain's webhooks, by kind."""
        found = await self.all(domain)
        return {kind: _together(found, kind) for kind in KINDS if any(_of_kind(found, kind))}

    async def get(self, domain: str, kind: Kind) -> Webhook:
        """Return the webhook of a kind. Raises NoWebhook."""
        found = await self.of(domain)
        if kind not in found:
            raise NoWebhook(domain, kind)
        return found[kind]

    async def add(self, domain: str, kind: Kind, webhook: Webhook, *, who: str) -> None:
        """Register URLs. Raises BadWebhook, WebhookExists."""
        _check(webhook)
        async with self._store.writing() as connection:
            if await hooks(connection, domain, kind):
                raise WebhookExists(domain, kind)
            await _keep(connection, domain, kind, webhook, webhook.urls)
            change = entry(who, "webhook.add", f"{domain} {kind}", after=_told(webhook))
            await record(connection, change)

    async def change(
        self,
        domain: str,
        kind: Kind,
        *,
        who: str,
        urls: Sequence[str] | None = None,
        batch: int | None = None,
        revisions: bool | None = None,
    ) -> Webhook:
        """Change what is given. Raises NoWebhook, BadWebhook.

        What waits for a URL that goes is gone with it.
        """
        async with self._store.writing() as connection:
            before = _together(await _existing(connection, domain, kind), kind)
            after = Webhook(
                before.urls if urls is None else tuple(dict.fromkeys(urls)),
                before.batch if batch is None else batch,
                before.revisions if revisions is None else revisions,
            )
            _check(after)
            if _same(before, after):
                return before
            await _drop(connection, domain, kind, set(before.urls) - set(after.urls))
            its = (webhook_table.c.domain == domain, webhook_table.c.kind == kind)
            values = {"batch": after.batch, "revisions": after.revisions}
            await connection.execute(update(webhook_table).where(*its).values(values))
            new = [url for url in after.urls if url not in before.urls]
            await _keep(connection, domain, kind, after, new)
            subject, was, is_ = f"{domain} {kind}", _told(before), _told(after)
            await record(connection, entry(who, "webhook.set", subject, before=was, after=is_))
            return _together(await hooks(connection, domain, kind), kind)

    async def remove(self, domain: str, kind: Kind, *, who: str) -> Webhook:
        """Remove all URLs of a kind, and what waits for them. Raises NoWebhook."""
        async with self._store.writing() as connection:
            before = _together(await _existing(connection, domain, kind), kind)
            await _drop(connection, domain, kind, before.urls)
            change = entry(who, "webhook.remove", f"{domain} {kind}", before=_told(before))
            await record(connection, change)
        return before


async def hooks(
    connection: AsyncConnection, domain: str | None = None, kind: str | None = None
) -> list[Hook]:
    """Return the URLs that are registered, oldest first; of a domain, or a kind of it."""
    wanted = select(*(webhook_table.c[name] for name in Hook.__slots__)).order_by(
        webhook_table.c.id
    )
    if domain is not None:
        wanted = wanted.where(webhook_table.c.domain == domain)
    if kind is not None:
        wanted = wanted.where(webhook_table.c.kind == kind)
    return [Hook(*row) for row in await connection.execute(wanted)]


async def _existing(connection: AsyncConnection, domain: str, kind: str) -> list[Hook]:
    if not (found := await hooks(connection, domain, kind)):
        raise NoWebhook(domain, kind)
    return found


def _of_kind(found: Iterable[Hook], kind: str) -> Iterable[Hook]:
    return (hook for hook in found if hook.kind == kind)


def _together(found: Iterable[Hook], kind: str) -> Webhook:
    its = list(_of_kind(found, kind))
    return Webhook(tuple(hook.url for hook in its), its[0].batch, its[0].revisions)


def _check(webhook: Webhook) -> None:
    if not 0 < len(webhook.urls) <= MOST_URLS:
        raise BadWebhook(f"a webhook has 1 to {MOST_URLS} URLs")
    if not 0 < webhook.batch <= MOST_BATCH:
        raise BadWebhook(f"a batch has 1 to {MOST_BATCH} events")


async def _keep(
    connection: AsyncConnection, domain: str, kind: str, webhook: Webhook, urls: Sequence[str]
) -> None:
    if not urls:
        return
    last = (await connection.execute(select(ingested.c.last))).scalar_one()
    told = {"batch": webhook.batch, "revisions": webhook.revisions, "since": last, "trouble": ""}
    rows = [{"domain": domain, "kind": kind, "url": url} | told for url in urls]
    await connection.execute(insert(webhook_table), rows)


async def _drop(connection: AsyncConnection, domain: str, kind: str, urls: Collection[str]) -> None:
    gone = [hook.id for hook in await hooks(connection, domain, kind) if hook.url in urls]
    if gone:
        await connection.execute(delete(delivery_table).where(delivery_table.c.webhook.in_(gone)))
        await connection.execute(delete(webhook_table).where(webhook_table.c.id.in_(gone)))


def _same(before: Webhook, after: Webhook) -> bool:
    """Tell whether a change is none; URLs have no order."""
    options = [(one.batch, one.revisions, set(one.urls)) for one in (before, after)]
    return options[0] == options[1]


def _told(webhook: Webhook) -> dict[str, Any]:
    """Write a webhook for the audit log, which holds no secrets: a query may be one."""
    return asdict(webhook) | {
        "urls": [urlsplit(url)._replace(query="").geturl() for url in webhook.urls]
    }
