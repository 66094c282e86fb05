"""`tracker events`: what recipients did, and what they do now."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from tracker.api.keyfile import read_keys
from tracker.client import ASK_EVERY, ApiUnavailable, Client, Event
from tracker.commands.options import AsJson, Config, configured
from tracker.commands.shown import line
from tracker.mistake import Exit, Mistake
from tracker.roles import API_KEY
from tracker.store.posted import KINDS


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events are asked for: those of a sending domain, else of all, with these values."""

    domain: str | None
    filters: Mapping[str, str]

    def includes(self, event: Event) -> bool:
        """Tell whether an event is one of them."""
        owner = str((event.get("domain") or {}).get("name", ""))
        return (self.domain is None or owner.lower() == self.domain.lower()) and all(
            str(event.get(name, "")).lower() == value.lower()
            for name, value in self.filters.items()
        )


def events(
    domain: Annotated[
        str | None,
        typer.Argument(
            metavar="DOMAIN", help="The sending domain; without one, all.", show_default=False
        ),
    ] = None,
    *,
    config: Config = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for more.")] = False,
    event: Annotated[
        str | None, typer.Option(metavar="KIND", help="Only these, such as clicked or delivered.")
    ] = None,
    recipient: Annotated[str | None, typer.Option(help="Only this recipient's.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=300, help="How many of the past.")] = 25,
    as_json: AsJson = False,
    url: Annotated[str | None, typer.Option(help="The API; else this machine's.")] = None,
    key_file: Annotated[Path | None, typer.Option(help="Else api.key in the data folder.")] = None,
) -> None:
    """Show events, oldest first."""
    if event is not None and event.lower() not in KINDS:
        raise Mistake(f"there is no event {event!r}; there are {', '.join(KINDS)}", Exit.USAGE)
    settings = configured(config)
    key = api_key(key_file or settings.data / API_KEY)
    filters = {"event": event, "recipient": recipient}
    wanted = Wanted(domain, {name: value for name, value in filters.items() if value is not None})
    client = Client(url or f"http://{settings.api.listen}", key)
    show = _printer(as_json)
    asyncio.run(_show(client, wanted, show, limit=limit, follow=follow))


def api_key(path: Path) -> str:
    """Return the first key of a key file; raise Mistake or KeyFileError if there is none."""
    if not path.exists():
        raise Mistake(
            f"no API key at {path}: the back office makes one when it first starts", Exit.NO_INPUT
        )
    return read_keys(path)[0]


async def _show(
    client: Client, wanted: Wanted, show: Callable[[Event], None], *, limit: int, follow: bool
) -> None:
    async with client:
        position, past = await _past(client, wanted, limit, patient=follow)
        shown = set()
        for event in filter(wanted.includes, past):
            show(event)
            shown.add(_identity(event))
        if not follow:
            return
        async for event in client.follow(position):
            if wanted.includes(event) and _identity(event) not in shown:
                show(event)


async def _past(
    client: Client, wanted: Wanted, limit: int, *, patient: bool
) -> tuple[int, list[Event]]:
    """Return where the feed stands, and the last events; wait for an API that can't answer yet.

    Raises ApiUnavailable unless `patient`.
    """
    told = ""
    while True:
        try:
            # Asked first: what comes in while the past is being read is in both, and shown once.
            position = await client.position()
            if wanted.domain is None:
                return position, await client.latest(limit)
            return position, await client.newest(wanted.domain, wanted.filters, limit)
        except ApiUnavailable as error:
            if not patient:
                raise
            if told != str(error):
                told = str(error)
                typer.echo(f"tracker: {told} (waiting; Ctrl-C leaves)", err=True)
            await asyncio.sleep(ASK_EVERY)


def _identity(event: Event) -> tuple[str, int]:
    return event["id"], event.get("revision", 0)


def _printer(as_json: bool) -> Callable[[Event], None]:
    if as_json:
        return lambda event: typer.echo(msgspec.json.encode(event).decode())
    console = Console()
    return lambda event: console.print(line(event), soft_wrap=True)
