"""The commands that a text tells people to type, and whether the command line has them."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

import typer
from typer.core import TyperGroup

from tracker.cli import COMMANDS, application

OPTION: Final = re.compile(r"--[a-z][a-z-]*")
_SPAN: Final = re.compile(r"`([^`\n]+)`")
# A command stands by itself: indented in a text or a comment, behind a prompt or a unit's key.
_LINE: Final = re.compile(r"^(?:#?    +|\w*\$ |(?:Exec\w+)=)(.*)$")


def code(text: str) -> Iterator[str]:
    """Give what a text shows as code: spans, and lines with those that go on behind a backslash."""
    yield from _SPAN.findall(text)
    for line in text.replace("\\\n", " ").splitlines():
        if found := _LINE.match(line):
            yield found[1]


def written(text: str) -> Iterator[list[str]]:
    """Give the words behind each `tracker` of a text's code."""
    for line in code(text):
        for words in re.findall(r"(?:^|[/ '])tracker ([a-z%][^|;&']*)", line):
            yield words.split()


def understood(words: Sequence[str]) -> str:
    """Say what of a command isn't known; "" if all is."""
    first, *rest = words
    if first not in COMMANDS:
        return f"there is no 'tracker {first}'"
    found: Any = typer.main.get_command(application([first], rest[0] if rest else ""))
    for word in words if isinstance(found, TyperGroup) and first in found.commands else rest:
        if not isinstance(found, TyperGroup):
            break
        if word not in found.commands:
            return f"there is no '{word}' in 'tracker {' '.join(words)}'"
        found = found.commands[word]
    options = {option for parameter in found.params for option in parameter.opts}
    unknown = [word for word in rest if OPTION.fullmatch(word.partition("=")[0])]
    unknown = [word for word in unknown if word.partition("=")[0] not in options]
    return f"'tracker {' '.join(words)}' takes no {unknown[0]}" if unknown else ""
