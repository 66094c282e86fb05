"""Languages: what the pages say in each, and which of them a reader's browser asks for.

In: an Accept-Language header, which anybody may fill with anything. Out: a `Language`. The words
stand in `languages/`, one file a language; a new file there is a new language.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

import msgspec

FOLDER: Final = Path(__file__).with_name("languages")
MOST_ASKED: Final = 512  # bytes of the header that are looked at; browsers send up to 100

# RFC 9110 §12.5.4 and §12.4.2: a language range (RFC 4647 §2.1) and its quality.
RANGE: Final = re.compile(
    r"(\*|[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*)"
    r"[ \t]*(?:;[ \t]*[qQ]=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?",
    re.ASCII,
)


class Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one page says; a page with a button posts to its own address."""

    heading: str
    paragraphs: tuple[str, ...]
    button: str = ""


class Scoped(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a page says of all mail, of one kind (`tag`), or of one list.

    `{sender}` stands for whose mail it is, `{list}` for the list's name.
    """

    heading: str
    all: str
    tag: str
    list: str
    paragraphs: tuple[str, ...]
    button: str


class Language(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that is said in one language: before, after, taken back, and what goes wrong."""

    direction: Literal["ltr", "rtl"]
    ask: Scoped
    done: Scoped
    back: Scoped
    later: Words
    later_back: Words
    damaged: Words
    code: str = ""


def _read(path: Path) -> Language:
    found = msgspec.json.decode(path.read_bytes(), type=Language)
    return msgspec.structs.replace(found, code=path.stem)


LANGUAGES: Final = {path.stem: _read(path) for path in sorted(FOLDER.glob("*.json"))}
ENGLISH: Final = LANGUAGES["en"]


def chosen(accepted: bytes) -> Language:
    """Return the language that an Accept-Language header likes best; English, where we have none.

    A range that we don't have is asked for without its region (RFC 4647 §3.4): `pt-BR` finds `pt`.
    """
    wished = _wished(accepted[:MOST_ASKED].decode("latin-1"))
    had = (LANGUAGES[name] for wish in wished for name in _widened(wish) if name in LANGUAGES)
    return next(had, ENGLISH)


def _widened(name: str) -> Iterator[str]:
    while name:
        yield name
        name = name.rpartition("-")[0]


def _wished(accepted: str) -> list[str]:
    """Return the ranges, best first; of those that are liked alike, the first goes first."""
    matches = [RANGE.fullmatch(part.strip(" \t")) for part in accepted.split(",")]
    wished = [(float(match[2] or 1), match[1].lower()) for match in matches if match]
    liked = sorted((one for one in wished if one[0] > 0), key=lambda one: -one[0])
    return [name for _, name in liked]
