"""Events, and rows of other things, as a person sees them in a terminal.

Promise: what is shown holds no control characters, whatever a mail client or a sender put into it:
an escape sequence in a User-Agent must not reach the terminal.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

COLOURS = {"opened": "cyan", "clicked": "green", "unsubscribed": "yellow", "resubscribed": "yellow"}


def printable(text: object) -> str:
    """Replace what a terminal would act upon."""
    return "".join(letter if letter.isprintable() else "�" for letter in str(text))


def cell(text: object) -> Text:
    """Return a cell of a table; brackets in it are no markup."""
    return Text(printable(text))


def listed(rows: Sequence[Mapping[str, str]], *, as_json: bool, none: str) -> None:
    """Print rows: as JSON, or as a table with a column for each field, or the sentence for none."""
    if as_json:
        typer.echo(msgspec.json.encode(rows).decode())
    elif not rows:
        typer.echo(none)
    else:
        table = Table(*rows[0])
        for row in rows:
            table.add_row(*map(cell, row.values()))
        Console().print(table)


def line(event: Mapping[str, Any]) -> Text:
    """Write one event, in Mailgun's JSON, as a line: when, what, who, with what, where from."""
    kind = printable(event.get("event", "?"))
    at = datetime.fromtimestamp(float(event.get("timestamp", 0))).astimezone()
    facts = (
        Text(f"{at:%H:%M:%S}", "dim"),
        Text(f"{kind:<12}", COLOURS.get(kind, "")),
        Text(printable(event.get("recipient") or "(unknown recipient)"), "bold"),
        Text(printable(event.get("url", "")), "blue"),
        Text(_client(event), "dim"),
        Text(_place(event), "dim"),
        Text(_verdict(event), "magenta"),
    )
    return Text("  ").join(fact for fact in facts if fact)


def _client(event: Mapping[str, Any]) -> str:
    client = event.get("client-info") or {}
    named = [client.get("client-name"), client.get("client-os"), client.get("device-type")]
    return printable(" · ".join(fact for fact in named if fact and fact.lower() != "unknown"))


def _place(event: Mapping[str, Any]) -> str:
    place = event.get("geolocation") or {}
    named = [place.get("city"), place.get("country")]
    return printable(", ".join(fact for fact in named if fact and fact != "Unknown"))


def _verdict(event: Mapping[str, Any]) -> str:
    verdict = event.get("verdict") or {}
    if verdict.get("kind", "person") == "person":
        return ""
    return printable(f"{verdict['kind']}: {'; '.join(verdict.get('reasons', []))}")
