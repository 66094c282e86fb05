"""`tracker ingest`: events from elsewhere, out of a Postfix log or a file of JSON lines."""

import asyncio
import contextlib
import signal
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Annotated, BinaryIO, Final

import msgspec
import typer

from tracker.commands.options import Config, configured
from tracker.commands.stored import stored
from tracker.mistake import Exit, Mistake
from tracker.postfix.line import Log
from tracker.postfix.mail import Event, Mails, sending_domain
from tracker.postfix.position import Position, file_for
from tracker.postfix.tail import Tail
from tracker.settings import Settings
from tracker.store.change import parts
from tracker.store.database import Store
from tracker.store.posted import posted
from tracker.store.row import NotAnEvent

LOOK_EVERY: Final = 0.5  # seconds between two looks at a log that is followed
BATCH: Final = 1_000  # events in one transaction
MOST_TOLD: Final = 20  # refused lines that are told one by one

app = typer.Typer(no_args_is_help=True, help="Take in events from elsewhere.")
Domain = Annotated[
    str | None,
    typer.Option(help="The sending domain of all of them.", show_default=False),
]


@app.command()
def jsonl(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="One event a line; - for standard input.")
    ],
    *,
    domain: Domain = None,
    config: Config = None,
) -> None:
    """Take in events of any kind, in Mailgun's form. What is there already stays as it is."""
    settings = configured(config)
    with _read(file) as lines:
        told = asyncio.run(_take_in(settings, lines, domain or ""))
    _tell(told)
    if told["refused"]:
        raise Mistake(f"not every line is an event: {told['refused']} refused", Exit.DATA)


@app.command()
def postfix(
    log: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="The log; - for standard input, as from journalctl -o json."
        ),
    ] = Path("/var/log/mail.log"),
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for more.")] = False,
    domain: Domain = None,
    loopback: Annotated[
        bool,
        typer.Option(help="Count what is handed to this machine's own addresses as delivered."),
    ] = False,
    config: Config = None,
) -> None:
    """Take in what Postfix accepted, delivered and failed to deliver.

    The sending domain is that of the envelope's sender, unless one is given.
    """
    settings = configured(config)
    if str(log) == "-":
        told = asyncio.run(_piped(settings, sys.stdin.buffer, domain or "", loopback=loopback))
    else:
        told = asyncio.run(_tailed(settings, log, domain or "", follow=follow, loopback=loopback))
    _tell(told)


Told = Counter[str]


async def _take_in(settings: Settings, lines: Iterable[bytes], domain: str) -> Told:
    told, numbered = Told(), enumerate(lines, 1)
    async with stored(settings) as store:
        while batch := list(islice(numbered, BATCH)):
            rows = []
            for number, line in batch:
                if not line.strip():
                    continue
                try:
                    rows.append(posted(line, "jsonl", domain))
                except NotAnEvent as error:
                    told["refused"] += 1
                    if told["refused"] <= MOST_TOLD:
                        typer.echo(f"line {number}: {error}", err=True)
            changes = await store.insert(rows)
            told["taken in"] += len(changes)
            told["known already"] += len(rows) - len(changes)
    return told


async def _piped(
    settings: Settings, lines: Iterable[bytes], domain: str, *, loopback: bool
) -> Told:
    told, mails, log = Told(), Mails(loopback=loopback), Log()
    rest = iter(lines)
    async with stored(settings) as store:
        while batch := list(islice(rest, BATCH)):
            told += await _happened(store, _events(batch, log, mails), domain)
    return told


async def _tailed(
    settings: Settings, path: Path, domain: str, *, follow: bool, loopback: bool
) -> Told:
    told, log, kept = Told(), Log(), file_for(settings.data, path)
    position = Position.load(kept)
    mails = Mails(position.mails, loopback=loopback)
    async with stored(settings) as store:
        with contextlib.closing(Tail(path, position.place)) as tail:
            stopping = _told_to_stop() if follow else None
            while True:
                for lines, place in tail.read():
                    told += await _happened(store, _events(lines, log, mails), domain)
                    Position(place, mails.known).save(kept)
                if stopping is None or await _within(stopping, LOOK_EVERY):
                    return told


def _events(lines: Iterable[bytes], log: Log, mails: Mails) -> Iterator[Event]:
    now = datetime.now().astimezone()
    for text in lines:
        line = log.read(text.decode(errors="replace").rstrip("\r\n"), now)
        yield from mails.read(line) if line else ()


async def _happened(store: Store, events: Iterable[Event], domain: str) -> Told:
    """Store what happened, however much it is; tell how much was new."""
    told, rows = Told(), []
    for event in events:
        if not (owner := domain or sending_domain(event)):
            told["bounces of their own"] += 1  # without a sender: nobody's mail
            continue
        try:
            rows.append(posted(msgspec.json.encode(event), "postfix", owner))
        except NotAnEvent:
            told["refused"] += 1
    for part in parts(rows, BATCH):
        changes = await store.insert(part)
        told["taken in"] += len(changes)
        told["known already"] += len(part) - len(changes)
    return told


@contextlib.contextmanager
def _read(file: Path) -> Iterator[BinaryIO]:
    if str(file) == "-":
        yield sys.stdin.buffer
        return
    with file.open("rb") as opened:
        yield opened


def _told_to_stop() -> asyncio.Event:
    stopping, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    return stopping


async def _within(happening: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(happening.wait(), seconds)
    except TimeoutError:
        return False
    return True


def _tell(told: Told) -> None:
    counts = {"taken in": 0, "known already": 0, **told}
    typer.echo(", ".join(f"{count} {what}" for what, count in counts.items()))
