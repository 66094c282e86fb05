"""`tracker keys`: make, list, retire and export the keys that sign links and seal addresses."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from rewriter.keyring import BadDomain, Keyring
from tracker.commands.options import AsJson, Config, configured
from tracker.commands.stored import log_change
from tracker.mistake import Exit, Mistake

app = typer.Typer(no_args_is_help=True, help="The keys that sign links and seal addresses.")


@app.command()
def new(config: Config = None) -> None:
    """Add a key that signs from now on; the first one makes the keyring."""
    settings = configured(config)
    path = settings.keyring_path
    keyring = Keyring.load(path).rotated() if path.exists() else Keyring.new()
    keyring.save(path)
    log_change(settings, "key.new", str(keyring.keys[-1].id))
    Console().print(f"key {keyring.keys[-1].id} signs from now on; the keyring is {path}")


@app.command("list")
def list_(config: Config = None, as_json: AsJson = False) -> None:
    """Show each key's id, age and state, and no secret."""
    keyring = Keyring.load(configured(config).keyring_path)
    newest = next(key.id for key in reversed(keyring.keys) if not key.retired)
    rows = [
        {
            "id": key.id,
            "state": "retired" if key.retired else "signs" if key.id == newest else "verifies",
            "created": key.created,
            "retired": key.retired,
        }
        for key in keyring.keys
    ]
    if as_json:
        typer.echo(msgspec.json.encode(rows).decode())
        return
    table = Table("key", "state", "created", "retired")
    for row in rows:
        table.add_row(*(str(cell or "") for cell in row.values()))
    Console().print(table)


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
    keyring = Keyring.load(path).retire(key)
    if not yes:
        typer.confirm(f"Links signed with key {key} will stop working. Go on?", abort=True)
    keyring.save(path)
    log_change(settings, "key.retire", str(key))
    Console().print(f"key {key} is retired")


@app.command()
def export(
    domain: Annotated[str, typer.Option(help="The tracking domain.", show_default=False)],
    to: Annotated[
        Path | None, typer.Option(help="Write a private file, not to standard output.")
    ] = None,
    config: Config = None,
) -> None:
    """Give out the keyring of one tracking domain, which can sign for no other."""
    try:
        exported = Keyring.load(configured(config).keyring_path).export(domain)
    except BadDomain as error:
        raise Mistake(str(error), Exit.USAGE) from error
    if to is not None:
        exported.save(to)
        return
    typer.echo(msgspec.json.format(msgspec.json.encode(exported), indent=2))
