"""`tracker rules`: the tables that tell people from machines, newer than the release."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from tracker import folder, rules
from tracker.commands.options import AsJson, Config, configured
from tracker.commands.progress import progress
from tracker.commands.stored import log_change
from tracker.download import Unfetchable
from tracker.enrich.shown import shown
from tracker.enrich.tables import FILES, RulesError
from tracker.mistake import Exit, Mistake
from tracker.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Who is a machine: the tables that tell.")


@app.command()
def show(config: Config = None, as_json: AsJson = False) -> None:
    """Show which tables are in use, how old they are, and where they come from."""
    try:
        rows = list(shown(configured(config).rules_folder))
    except RulesError as error:
        raise Mistake(str(error), Exit.DATA) from error
    if as_json:
        typer.echo(msgspec.json.encode(rows).decode())
        return
    table = Table("table", "rows", "updated", "source")
    for row in rows:
        table.add_row(row.name, str(row.rows), row.updated or "with the release", row.source)
    Console().print(table)


@app.command()
def update(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TABLE",
            help=f"Of {', '.join(FILES)}; without any, all.",
            show_default=False,
        ),
    ] = None,
    config: Config = None,
) -> None:
    """Fetch tables, check them, and put each in the place of the one before."""
    settings = configured(config)
    there = rules.sources(settings.rules.tables, settings.rules.egress, settings.rules.crawlers)
    wanted = names or list(there)
    for name in wanted:
        if name not in FILES:
            raise Mistake(f"there is no table {name!r}: it may be {', '.join(FILES)}", Exit.USAGE)
        if name not in there:
            raise Mistake(f"nothing tells where {name} comes from: set rules.tables", Exit.CONFIG)
    folder.prepare(settings.data)
    failed = [name for name in wanted if not _updated(settings, name, there[name])]
    if failed:
        raise Mistake(f"not updated: {', '.join(failed)}; they stay as they were", Exit.UNAVAILABLE)


def _updated(settings: Settings, name: str, source: str) -> bool:
    try:
        with progress(name) as bar:
            new = rules.update(settings.rules_folder, name, source, datetime.now(UTC).date(), bar)
    except (Unfetchable, RulesError) as error:
        typer.echo(f"{name}: {error}", err=True)
        return False
    if new:
        log_change(settings, "rules.update", name, after={"from": source})
    typer.echo(f"{name}: {'new' if new else 'no change'}, from {source}")
    return True
