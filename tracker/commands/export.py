"""`tracker export`: events as a file, for other programs and for people with a spreadsheet."""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, BinaryIO, Final

import typer
from rich.console import Console

from tracker.api.answer import Refused
from tracker.api.listing import Listing, requested
from tracker.commands.options import Config, configured
from tracker.commands.progress import Show, events_passing
from tracker.commands.stored import there
from tracker.export.forms import FORMS, FormName, FormUnavailable
from tracker.export.walk import Range, pages
from tracker.mistake import Exit, Mistake
from tracker.settings import Settings
from tracker.store.row import SECOND, exact

STANDARD_OUTPUT: Final = Path("-")


def export(
    domain: Annotated[
        str | None, typer.Option(help="The sending domain; without one, all.", show_default=False)
    ] = None,
    *,
    begin: Annotated[
        str | None, typer.Option(help="From then on, such as 2026-11-01 or 2026-11-01T08:00.")
    ] = None,
    end: Annotated[str | None, typer.Option(help="Up to then.")] = None,
    filters: Annotated[
        list[str] | None,
        typer.Option(
            "--filter",
            metavar="NAME=EXPR",
            help="As in the API, such as event=clicked; repeatable.",
        ),
    ] = None,
    form: Annotated[FormName, typer.Option("--format", help="The file's form.")] = "jsonl",
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The file; - is standard output.")
    ] = STANDARD_OUTPUT,
    config: Config = None,
) -> None:
    """Write events to a file, oldest first; an existing file is replaced once all are written."""
    settings = configured(config)
    try:
        listing = requested(_asked(begin, end, filters or ()), time.time_ns() // 1_000)
    except Refused as error:
        raise Mistake(error.message, Exit.USAGE) from error
    wanted = Range(exact(domain) if domain else None, listing.low, listing.high, listing.tree())
    try:
        with _file(output, binary=form == "parquet") as file, events_passing() as show:
            count = asyncio.run(_write(settings, wanted, form, file, Reached(show, listing)))
    except FormUnavailable as error:
        raise Mistake(str(error), Exit.UNAVAILABLE) from error
    Console(stderr=True).print(f"{count} events written")


async def _write(
    settings: Settings, wanted: Range, name: FormName, file: BinaryIO, reached: "Reached"
) -> int:
    form = FORMS[name]()
    count = 0
    async with there(settings) as store:
        file.write(form.begin())
        async for page in pages(store, wanted):
            file.write(form.feed(page.documents))
            count += len(page.documents)
            reached.show(page.at, count)
    file.write(form.end())
    return count


class Reached:
    """How far an export has come: by the time of its last event, since nobody counted them."""

    def __init__(self, show: Show, listing: Listing) -> None:
        self._show = show
        self._begin: int | None = listing.low or None
        self._end = min(listing.high, time.time_ns() // 1_000)

    def show(self, at: int, count: int) -> None:
        """Show a page's last time, and how many events there are by now."""
        begin = self._begin = self._begin or at
        self._show(at - begin, max(self._end - begin, 1), count)


@contextmanager
def _file(path: Path, *, binary: bool) -> Iterator[BinaryIO]:
    """Lend a file that takes the place of another only if it was written whole."""
    if path == STANDARD_OUTPUT:
        if binary and sys.stdout.isatty():
            raise Mistake("it is no text for a terminal: name a file by --output", Exit.USAGE)
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    if not path.parent.is_dir():
        raise Mistake(f"there is no folder {path.parent} to write {path.name} to", Exit.NO_INPUT)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)


def _asked(
    begin: str | None, end: str | None, filters: list[str] | tuple[()]
) -> Iterator[tuple[str, str]]:
    yield "ascending", "yes"
    for name, text in (("begin", begin), ("end", end)):
        if text is not None:
            yield name, _seconds(name, text)
    for one in filters:
        name, equals, expression = one.partition("=")
        if not equals:
            raise Mistake("--filter is a name, an = and an expression: event=clicked", Exit.USAGE)
        yield name, expression


def _seconds(name: str, text: str) -> str:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise Mistake(
            f"--{name} is a time such as 2026-11-01 or 2026-11-01T08:00+01:00", Exit.USAGE
        ) from error
    return str(round(at.timestamp() * SECOND) / SECOND)
