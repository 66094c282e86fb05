"""The `tracker` command.

Promise: what a person did wrong comes back as one sentence on standard error and an exit status
from sysexits.h, never as a traceback.
"""

import sys
from collections.abc import Sequence
from typing import NoReturn

import typer
from typer.exceptions import TyperException

from rewriter.keyring import KeyringError
from tracker.api.keyfile import KeyFileError
from tracker.commands import config, dead, demo, events, keys, serve, token
from tracker.mistake import Exit, Mistake

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Record opens, clicks and unsubscribes of the mail that you send.",
)
for command in (serve.serve, serve.edge, serve.office, events.events, demo.demo):
    app.command()(command)
app.add_typer(keys.app, name="keys")
app.add_typer(dead.app, name="dead")
app.add_typer(token.app, name="token")
app.add_typer(config.app, name="config")


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line, else the given one; leave with its exit status."""
    try:
        status = app(arguments, prog_name="tracker", standalone_mode=False)
    except TyperException as error:
        # Its message is empty where the help was printed in its stead.
        _leave(error.format_message(), Exit.USAGE)
    except Mistake as mistake:
        _leave(str(mistake), mistake.status)
    except (KeyringError, KeyFileError) as error:
        _leave(str(error), Exit.CONFIG)
    except OSError as error:
        # The disk is full, a file is another account's: what no command foresees for each file.
        _leave(f"{error.filename or 'input or output'}: {error.strerror}", Exit.IO)
    except typer.Abort:
        _leave("nothing was changed", Exit.USAGE)
    sys.exit(status or Exit.OK)


def _leave(sentence: str, status: Exit) -> NoReturn:
    if sentence:
        sys.stderr.write(f"tracker: {' '.join(sentence.split())}\n")
    sys.exit(status)
