"""`tracker keys`: list and export the keys that sign links and seal addresses."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from rewriter.keyring import BadDomain, Keyring
from tracker.commands.options import AsJson, Config, configured
from tracker.masked import masked
from tracker.mistake import Exit, Mistake
from tracker.settings import Settings

if TYPE_CHECKING:
    from tracker.store.signing import Machine

app = typer.Typer(no_args_is_help=True, help="The keys that sign links and seal addresses.")


@app.command("list")
def list_(config: Config = None, as_json: AsJson = False) -> None:
    """Show each key's id, age and state, and no secret."""
    settings = configured(config)
    keyring, lacking = _found(settings)
    rows = list(_rows(keyring))
    if as_json:
        names = {key: [one.name for one in machines] for key, machines in lacking.items()}
        typer.echo(msgspec.json.encode([row | _waits_for(row, names) for row in rows]).decode())
        return
    table = Table("key", "state", "created", "retired")
    for row in rows:
        table.add_row(*(str(cell or "") for cell in row.values()))
    Console().print(table)
    if settings.store.url:
        typer.echo(f"Shared by the machines of {masked(settings.store.url)}.")
    for key, machines in lacking.items():
        typer.echo(_waiting(key, machines))


def _found(settings: Settings) -> "tuple[Keyring, Mapping[int, Sequence[Machine]]]":
    """Return this machine's keyring or the shared one, and who lacks which of its keys."""
    if not settings.store.url:
        return Keyring.load(settings.keyring_path), {}
    from tracker.commands import shared_keys  # noqa: PLC0415 - it brings a database's client

    found = shared_keys.listed(settings)
    return found.keyring, found.lacking


def _rows(keyring: Keyring) -> Iterator[dict[str, Any]]:
    newest = next((key.id for key in reversed(keyring.keys) if key.signs), None)
    for key in keyring.keys:
        if key.retired:
            state = "retired"
        elif not key.signs:
            state = "waits"
        else:
            state = "signs" if key.id == newest else "verifies"
        yield {"id": key.id, "state": state, "created": key.created, "retired": key.retired}


def _waits_for(row: dict[str, Any], names: dict[int, list[str]]) -> dict[str, list[str]]:
    return {"waits_for": names[row["id"]]} if row["id"] in names else {}


def _waiting(key: int, machines: "Sequence[Machine]") -> str:
    if not machines:
        return f"Key {key} signs within a minute: every machine has it."
    from tracker.shared.told import minute  # noqa: PLC0415 - as above

    seen = ", ".join(f"{one.name} (seen {minute(one.seen_at)})" for one in machines)
    return (
        f"Key {key} waits for {seen}; a machine that isn't seen for a day isn't waited for, and"
        f" 'tracker keys use {key}' waits for none."
    )


def _keyring(settings: Settings) -> Keyring:
    """Return this machine's keyring or, where it has none yet, the shared one."""
    if settings.store.url and not settings.keyring_path.exists():
        return _found(settings)[0]
    return Keyring.load(settings.keyring_path)


@app.command()
def export(
    domain: Annotated[str, typer.Option(help="The tracking domain.", show_default=False)],
    to: Annotated[
        Path | None, typer.Option(help="Write a private file, not to standard output.")
    ] = None,
    config: Config = None,
) -> None:
    """Give out the keyring of one tracking domain, which can sign for no other."""
    settings = configured(config)
    try:
        exported = _keyring(settings).export(domain)
    except BadDomain as error:
        raise Mistake(str(error), Exit.USAGE) from error
    if to is not None:
        exported.save(to)
        typer.echo(f"{to} signs for {domain}, and for no other", err=True)
        return
    typer.echo(msgspec.json.format(msgspec.json.encode(exported), indent=2))
