"""`tracker keys`: make, list, retire and export the keys that sign links and seal addresses."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from certs.vault.master import placed
from rewriter.keyring import BadDomain, Keyring
from tracker.commands import shared_keys
from tracker.commands.options import AsJson, Config, configured
from tracker.commands.stored import log_change
from tracker.masked import masked
from tracker.mistake import Exit, Mistake
from tracker.settings import Settings
from tracker.shared.told import minute
from tracker.store.signing import Machine

app = typer.Typer(no_args_is_help=True, help="The keys that sign links and seal addresses.")


@app.command()
def new(config: Config = None) -> None:
    """Add a key; the first one makes the keyring.

    It signs from now on or, where machines share a store, once each of them has it.
    """
    settings = configured(config)
    if settings.store.url:
        _tell_shared(settings, shared_keys.new(settings))
        return
    path = settings.keyring_path
    keyring = Keyring.load(path).rotated() if path.exists() else Keyring.new()
    keyring.save(path)
    log_change(settings, "key.new", str(keyring.keys[-1].id))
    Console().print(f"key {keyring.keys[-1].id} signs from now on; the keyring is {path}")


def _tell_shared(settings: Settings, keyring: Keyring) -> None:
    made = keyring.keys[-1]
    if made.signs:
        Console(soft_wrap=True).print(
            f"key {made.id} is shared, and signs from now on; this machine's copy is"
            f" {settings.keyring_path}. Give {placed(settings.master_key_path)} to every other"
            " machine: it opens what they share."
        )
    else:
        Console(soft_wrap=True).print(
            f"key {made.id} is shared: it signs once every machine has had it for half a minute;"
            " 'tracker keys list' tells which lack it"
        )


@app.command("list")
def list_(config: Config = None, as_json: AsJson = False) -> None:
    """Show each key's id, age and state, and no secret."""
    settings = configured(config)
    if settings.store.url:
        found = shared_keys.listed(settings)
        keyring, lacking = found.keyring, found.lacking
    else:
        keyring, lacking = Keyring.load(settings.keyring_path), {}
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


def _waiting(key: int, machines: Sequence[Machine]) -> str:
    if not machines:
        return f"Key {key} signs within a minute: every machine has it."
    seen = ", ".join(f"{one.name} (seen {minute(one.seen_at)})" for one in machines)
    return (
        f"Key {key} waits for {seen}; a machine that isn't seen for a day isn't waited for, and"
        f" 'tracker keys use {key}' waits for none."
    )


@app.command()
def use(
    key: Annotated[
        int, typer.Argument(metavar="ID", help="The id that `list` shows.", show_default=False)
    ],
    config: Config = None,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
) -> None:
    """Let a shared key sign that still waits for a machine: its links fail there until then."""
    settings = configured(config)
    if not settings.store.url:
        raise Mistake("keys wait only where 'store.url' has machines share them", Exit.USAGE)
    if not yes:
        typer.confirm(
            f"Links signed with key {key} lead nowhere on a machine that lacks it. Go on?",
            abort=True,
        )
    shared_keys.use(settings, key)
    Console().print(f"key {key} signs from now on")


@app.command()
def retire(
    key: Annotated[
        int, typer.Argument(metavar="ID", help="The id that `list` shows.", show_default=False)
    ],
    config: Config = None,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
) -> None:
    """Let a key neither sign nor verify: links that it signed lead nowhere from then on."""
    settings = configured(config)
    path = settings.keyring_path
    shared = bool(settings.store.url)
    keyring = (shared_keys.listed(settings).keyring if shared else Keyring.load(path)).retire(key)
    if not yes:
        typer.confirm(f"Links signed with key {key} will stop working. Go on?", abort=True)
    if shared:
        shared_keys.retire(settings, key)
    else:
        keyring.save(path)
        log_change(settings, "key.retire", str(key))
    Console().print(f"key {key} is retired" + (" on every machine" if shared else ""))


def _keyring(settings: Settings) -> Keyring:
    """Return this machine's keyring or, where it has none yet, the shared one."""
    if settings.store.url and not settings.keyring_path.exists():
        return shared_keys.listed(settings).keyring
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
