"""Merging: one recipient's values for the placeholders that name them.

In: text of a message and values by name. Out: edits. `{{name}}` and Mailgun's `%recipient.name%`
take the value `name`, `%recipient%` the address; what names no value stays as it is.

Promise: a value is data wherever it goes: it is escaped in HTML, and breaks no header.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from rewriter.splice import Edit, splice

Values = Mapping[str, str]

RECIPIENT: Final = "recipient"
PLACEHOLDER: Final = re.compile(
    rb"\{\{[ \t]*+([A-Za-z_][\w.-]*+)[ \t]*+\}\}|%recipient\.([A-Za-z_][\w.-]*+)%|%(recipient)%"
)
CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]+")
ESCAPES: Final = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"}
)


def merges(text: bytes, values: Values, write: Callable[[str], bytes]) -> Iterator[Edit]:
    """Give an edit for each placeholder that names a value; `write` gives the value as bytes."""
    for found in PLACEHOLDER.finditer(text):
        name = (found[1] or found[2] or found[3]).decode()
        if name in values:
            yield Edit(found.start(), found.end(), write(values[name]))


def without_overlaps(edits: Sequence[Edit]) -> list[Edit]:
    """Sort edits, and drop one that lies within another: a placeholder in a link that is tracked.

    Of two that begin at one place, an insertion comes first, then what was given first.
    """
    kept: list[Edit] = []
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end > edit.start)):
        if not kept or edit.start >= kept[-1].end:
            kept.append(edit)
    return kept


def merged(text: str, values: Values) -> str:
    """Give text with its placeholders filled in."""
    data = text.encode()
    return splice(data, merges(data, values, str.encode)).decode()


def in_html(value: str) -> bytes:
    """Write a value so that it is text in any page, whatever the page's charset."""
    return value.translate(ESCAPES).encode("ascii", "xmlcharrefreplace")


def in_header(value: str) -> bytes:
    """Write a value on one line, as encoded words where it isn't ASCII (RFC 2047).

    An address can't be encoded words (RFC 2047 §5); it is written as RFC 6532 has it.
    """
    line = CONTROL.sub(" ", value)
    if line.isascii() or "@" in line:
        return line.encode()
    from email.header import Header  # noqa: PLC0415 - importing `email` takes 40 ms

    return Header(line, "utf-8").encode(linesep="").encode()
