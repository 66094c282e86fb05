"""`tracker sinks`: where events go, how far each place has come, and what to do about it."""

import time
from importlib import import_module
from typing import Annotated, Final

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tracker import health, size
from tracker.commands import dead
from tracker.commands.booked import booked, known, running
from tracker.commands.options import AsJson, Config, Yes, configured
from tracker.commands.shown import cell, printable
from tracker.commands.stored import log_change
from tracker.forwarding import roll
from tracker.forwarding.standing import SinkStanding, State, Waiting, standings
from tracker.mistake import Exit, Mistake
from tracker.reader import SpoolReader
from tracker.roles import SPOOL
from tracker.settings import Settings

Name = Annotated[str, typer.Argument(metavar="NAME", help="As 'tracker sinks list' shows it.")]
COLOURS: Final[dict[State, str]] = {
    "ok": "green",
    "behind": "yellow",
    "failing": "bold red",
    "paused": "cyan",
    "new": "",
    "not in the settings": "dim",
}
STOPPED: Final = "The back office isn't running; it takes this up when it starts."

app = typer.Typer(no_args_is_help=True, help="Where events go.")
app.add_typer(dead.app, name="dead")


@app.command("list")
def list_(config: Config = None, as_json: AsJson = False) -> None:
    """Show every sink: how it does, and what waits for it."""
    found = _standings(configured(config))
    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
        return
    table = Table("sink", "state", "waiting", "behind", "dead", "missed", "last error")
    for one in found:
        table.add_row(
            cell(one.name),
            Text(one.state, COLOURS[one.state]),
            _hits(one.lag),
            health.lasting(one.lag.seconds),
            str(one.dead_letters),
            _missed(one),
            cell(one.last_error) if one.failures else "",
        )
    Console().print(table)


@app.command()
def status(name: Name, config: Config = None, as_json: AsJson = False) -> None:
    """Show all that is known of one sink."""
    settings = configured(config)
    found = {one.name: one for one in _standings(settings)}
    if name not in found:
        raise known(name, found)
    if as_json:
        typer.echo(msgspec.json.encode(found[name]).decode())
        return
    console = Console(highlight=False, soft_wrap=True)
    for what, says in [*_facts(found[name]), *_bus(settings, name)]:
        console.print(Text.assemble((f"{what:<11}", "dim"), printable(says)))


@app.command()
def pause(name: Name, config: Config = None) -> None:
    """Bring nothing to a sink until it is resumed; its events wait in the spool."""
    settings = configured(config)
    with booked(settings) as book:
        _in_settings(settings, name)
        changed = roll.pause(book, name, int(time.time()))
    if not changed:
        typer.echo(f"{name} was paused before.")
        return
    log_change(settings, "sink.pause", name)
    typer.echo(f"{name} is paused; its events wait in the spool, which it may fill.")


@app.command()
def resume(name: Name, config: Config = None) -> None:
    """Bring events to a sink that was paused."""
    settings = configured(config)
    with booked(settings) as book:
        if name not in roll.entries(book):
            _in_settings(settings, name)
        changed = roll.resume(book, name)
    if not changed:
        typer.echo(f"{name} wasn't paused.")
        return
    log_change(settings, "sink.resume", name)
    typer.echo(f"{name} goes on." if running(settings) else f"{name} goes on. {STOPPED}")


@app.command()
def rename(old: Name, new: str, config: Config = None) -> None:
    """Let a sink that has another name in the settings now go on where it was."""
    settings = configured(config)
    _in_settings(settings, new)
    with booked(settings) as book:
        entries = roll.entries(book)
        if old not in entries:
            raise known(old, entries)
        _unused(settings, old)
        if new in entries:
            raise Mistake(
                f"{new} has a place of its own already: 'tracker sinks forget {new}' makes room,"
                " with the back office stopped",
                Exit.DATA,
            )
        roll.rename(book, old, new)
    log_change(settings, "sink.rename", old, after={"name": new})
    typer.echo(f"{new} goes on where {old} was.")


@app.command()
def forget(
    name: Name,
    config: Config = None,
    yes: Yes = False,
) -> None:
    """Drop what is kept of a sink that is gone: its place, its dead letters, what it missed."""
    settings = configured(config)
    with booked(settings) as book:
        entries = roll.entries(book)
        if name not in entries:
            raise known(name, entries)
        _unused(settings, name)
        if not yes:
            typer.confirm(f"What is kept of {name} will be gone. Go on?", abort=True)
        roll.forget(book, name)
    log_change(settings, "sink.forget", name)
    typer.echo(f"{name} is forgotten.")


def _standings(settings: Settings) -> list[SinkStanding]:
    with booked(settings) as book:
        return standings(book, SpoolReader(settings.data / SPOOL), settings.sinks)


def _in_settings(settings: Settings, name: str) -> None:
    names = [url.name for url in settings.sinks]
    if name not in names:
        raise known(name, names)


def _unused(settings: Settings, name: str) -> None:
    """Refuse to touch a sink that an office may be working with."""
    if running(settings):
        raise Mistake(
            f"a back office runs, and may be working with {name}: stop it first", Exit.UNAVAILABLE
        )


def _facts(one: SinkStanding) -> list[tuple[str, str]]:
    facts = [("sink", one.name), ("state", one.state)]
    if one.place != one.name:
        facts.append(("place", one.place or "nowhere"))
    if one.paused:
        facts.append(("paused", f"since {one.paused}"))
    facts.append(("wants", _wants(one)))
    waits = f"{_hits(one.lag)}, {size.shown(one.lag.bytes)}"
    facts.append(
        ("waiting", f"{waits}, the oldest for {health.lasting(one.lag.seconds)}")
        if one.lag.hits
        else ("waiting", "nothing")
    )
    if one.up_to:
        facts.append(("has all", f"up to {one.up_to}"))
    facts += [("stands at", f"{where} in {stream}") for stream, where in one.positions.items()]
    if one.last_error:
        times = f" ({health.counted(one.failures, 'failure')} in a row)" if one.failures else ""
        facts.append(("last error", f"{one.last_error_at}: {one.last_error}{times}"))
    facts.append(("dead", health.counted(one.dead_letters, "dead letter")))
    facts += [
        ("missed", f"{gap.hits or 'some'} hits from {gap.since} to {gap.until}: {gap.why}")
        for gap in one.missed
    ]
    facts += [
        (
            "replay",
            f"{order.since} to {order.until}: {health.counted(order.delivered, 'event')} brought"
            + (f", {order.refused} refused" if order.refused else ""),
        )
        for order in one.replays
    ]
    return facts


def _bus(settings: Settings, name: str) -> list[tuple[str, str]]:
    """Say what a bus tells of its stream, if the sink is one."""
    url = next((url for url in settings.sinks if url.name == name), None)
    if url is None or url.scheme != "nats":
        return []
    # Its client is loaded where there is a bus.
    bus = import_module("tracker.commands.bus")
    return list(bus.told(url, settings.consume.durable).items())


def _wants(one: SinkStanding) -> str:
    kinds = ", ".join(one.events) or "all events"
    return f"{kinds} of {', '.join(one.domains)}" if one.domains else kinds


def _hits(waiting: Waiting) -> str:
    about = "" if waiting.exact else "about "
    return f"{about}{waiting.hits:,} hit{'' if waiting.hits == 1 else 's'}"


def _missed(one: SinkStanding) -> str:
    if not one.missed:
        return "0"
    return f"{sum(gap.hits for gap in one.missed) or 'some'}"
