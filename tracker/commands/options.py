"""Options that several commands share, and the settings that they lead to."""

from pathlib import Path
from typing import Annotated

import typer

from tracker import source
from tracker.settings import Settings

Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="The settings file; else $TRACKER_CONFIG, else tracker.toml if there is one.",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Yes = Annotated[bool, typer.Option("--yes", help="Don't ask.")]


def configured(config: Path | None) -> Settings:
    """Load the settings that a command was pointed to. Raises Mistake."""
    return source.load(source.find(config))
