"""`tracker webhooks`: which URLs hear of which events, and what became of what they were sent."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from ipaddress import ip_network
from typing import Annotated, Any, Final

import msgspec
import typer
from rich.console import Console
from rich.table import Column, Table

from tracker.commands.options import AsJson, Config, configured
from tracker.commands.shown import cell, printable
from tracker.commands.stored import stored, there, who
from tracker.domains import BadSetting, canonical_name
from tracker.mistake import Exit, Mistake
from tracker.settings import Settings
from tracker.store.database import Store
from tracker.store.row import SECOND
from tracker.store.webhook_history import NoDelivery
from tracker.store.webhook_keys import SigningKeys
from tracker.store.webhooks import (
    KINDS,
    MOST_BATCH,
    BadWebhook,
    Hook,
    Kind,
    NoWebhook,
    Webhook,
    WebhookExists,
    Webhooks,
    known_kind,
)
from tracker.webhooks.client import BadTarget, Client
from tracker.webhooks.trial import Tried, tried

ALL: Final = "all"
PLAIN: Final = frozenset(("number", "last try", "state", "tries", "status", "ms", "next"))
FAILED: Final = 1  # the exit status of a test that isn't taken, for scripts

app = typer.Typer(no_args_is_help=True, help="URLs that events are posted to, as Mailgun does.")

Domain = Annotated[str, typer.Argument(metavar="DOMAIN", help="The sending domain.")]
Kinds = Annotated[
    str,
    typer.Argument(
        metavar="KIND", help=f"Which events: {', '.join(KINDS)}; several with commas, or all."
    ),
]
Batch = Annotated[
    int | None,
    typer.Option(min=1, max=MOST_BATCH, help="Events in a request; above 1 not Mailgun's form."),
]
Revisions = Annotated[
    bool | None,
    typer.Option("--revisions/--no-revisions", help="Whether events judged anew come again."),
]


@app.command("list")
def list_(
    domain: Annotated[
        str | None, typer.Argument(metavar="DOMAIN", help="Of this sending domain alone.")
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Show every URL, and whether it takes what it gets."""
    with plainly():
        only = canonical_name(domain) if domain else None
        hooks = asyncio.run(_all(configured(config), only))
    if as_json:
        typer.echo(msgspec.json.encode(hooks).decode())
    elif not hooks:
        typer.echo("No webhook is registered: 'tracker webhooks add' registers one.")
    else:
        show([_row(hook) for hook in hooks])


@app.command()
def add(
    domain: Domain,
    kind: Kinds,
    url: Annotated[list[str], typer.Argument(metavar="URL...", help="Up to three.")],
    *,
    batch: Batch = None,
    revisions: Revisions = None,
    config: Config = None,
) -> None:
    """Register URLs; they hear of what is stored from now on."""
    with plainly():
        name, kinds = canonical_name(domain), _kinds(kind)
        webhook = Webhook(tuple(dict.fromkeys(url)), batch or 1, bool(revisions))
        asyncio.run(_add(configured(config), name, kinds, webhook))
    typer.echo(f"{name}: {', '.join(kinds)} posted to {len(webhook.urls)} URL(s) from now on.")
    typer.echo(f"See what comes: tracker webhooks test {name} {kinds[0]}")


@app.command()
def change(
    domain: Domain,
    kind: Kinds,
    *,
    url: Annotated[
        list[str] | None, typer.Option(help="In the place of those before; repeat for more.")
    ] = None,
    batch: Batch = None,
    revisions: Revisions = None,
    config: Config = None,
) -> None:
    """Replace URLs, or say otherwise how they are posted to."""
    with plainly():
        name = canonical_name(domain)
        fields = {"urls": url or None, "batch": batch, "revisions": revisions}
        kinds = asyncio.run(_change(configured(config), name, kind, fields))
    typer.echo(f"{name}: {', '.join(kinds)} changed.")


@app.command()
def remove(domain: Domain, kind: Kinds, config: Config = None) -> None:
    """Post to these URLs no more; what waits for them is dropped."""
    with plainly():
        name = canonical_name(domain)
        kinds = asyncio.run(_remove(configured(config), name, kind))
    typer.echo(f"{name}: {', '.join(kinds)} removed.")


