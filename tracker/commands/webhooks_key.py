"""`tracker webhooks key`: the keys that webhooks are signed under, each shown once."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec
import typer

from tracker.commands.options import AsJson, Config, configured
from tracker.commands.stored import stored, who
from tracker.commands.webhooks import plainly
from tracker.domains import canonical_name
from tracker.mistake import Exit, Mistake
from tracker.settings import Settings
from tracker.store.webhook_keys import EVERY, MOST_OVERLAP, AlreadyShown, SigningKey, SigningKeys
from tracker.webhooks.signature import mailgun_key, standard_key

HOUR: Final = 3_600


def key(
    domain: Annotated[
        str | None,
        typer.Argument(metavar="DOMAIN", help="A key of its own. Without one: that of all others."),
    ] = None,
    *,
    new: Annotated[bool, typer.Option("--new", help="Make a new one.")] = False,
    overlap: Annotated[
        int,
        typer.Option(
            min=0, max=MOST_OVERLAP // HOUR, help="Hours for which the one before holds too."
        ),
    ] = 24,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Show the signing key, this once; or make a new one, while the one before still holds."""
    with plainly():
        owner = canonical_name(domain) if domain else EVERY
    try:
        found = asyncio.run(_key(configured(config), owner, overlap * HOUR if new else None))
    except AlreadyShown as error:
        raise Mistake(f"{error} ('tracker webhooks key --new')", Exit.DATA) from error
    if as_json:
        typer.echo(msgspec.json.encode(_told(found)).decode())
        return
    typer.echo(f"Mailgun's form (HTTP webhook signing key): {mailgun_key(found.secret)}")
    typer.echo(f"Standard Webhooks (secret):                {standard_key(found.secret)}")
    typer.echo("", err=True)
    typer.echo("Both are the same key; neither is shown again.", err=True)
    if found.signs_from > found.created_at:
        at = datetime.fromtimestamp(found.signs_from, UTC)
        typer.echo(
            f"Bodies are signed under it from {at:%Y-%m-%d %H:%M} UTC on, headers under both until"
            " then: let receivers take either.",
            err=True,
        )


async def _key(settings: Settings, domain: str, overlap: int | None) -> SigningKey:
    async with stored(settings) as store:
        keys = SigningKeys(store)
        if overlap is None:
            return await keys.show(domain, who=who())
        return await keys.rotate(domain, overlap, who=who())


def _told(found: SigningKey) -> dict[str, str | int]:
    return {
        "id": found.id,
        "domain": found.domain,
        "http_signing_key": mailgun_key(found.secret),
        "secret": standard_key(found.secret),
        "signs_from": found.signs_from,
    }
