"""`tracker config`: what is set, where it was set, and what could be."""

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tracker import settings, source
from tracker.commands.options import Config

app = typer.Typer(no_args_is_help=True, help="The settings.")


@app.command()
def show(
    config: Config = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say what each one does.")] = False,
) -> None:
    """Show every setting, its value and where it comes from."""
    found = source.find(config)
    loaded = source.load(found)
    table = Table("setting", "value", "from", *(["what it does"] if explain else []))
    for setting in settings.TABLE:
        cells = [setting.name, settings.value(loaded, setting.name), found.origin(setting.name)]
        table.add_row(*map(escape, cells), *([escape(setting.description)] if explain else []))
    Console().print(table)
