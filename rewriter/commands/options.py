"""What the commands share: flags for every setting, and how they speak to a person.

In: arguments and environment. Out: `Settings`; sentences on stderr, bytes on stdout.
"""

import argparse
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from rewriter import exits
from rewriter.commands.settings import SETTINGS, Settings, flag, is_switch, read_settings
from rewriter.mime.letterhead import Letterhead
from rewriter.notices import Notice


class Parser(argparse.ArgumentParser):
    """An argument parser whose mistakes are one sentence and EX_USAGE."""

    def __init__(self, **given: Any) -> None:
        # A shortened flag would change its meaning with the next setting that begins like it.
        super().__init__(allow_abbrev=False, **given)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the command line."""
        complain(f"{message} (see {self.prog} --help)")
        raise SystemExit(exits.USAGE)


class Version(argparse.Action):
    """Show the version, and leave."""

    def __init__(self, **given: Any) -> None:
        super().__init__(nargs=0, help="show the version and exit", **given)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        """Say it in the words of `tracker --version`."""
        from importlib.metadata import version  # noqa: PLC0415 - a filter needn't load it

        write((f"tracking-edge {version('tracking-edge')}\n".encode(),))
        parser.exit()


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add a flag for each setting, and one for the file that holds them."""
    group = parser.add_argument_group("settings")
    group.add_argument(
        "--config", type=Path, metavar="FILE", help="a TOML file with a [rewriter] table"
    )
    for name, setting in SETTINGS.items():
        text = setting.help.replace("%", "%%")
        if is_switch(setting):
            group.add_argument(
                flag(name), dest=name, action=argparse.BooleanOptionalAction, help=text
            )
        else:
            group.add_argument(flag(name), dest=name, metavar=setting.metavar, help=text)


def add_letterhead(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say whose mail it is."""
    parser.add_argument("--recipient", default="", metavar="ADDRESS", help="default: the one in To")
    parser.add_argument(
        "--message-id", default="", metavar="ID", help="default: the one in Message-ID"
    )


def settings_of(options: argparse.Namespace, environment: Mapping[str, str]) -> Settings:
    """Put flags, environment and file together. Raises ConfigError."""
    flags = {
        name: value for name in SETTINGS if (value := getattr(options, name, None)) is not None
    }
    settings = read_settings(flags, environment, options.config)
    said = Letterhead(
        getattr(options, "message_id", "").strip("<>"), getattr(options, "recipient", "")
    )
    return replace(settings, letterhead=said.over(settings.letterhead))


def complain(sentence: str) -> None:
    """Say something on stderr."""
    print(f"rewriter: {sentence}", file=sys.stderr)  # noqa: T201 - for a person


def warn(notices: Iterable[Notice], level: str = "warning") -> None:
    """Say each notice on stderr."""
    for notice in notices:
        complain(f"{level}: {notice}")


def write(pieces: Iterable[bytes | memoryview]) -> None:
    """Write to stdout, all of it or an OSError."""
    sys.stdout.buffer.writelines(pieces)
    sys.stdout.buffer.flush()
