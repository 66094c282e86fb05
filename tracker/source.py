"""Where settings come from: a TOML file and the environment, which overrules it.

Promise: a setting that is unknown or can't be what it is said to be is refused by its name, with
where it was found, and with the name that was probably meant.
"""

import difflib
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from tracker.mistake import Exit, Mistake
from tracker.settings import PREFIX, TABLE, Settings, variable

DEFAULT_FILE = Path("tracker.toml")
FILE_VARIABLE = "TRACKER_CONFIG"
# The rewriter may keep its settings in the same file; it checks that table itself.
OTHERS_TABLES = {"rewriter"}


@dataclass(frozen=True, slots=True)
class Source:
    """Where settings are read from: a file, if there is one, and the environment."""

    path: Path | None
    content: dict[str, Any]

    def origin(self, name: str) -> str:
        """Tell where a setting's value comes from, the strongest first."""
        if (named := variable(name)) in os.environ:
            return named
        found: object = self.content
        for part in name.split("."):
            found = found.get(part) if isinstance(found, dict) else None
        return str(self.path) if found is not None else "default"


def find(named: Path | None) -> Source:
    """Read the settings file that was named, or TRACKER_CONFIG's, or tracker.toml if it is there.

    Raises Mistake if the file can't be read or isn't TOML.
    """
    if named is None and (elsewhere := os.environ.get(FILE_VARIABLE)):
        named = Path(elsewhere)
    if named is None and not DEFAULT_FILE.exists():
        return Source(None, {})
    path = named or DEFAULT_FILE
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise Mistake(
            f"cannot read the settings file {path}: {error.strerror}", Exit.NO_INPUT
        ) from error
    except UnicodeDecodeError as error:
        raise Mistake(f"{path} is not TOML: it is no text in UTF-8", Exit.CONFIG) from error
    except tomllib.TOMLDecodeError as error:
        raise Mistake(f"{path} is not TOML: {error}", Exit.CONFIG) from error
    ours = {name: table for name, table in content.items() if name not in OTHERS_TABLES}
    return Source(path, ours)


def load(source: Source) -> Settings:
    """Return the settings; raise Mistake naming each one that is unknown or can't be."""
    _refuse_unknown_variables()
    try:
        return Settings(**source.content)
    except ValidationError as error:
        sentences = "; ".join(_sentence(details, source) for details in error.errors())
        raise Mistake(sentences, Exit.CONFIG) from error


def _refuse_unknown_variables() -> None:
    known = {variable(setting.name) for setting in TABLE} | {FILE_VARIABLE}
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and name not in known:
            raise Mistake(
                f"{name} in the environment is no setting{_near(name, known)}", Exit.CONFIG
            )


# Where pydantic's own words name Python's types.
CLEARER = {
    "path_type": "should be the path of a file or folder",
    "tuple_type": 'should be a list, such as ["one", "two"]',
    "int_type": "should be a whole number",
    "int_parsing": "should be a whole number",
    "int_from_float": "should be a whole number",
    "float_type": "should be a number",
    "float_parsing": "should be a number",
    "bool_type": "should be true or false",
    "bool_parsing": "should be true or false",
    "string_type": "should be a text in quotes",
}


def _sentence(details: ErrorDetails, source: Source) -> str:
    names = {setting.name for setting in TABLE}
    name = ".".join(part for part in details["loc"] if isinstance(part, str))
    if details["type"] == "extra_forbidden":
        return f"{source.path}: there is no setting '{name}'{_near(name, names)}"
    if details["type"] == "model_type":
        return f"{source.path}: '{name}' should be a table, written [{name}]"
    what = CLEARER.get(details["type"], details["msg"])
    what = what.removeprefix("Value error, ").removeprefix("Input ")
    return f"{name} (from {source.origin(name)}) is {details['input']!r}: {what}"


def _near(name: str, known: set[str]) -> str:
    # A setting put at the top or into a wrong table is the same mistake as a misspelt one.
    by_last = {candidate.rpartition(".")[2]: candidate for candidate in sorted(known)}
    close = difflib.get_close_matches(name, sorted(known), 1) or [
        by_last[last]
        for last in difflib.get_close_matches(name.rpartition(".")[2], sorted(by_last), 1)
    ]
    return f"; did you mean {close[0]}?" if close else ""
