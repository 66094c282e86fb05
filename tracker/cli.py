"""The `tracker` command.

Promise: what a person did wrong comes back as one sentence on standard error and an exit status
from sysexits.h, never as a traceback.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from typing import Annotated, Final, NoReturn

import typer
from typer.exceptions import TyperException

from rewriter.keyring import KeyringError
from tracker import interpreter
from tracker.api.keyfile import KeyFileError
from tracker.mistake import Exit, Mistake

# The commands in the order of the help, each with its module in `tracker.commands`. What stands
# there under `app` is a group of commands, else the function of the command's name.
COMMANDS: Final = {
    "serve": "serve",
    "edge": "serve",
    "office": "serve",
    "consume": "consume",
    "bus": "bus",
    "events": "events",
    "export": "export",
    "suppressed": "suppressed",
    "recipients": "recipients",
    "webhooks": "webhooks",
    "domains": "domains",
    "certificates": "certificates",
    "keys": "keys",
    "apikeys": "apikeys",
    "ingest": "ingest",
    "token": "token",
    "sinks": "sinks",
    "dead": "dead",
    "store": "store",
    "audit": "audit",
    "config": "config",
    "status": "status",
    "geo": "geo",
    "rules": "rules",
    "demo": "demo",
}

HELP: Final = ("-h", "--help")

# What typer hands on in the words of pydantic, and what a person reads instead.
CLEARER: Final = {
    "Value error, ": "",
    "Input should be a valid integer, unable to parse string as an integer": (
        "should be a whole number"
    ),
    "Input should": "should",
}

# Commands of a group that have a module of their own: most need what is slow to load.
APART: Final = {
    "keys": {"new": "keys_change", "use": "keys_change", "retire": "keys_change"},
    "domains": {"check": "domains_check", "dns": "domains_check"},
    "sinks": {"replay": "sinks_replay"},
    "webhooks": {
        "history": "webhooks_history",
        "redeliver": "webhooks_history",
        "key": "webhooks_key",
    },
}


def application(names: Iterable[str], asked: str = "") -> typer.Typer:
    """Return the command line with these commands: nobody waits for what they didn't ask for.

    `asked` is the word behind the first: a command of a group, if that is one.
    """
    app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": [*HELP]},
    )
    app.callback(help="Record opens, clicks and unsubscribes of the mail that you send.")(_before)
    for name in names:
        module = import_module(f"tracker.commands.{COMMANDS[name]}")
        if group := getattr(module, "app", None):
            _complete(group, APART.get(name, {}), asked)
            app.add_typer(group, name=name)
        else:
            app.command(name)(getattr(module, name))
    return app


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line, else the given one; leave with its exit status."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    first, asked, *_ = *given, "", ""
    with interpreter.importing():
        app = application(_needed(first), asked)
    try:
        status = app(given, prog_name="tracker", standalone_mode=False)
    except TyperException as error:
        _leave(_misused(error), Exit.USAGE)
    except Mistake as mistake:
        _leave(str(mistake), mistake.status)
    except (KeyringError, KeyFileError) as error:
        _leave(str(error), Exit.CONFIG)
    except PermissionError as error:
        _leave(
            f"{error.filename or 'a file'}: this account may not use it: run the command as the"
            " account that the tracker runs under",
            Exit.NO_PERMISSION,
        )
    except OSError as error:
        # The disk is full, a file isn't there: what no command foresees for each file.
        _leave(f"{error.filename or 'input or output'}: {error.strerror}", Exit.IO)
    except typer.Abort:
        _leave("nothing was changed", Exit.USAGE)
    sys.exit(status or Exit.OK)


def _needed(first: str) -> Iterable[str]:
    """Return the commands that the first word asks for; of the options, help alone shows any."""
    if first in COMMANDS:
        return (first,)
    return () if first.startswith("-") and first not in HELP else COMMANDS


def _complete(group: typer.Typer, apart: Mapping[str, str], asked: str) -> None:
    """Add the commands that stand apart, unless another one was asked for."""
    there = {one.name or getattr(one.callback, "__name__", "") for one in group.registered_commands}
    if asked in there:
        return
    for name in (one for one in apart if one not in there):
        module = import_module(f"tracker.commands.{apart[name]}")
        group.command(name)(getattr(module, name))


def _misused(error: TyperException) -> str:
    """Say what is wrong, and where it says what would be right."""
    sentence = error.format_message().rstrip(".")  # empty where the help was printed in its stead
    for theirs, ours in CLEARER.items():
        sentence = sentence.replace(theirs, ours)
    context = getattr(error, "ctx", None)
    return f"{sentence}; see '{context.command_path} --help'" if sentence and context else sentence


def _leave(sentence: str, status: Exit) -> NoReturn:
    if sentence:
        sys.stderr.write(f"tracker: {' '.join(sentence.split())}\n")
    sys.exit(status)


def _version(wanted: bool) -> bool:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - no command needs it

        typer.echo(f"tracking-edge {version('tracking-edge')}")
        raise typer.Exit
    return wanted


def _before(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Be there: of one command alone Typer would else make the whole program."""
