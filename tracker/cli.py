"""The `tracker` command.

Promise: what a person did wrong comes back as one sentence on standard error and an exit status
from sysexits.h, never as a traceback.
"""

import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Final, NoReturn

import typer
from typer.exceptions import TyperException

from rewriter.keyring import KeyringError
from tracker.api.keyfile import KeyFileError
from tracker.mistake import Exit, Mistake

# The commands in the order of the help, each with its module in `tracker.commands`. What stands
# there under `app` is a group of commands, else the function of the command's name.
COMMANDS: Final = {
    "serve": "serve",
    "edge": "serve",
    "office": "serve",
    "events": "events",
    "export": "export",
    "suppressed": "suppressed",
    "recipients": "recipients",
    "domains": "domains",
    "certificates": "certificates",
    "keys": "keys",
    "apikeys": "apikeys",
    "ingest": "ingest",
    "token": "token",
    "dead": "dead",
    "audit": "audit",
    "config": "config",
    "status": "status",
    "geo": "geo",
    "rules": "rules",
    "demo": "demo",
}


def application(names: Iterable[str]) -> typer.Typer:
    """Return the command line with these commands: nobody waits for what they didn't ask for."""
    app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
    app.callback(help="Record opens, clicks and unsubscribes of the mail that you send.")(_nothing)
    for name in names:
        module = import_module(f"tracker.commands.{COMMANDS[name]}")
        if group := getattr(module, "app", None):
            app.add_typer(group, name=name)
        else:
            app.command(name)(getattr(module, name))
    return app


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line, else the given one; leave with its exit status."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    app = application(given[:1] if given and given[0] in COMMANDS else COMMANDS)
    try:
        status = app(given, prog_name="tracker", standalone_mode=False)
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


def _nothing() -> None:
    """Be there: of one command alone Typer would else make the whole program."""
