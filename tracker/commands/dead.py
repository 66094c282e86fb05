"""`tracker dead`: hits that a sink does not have, and another chance for them."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from tracker import ledger
from tracker.commands.options import AsJson, Config, configured
from tracker.commands.shown import printable
from tracker.dead import DeadLetters, Letter
from tracker.ledger import Ledger, LedgerUnavailable
from tracker.mistake import Exit, Mistake

app = typer.Typer(no_args_is_help=True, help="Hits that could not be delivered.")


def _letters(data: Path) -> DeadLetters:
    """Open the dead letters; raise Mistake if there is no back office's ledger to look into."""
    path = data / ledger.FILE
    if not path.exists():
        raise Mistake(f"there is no {path}: no back office has run there yet", Exit.NO_INPUT)
    try:
        return DeadLetters(Ledger.open(path))
    except LedgerUnavailable as error:
        raise Mistake(str(error), Exit.DATA) from error


def _row(letter: Letter) -> dict[str, str]:
    return {
        "sink": letter.sink,
        "id": letter.id,
        "died": datetime.fromtimestamp(letter.died_at, UTC).isoformat(),
        "reason": printable(letter.reason),
        "state": "waits to be replayed" if letter.again else "dead",
    }


@app.command("list")
def list_(config: Config = None, as_json: AsJson = False) -> None:
    """Show what could not be delivered, where to, and why."""
    rows = [_row(letter) for letter in _letters(configured(config).data).list()]
    if as_json:
        typer.echo(msgspec.json.encode(rows).decode())
    elif not rows:
        typer.echo("There are no dead letters.")
    else:
        table = Table(*rows[0])
        for row in rows:
            table.add_row(*row.values())
        Console().print(table)


@app.command()
def replay(
    ids: Annotated[
        list[str] | None, typer.Argument(help="Event ids; without any, all.", show_default=False)
    ] = None,
    config: Config = None,
) -> None:
    """Offer dead letters to their sinks again; the back office does it within a second."""
    try:
        count = _letters(configured(config).data).replay(ids or None)
    except LedgerUnavailable as error:
        raise Mistake(str(error), Exit.UNAVAILABLE) from error
    if ids and not count:
        raise Mistake("no dead letter has such an id: see 'tracker dead list'", Exit.DATA)
    typer.echo(f"{count} to be replayed")