@app.command("test")
def trial(domain: Domain, kind: Kinds, config: Config = None, as_json: AsJson = False) -> int:
    """Post a made-up event to the URLs of a kind; exit status 1 if one doesn't take it."""
    with plainly():
        results = asyncio.run(_test(configured(config), canonical_name(domain), kind))
    if as_json:
        typer.echo(msgspec.json.encode(results).decode())
    for one in () if as_json else results:
        status = one.status or "no answer"
        typer.echo(printable(f"{status}  {one.took} ms  {one.url}  {one.said}".rstrip()))
    return Exit.OK if all(one.status == 200 for one in results) else FAILED


@contextmanager
def plainly() -> Iterator[None]:
    """Turn what names, URLs and the register refuse into a Mistake."""
    try:
        yield
    except (BadSetting, BadWebhook, BadTarget, NoDelivery) as error:
        raise Mistake(str(error), Exit.DATA) from error
    except NoWebhook as error:
        raise Mistake(f"{error}: see 'tracker webhooks list'", Exit.DATA) from error
    except WebhookExists as error:
        raise Mistake(f"{error}: 'tracker webhooks change' changes it", Exit.DATA) from error


def _kinds(text: str) -> Sequence[Kind]:
    if text == ALL:
        return KINDS
    return [known_kind(one.strip()) for one in text.split(",")]


def _row(hook: Hook) -> dict[str, str]:
    failing = hook.failing_since
    since = "" if failing is None else f"since {written(failing * SECOND)}: {hook.trouble}"
    return {
        "domain": hook.domain,
        "kind": hook.kind,
        "url": hook.url,
        "batch": str(hook.batch),
        "revisions": "yes" if hook.revisions else "no",
        "fails": since,
    }


def written(at: int | None) -> str:
    """Write a time in microseconds for people here; "" for none."""
    if at is None:
        return ""
    return f"{datetime.fromtimestamp(at / SECOND).astimezone():%Y-%m-%d %H:%M:%S}"


def show(rows: Sequence[dict[str, str]]) -> None:
    """Print a table."""
    columns = (Column(name, overflow="fold", no_wrap=name in PLAIN) for name in rows[0])
    table = Table(*columns, box=None)
    for row in rows:
        table.add_row(*map(cell, row.values()))
    Console().print(table)


async def _all(settings: Settings, domain: str | None) -> list[Hook]:
    async with there(settings) as store:
        return await Webhooks(store).all(domain)


async def _add(settings: Settings, domain: str, kinds: Sequence[Kind], webhook: Webhook) -> None:
    async with _checked(settings, webhook.urls) as store:
        registered = await Webhooks(store).of(domain)
        if taken := next((kind for kind in kinds if kind in registered), None):
            raise WebhookExists(domain, taken)
        for kind in kinds:
            await Webhooks(store).add(domain, kind, webhook, who=who())


async def _change(
    settings: Settings, domain: str, kind: str, fields: dict[str, Any]
) -> Sequence[Kind]:
    async with _checked(settings, fields["urls"] or ()) as store:
        for one in (kinds := await _meant(store, domain, kind)):
            await Webhooks(store).change(domain, one, who=who(), **fields)
    return kinds


async def _remove(settings: Settings, domain: str, kind: str) -> Sequence[Kind]:
    async with there(settings) as store:
        for one in (kinds := await _meant(store, domain, kind)):
            await Webhooks(store).remove(domain, one, who=who())
    return kinds


async def _test(settings: Settings, domain: str, kind: str) -> list[Tried]:
    async with there(settings) as store, _client(settings) as client:
        keys = await SigningKeys(store).of(domain)
        webhooks = await Webhooks(store).of(domain)
        return [
            await tried(client, keys, domain, one, url, batch=webhooks[one].batch > 1)
            for one in await _meant(store, domain, kind)
            for url in webhooks[one].urls
        ]


async def _meant(store: Store, domain: str, kind: str) -> Sequence[Kind]:
    """Return the kinds that are meant, each of which has a webhook; of all, those that have."""
    found = await Webhooks(store).of(domain)
    kinds = [one for one in _kinds(kind) if one in found or kind != ALL]
    if not kinds or any(one not in found for one in kinds):
        raise NoWebhook(domain, next((one for one in kinds if one not in found), "anything"))
    return kinds


@asynccontextmanager
async def _checked(settings: Settings, urls: Sequence[str]) -> AsyncIterator[Store]:
    """Open the store, once no URL leads where none may."""
    async with _client(settings) as client:
        for url in urls:
            await client.check(url)
    async with stored(settings) as store:
        yield store


def _client(settings: Settings) -> Client:
    return Client([ip_network(network) for network in settings.webhooks.allow])
