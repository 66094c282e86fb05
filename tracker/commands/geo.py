"""`tracker geo`: the City database that tells where recipients are."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from tracker import folder, geo
from tracker.commands.options import Config, configured
from tracker.commands.progress import progress
from tracker.commands.stored import log_change
from tracker.download import Unfetchable
from tracker.enrich.place import PlaceError
from tracker.geo.sources import Provider, origins, provider
from tracker.geo.update import update as updated
from tracker.mistake import Exit, Mistake

app = typer.Typer(no_args_is_help=True, help="Where recipients are: the City database.")


@app.callback()
def group() -> None:
    """Keep `update` a command of its own."""


@app.command()
def update(
    source: Annotated[
        Provider | None,
        typer.Option(
            "--from",
            help="dbip takes no key; geolite2 takes GEOIPUPDATE_ACCOUNT_ID and"
            " GEOIPUPDATE_LICENSE_KEY. Default: geo.update, else whichever can be had.",
            show_default=False,
        ),
    ] = None,
    config: Config = None,
) -> None:
    """Fetch a City database, look into it, and put it in the old one's place."""
    settings = configured(config)
    folder.prepare(settings.data)
    set_up = None if settings.geo.update == "off" else settings.geo.update
    chosen = provider(source or set_up, os.environ)
    wanted = origins(chosen, datetime.now(UTC).date(), os.environ, settings.geo.mirror)
    target = geo.fetched(settings.data)
    try:
        with progress("City database") as shown:
            found = updated(target, wanted, shown)
    except Unfetchable as error:
        raise Mistake(f"{error}; {_left(target)}", Exit.UNAVAILABLE) from error
    except PlaceError as error:
        raise Mistake(f"what was fetched can't be used: {error}; {_left(target)}", Exit.DATA) from (
            error
        )
    built = f"{found.kind} of {found.built:%Y-%m-%d}"
    if not found.new:
        typer.echo(f"{target} is up to date: {built}")
        return
    log_change(settings, "geo.update", target.name, after={"from": chosen, "is": built})
    typer.echo(f"{target} is now {built}; a running back office takes it up within seconds")
    if chosen == "dbip":
        typer.echo("Pages that show places from it must link to https://db-ip.com (CC BY 4.0).")


def _left(target: Path) -> str:
    return f"{target} stays as it was" if target.exists() else "there is no database yet"
