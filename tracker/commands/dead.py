"""`tracker dead`: hits that a sink does not have, and another chance for them, or none."""

from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec
import typer

from tracker.commands.booked import booked
from tracker.commands.options import AsJson, Config, Yes, configured
from tracker.commands.shown import listed, printable
from tracker.commands.stored import log_change
from tracker.forwarding.dead import DeadLetters, Letter
from tracker.mistake import Exit, Mistake

Ids = Annotated[
    list[str] | None,
    typer.Argument(metavar="ID", help="Event ids; without any, all.", show_default=False),
]
Sink = Annotated[
    str | None, typer.Option(metavar="NAME", help="Only this sink's.", show_default=False)
]
NO_SUCH: Final = "no dead letter has such an id: see 'tracker dead list'"

app = typer.Typer(no_args_is_help=True, help="Hits that could not be delivered.")


def _row(letter: Letter) -> dict[str, str]:
    return {
        "sink": letter.sink,
        "id": letter.id,
        "died": datetime.fromtimestamp(letter.died_at, UTC).isoformat(),
        "reason": printable(letter.reason),
        "state": "waits to be replayed" if letter.again else "dead",
    }


@app.command("list")
def list_(sink: Sink = None, config: Config = None, as_json: AsJson = False) -> None:
    """Show what could not be delivered, where to, and why."""
    with booked(configured(config)) as book:
        rows = [_row(letter) for letter in DeadLetters(book).list(sink)]
    listed(rows, as_json=as_json, none="There are no dead letters.")


@app.command()
def show(
    id_: Annotated[str, typer.Argument(metavar="ID", help="The event's id.")],
    config: Config = None,
) -> None:
    """Show a hit that could not be delivered, as it came, with its token: as JSON."""
    with booked(configured(config)) as book:
        found = [one for one in DeadLetters(book).list() if one.id == id_]
    if not found:
        raise Mistake(NO_SUCH, Exit.DATA)
    for letter in found:
        hit = msgspec.structs.asdict(letter.hit) | {"id": letter.id, "at": _when(letter.hit.at)}
        shown = msgspec.json.encode(_row(letter) | {"hit": hit})
        typer.echo(msgspec.json.format(shown, indent=2).decode())


@app.command()
def replay(
    ids: Ids = None,
    sink: Sink = None,
    config: Config = None,
) -> None:
    """Offer dead letters to their sinks again; the back office does it within a second."""
    settings = configured(config)
    with booked(settings) as book:
        count = DeadLetters(book).replay(ids or None, sink)
    if ids and not count:
        raise Mistake(NO_SUCH, Exit.DATA)
    if count:
        log_change(settings, "dead.replay", _subject(ids, sink), after={"letters": count})
    typer.echo(f"{count} to be replayed")


@app.command()
def discard(
    ids: Ids = None,
    sink: Sink = None,
    config: Config = None,
    yes: Yes = False,
) -> None:
    """Drop dead letters for good: what recipients did there is never counted."""
    settings = configured(config)
    with booked(settings) as book:
        if not yes:
            which = "These" if ids else f"All of {sink}'s" if sink else "All"
            typer.confirm(f"{which} dead letters will be gone. Go on?", abort=True)
        count = DeadLetters(book).discard(ids or None, sink)
    if ids and not count:
        raise Mistake(NO_SUCH, Exit.DATA)
    if count:
        log_change(settings, "dead.discard", _subject(ids, sink), before={"letters": count})
    typer.echo(f"{count} discarded")


def _subject(ids: list[str] | None, sink: str | None) -> str:
    which = ", ".join(ids) if ids else "all"
    return f"{which} of {sink}" if sink else which


def _when(at: int) -> str:
    return datetime.fromtimestamp(at / 1e6, UTC).isoformat()
