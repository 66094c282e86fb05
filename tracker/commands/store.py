"""`tracker store`: all that is stored, moved to another database."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tracker import folder
from tracker.commands.options import Config, configured
from tracker.commands.stored import there
from tracker.masked import masked
from tracker.mistake import Exit, Mistake
from tracker.settings import Settings
from tracker.store import dialect
from tracker.store.copying import Copy, CopyRefused, Step
from tracker.store.database import Store, StoreError, StoreUnavailable

app = typer.Typer(no_args_is_help=True, help="All that is stored, moved to another database.")

Show = Callable[[Step], None]


@app.callback()
def group() -> None:
    """All that is stored, moved to another database."""


@app.command()
def copy(
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET",
            help="An empty database, such as postgresql://tracker@db.example.com/tracker; its"
            " password is best told by PGPASSWORD or a passfile. Or the path of a new file.",
            show_default=False,
        ),
    ],
    config: Config = None,
) -> None:
    """Copy the store into an empty database, and compare the two row by row.

    The back office must not run meanwhile; edge workers may ('tracker edge'), and what they take
    in waits in the spool. A copy that was cut short goes on where it was.
    """
    if "://" in target and not target.startswith(dialect.SCHEMES):
        raise Mistake(
            f"TARGET is {masked(target)}: should be a URL that begins with postgresql://, or the"
            " path of a new file",
            Exit.USAGE,
        )
    settings = configured(config)
    rows = asyncio.run(_copy(settings, target))
    typer.echo(f"{rows:,} rows were copied, read back and are the same.")
    shown = dialect.at(target).shown(target)
    typer.echo(f'Now set store.url to "{shown}", and start the back office again.')


async def _copy(settings: Settings, where: str) -> int:
    async with there(settings) as source:
        with folder.locked(settings.data):
            async with _target(where) as target:
                return await _copied(source, target)


async def _copied(source: Store, target: Store) -> int:
    try:
        copy = await Copy.begin(source, target)
        with _progress(copy) as show:
            async for step in copy.run():
                show(step)
    except CopyRefused as refusal:
        raise Mistake(str(refusal), Exit.DATA) from refusal
    return copy.rows


@asynccontextmanager
async def _target(where: str) -> AsyncIterator[Store]:
    try:
        store = await Store.open(where)
    except StoreError as error:
        raise Mistake(str(error), Exit.UNAVAILABLE) from error
    try:
        yield store
    except StoreUnavailable as error:
        raise Mistake(f"{error}; the same command goes on", Exit.UNAVAILABLE) from error
    finally:
        await store.close()


@contextmanager
def _progress(copy: Copy) -> Iterator[Show]:
    """Show how far a copy and the comparison after it have come, each row twice."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description:<24}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=2 * copy.rows, completed=copy.done)

        def show(step: Step) -> None:
            what = "comparing" if step.checked else "copying"
            progress.update(task, advance=step.rows, description=f"{what} {step.table}")

        yield show
