"""`tracker dead`: hits that a sink does not have, and another chance for them, or none."""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from tracker import ledger
from tracker.commands.options import AsJson, Config, configured
from tracker.commands.shown import printable
from tracker.commands.stored import log_change
from tracker.dead import DeadLetters, Letter
from tracker.ledger import Ledger, LedgerUnavailable
from tracker.mistake import Exit, Mistake

NO_SUCH: Final = "no dead letter has such an id: see 'tracker dead list'"

app = typer.Typer(no_args_is_help=True, help="Hits that could not be delivered.")


@contextlib.contextmanager
def _letters(data: Path) -> Iterator[DeadLetters]:
    """Open the dead letters; raise Mistake where there is no ledger that can be worked with."""
    path = data / ledger.FILE
    if not path.exists():
        raise Mistake(f"there is no {path}: no back office has run there yet", Exit.NO_INPUT)
    try:
        with contextlib.closing(Ledger.open(path)) as opened:
            yield DeadLetters(opened)
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
    with _letters(configured(config).data) as letters:
        rows = [_row(letter) for letter in letters.list()]
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
        list[str] | None,
        typer.Argument(metavar="ID", help="Event ids; without any, all.", show_default=False),
    ] = None,
    config: Config = None,
) -> None:
    """Offer dead letters to their sinks again; the back office does it within a second."""
    settings = configured(config)
    with _letters(settings.data) as letters:
        count = letters.replay(ids or None)
    if ids and not count:
        raise Mistake(NO_SUCH, Exit.DATA)
    if count:
        log_change(settings, "dead.replay", _subject(ids), after={"letters": count})
    typer.echo(f"{count} to be replayed")


@app.command()
def discard(
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="ID", help="Event ids; without any, all.", show_default=False),
    ] = None,
    config: Config = None,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
) -> None:
    """Drop dead letters for good: what recipients did there is never counted."""
    settings = configured(config)
    with _letters(settings.data) as letters:
        if not yes:
            which = "These" if ids else "All"
            typer.confirm(f"{which} dead letters will be gone. Go on?", abort=True)
        count = letters.discard(ids or None)
    if ids and not count:
        raise Mistake(NO_SUCH, Exit.DATA)
    if count:
        log_change(settings, "dead.discard", _subject(ids), before={"letters": count})
    typer.echo(f"{count} discarded")


def _subject(ids: list[str] | None) -> str:
    return ", ".join(ids) if ids else "all"
