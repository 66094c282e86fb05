"""`tracker apikeys`: make, list and revoke the keys that open the API."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import msgspec
import typer
from rich.console import Console
from rich.table import Column, Table

from rewriter.keyring import BadDomain, canonical_domain
from tracker.api.keys import fresh
from tracker.commands.options import AsJson, Config, configured
from tracker.commands.shown import cell, printable
from tracker.commands.stored import stored, there, who
from tracker.mistake import Exit, Mistake
from tracker.settings import Settings
from tracker.store import audit
from tracker.store.access import KeyRecord, KeyRecords, Scope
from tracker.store.audit import Audit

DAY: Final = 86_400
NAME_CHARACTERS: Final = 100

app = typer.Typer(no_args_is_help=True, help="The keys that open the API.")


@app.command()
def new(
    name: Annotated[str, typer.Option(help="What it is for, such as dashboard.")],
    scope: Annotated[
        Scope,
        typer.Option(
            help="read: see events and figures; send: rewrite mail and ask who is suppressed;"
            " write: everything."
        ),
    ] = "read",
    domain: Annotated[
        list[str] | None,
        typer.Option(help="A sending domain that it is for; repeat for more. Without one: all."),
    ] = None,
    days: Annotated[
        int | None, typer.Option(min=1, max=36_500, help="How long it opens anything.")
    ] = None,
    config: Config = None,
) -> None:
    """Make a key and print it: it is shown this once and kept nowhere."""
    if not 0 < len(name.strip()) <= NAME_CHARACTERS:
        raise Mistake(f"a key's name has 1 to {NAME_CHARACTERS} characters", Exit.USAGE)
    now = int(time.time())
    expires_at = now + days * DAY if days else None
    key, record = fresh(name.strip(), scope, _domains(domain or ()), now, expires_at)
    asyncio.run(_add(configured(config), record))
    typer.echo(key)
    Console(stderr=True).print(
        f"id {record.id}; opens {scope} for {_named(record.domains)}; it isn't shown again"
    )


@app.command("list")
def list_(config: Config = None, as_json: AsJson = False) -> None:
    """Show every key that was made, what it opens and when it was last used; never the key."""
    records = asyncio.run(_all(configured(config)))
    rows = [_row(record) for record in records]
    if as_json:
        typer.echo(msgspec.json.encode([_told(record) for record in records]).decode())
    elif not rows:
        typer.echo("No key was made yet; the one in api.key opens everything.")
    else:
        table = Table(*(Column(name, overflow="fold") for name in rows[0]), box=None)
        for row in rows:
            table.add_row(*map(cell, row.values()))
        Console().print(table)


@app.command()
def revoke(
    key: Annotated[str, typer.Argument(metavar="ID", help="The id that `list` shows.")],
    config: Config = None,
) -> None:
    """Let a key open nothing any more; a back office that runs knows within a second."""
    if not asyncio.run(_revoke(configured(config), key)):
        raise Mistake(
            f"no key that still opens anything has the id {printable(key)}: see"
            " 'tracker apikeys list'",
            Exit.DATA,
        )
    typer.echo(f"{printable(key)} is revoked")


async def _add(settings: Settings, record: KeyRecord) -> None:
    async with _opened(settings) as (records, log):
        await records.add(record)
        await log.add(audit.entry(who(), "apikey.new", record.id, after=_told(record)))


async def _all(settings: Settings) -> list[KeyRecord]:
    async with there(settings) as store:
        return await KeyRecords(store).all()


async def _revoke(settings: Settings, key: str) -> bool:
    async with _opened(settings) as (records, log):
        if revoked := await records.revoke(key, int(time.time())):
            await log.add(audit.entry(who(), "apikey.revoke", key))
        return revoked


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[tuple[KeyRecords, Audit]]:
    async with stored(settings) as store:
        yield KeyRecords(store), Audit(store)


def _domains(names: list[str] | tuple[()]) -> list[str]:
    try:
        return sorted({canonical_domain(name) for name in names})
    except BadDomain as error:
        raise Mistake(str(error), Exit.USAGE) from error


def _row(record: KeyRecord) -> dict[str, str]:
    return {
        "id": record.id,
        "name": record.name,
        "scope": record.scope,
        "domains": _named(record.domains),
        "state": record.state(time.time()),
        "created": _date(record.created_at),
        "expires": _date(record.expires_at),
        "last used": _date(record.used_at),
    }


def _told(record: KeyRecord) -> dict[str, Any]:
    """Write a key for programs; no domains are every domain, no time is never."""
    return {
        "id": record.id,
        "name": record.name,
        "scope": record.scope,
        "domains": record.domains,
        "state": record.state(time.time()),
        "created_at": record.created_at,
        "expires_at": record.expires_at,
        "used_at": record.used_at,
    }


def _named(domains: tuple[str, ...]) -> str:
    return ", ".join(domains) or "every domain"


def _date(at: int | None) -> str:
    return "" if at is None else datetime.fromtimestamp(at, UTC).date().isoformat()
