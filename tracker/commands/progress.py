"""Bars for what takes a while, on a terminal's standard error; nothing elsewhere."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from tracker import download

Show = Callable[[float, float, int], Any]


@contextlib.contextmanager
def progress(what: str) -> Iterator[download.Progress]:
    """Show a download; lend what is told of bytes so far, and of all (0: unknown)."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with bar(*columns, transient=True) as shown:
        task = shown.add_task(what, total=None)
        yield lambda done, of: shown.update(task, completed=done, total=of or None)


@contextlib.contextmanager
def events_passing() -> Iterator[Show]:
    """Show events that pass by; lend what is told how far it is, of how much, and their number."""
    columns = (TextColumn("{task.fields[count]} events"), BarColumn(), TaskProgressColumn())
    with bar(*columns) as shown:
        task = shown.add_task("events", total=None, count=0)
        yield lambda done, of, count: shown.update(task, completed=done, total=of, count=count)


def bar(*columns: ProgressColumn, transient: bool = False) -> Progress:
    """Return a bar of columns, and of the time that is left."""
    console = Console(stderr=True)
    return Progress(
        *columns,
        TimeRemainingColumn(),
        console=console,
        transient=transient,
        disable=not console.is_terminal,
    )
