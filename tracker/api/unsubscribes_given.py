"""Unsubscribes that somebody gives: by a form, as JSON or as the lines of a CSV file.

In: what was posted, in Mailgun's form. Out: suppressions, or Refused with what is wrong where; a
list with one address that is wrong gives none.
"""

import csv
import io
import time
from collections.abc import Iterable, Iterator
from typing import Annotated, Final

import msgspec

from tracker.api.answer import Refused
from tracker.api.body import decoded
from tracker.api.listing import moment
from tracker.store.decision import ALL
from tracker.store.row import exact
from tracker.store.suppressions import Suppression

MOST_POSTED: Final = 1_000
MOST_CHARACTERS: Final = 320  # of an address, RFC 3696 §3
MOST_TAG_CHARACTERS: Final = 128
TOLD_WRONG: Final = 5  # lines of a file that are told to be wrong


class Given(msgspec.Struct, frozen=True):
    """One address of a JSON list."""

    address: str
    tags: Annotated[list[str], msgspec.Meta(max_length=100)] = []
    tag: str = ""
    created_at: str = ""


def from_form(form: list[tuple[str, str]]) -> Suppression:
    """Read one address. Raises Refused."""
    given = dict(form)
    tags = [value for name, value in form if name in {"tag", "tags"}]
    return _suppression(given.get("address", ""), tags, given.get("created_at", ""))


def from_json(body: bytes) -> list[Suppression]:
    """Read a list of addresses, or one alone. Raises Refused with the address that is wrong."""
    given = decoded(body, list[Given] | Given, "the body should be a list of addresses")
    rows = [given] if isinstance(given, Given) else given
    if len(rows) > MOST_POSTED:
        raise Refused(f"one request adds up to {MOST_POSTED} addresses; a file takes more")
    found = []
    for place, one in enumerate(rows, 1):
        try:
            tags = [*one.tags, *([one.tag] if one.tag else [])]
            found.append(_suppression(one.address, tags, one.created_at))
        except Refused as error:
            raise Refused(f"address {place}: {error.message}") from error
    return found


def from_csv(text: str) -> list[Suppression]:
    """Read `address, tags, created_at` in the order of a header line, or addresses alone.

    Raises Refused with the lines that are wrong.
    """
    found, wrong = [], []
    for line, given in _lines(text):
        try:
            tags = [tag for tag in given.get("tags", given.get("tag", "")).split(" ") if tag]
            address, created = given.get("address", ""), given.get("created_at", "")
            found.append(_suppression(address, tags, created))
        except Refused as error:
            wrong.append(f"line {line}: {error.message}")
    if wrong:
        more = f", and {len(wrong) - TOLD_WRONG} more" if len(wrong) > TOLD_WRONG else ""
        raise Refused(f"nothing was added; {'; '.join(wrong[:TOLD_WRONG])}{more}")
    return found


def _lines(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    header: list[str] = []
    try:
        for cells in reader:
            values = [cell.strip() for cell in cells]
            if not any(values):
                continue
            if not header:
                lower = [value.lower() for value in values]
                header = lower if "address" in lower else ["address"]
                if header is lower:
                    continue
            yield reader.line_num, dict(zip(header, values, strict=False))
    except csv.Error as error:
        raise Refused(f"line {reader.line_num}: {error}") from error


def _suppression(address: str, tags: Iterable[str], created: str) -> Suppression:
    known = exact(address)
    local, at, host = known.rpartition("@")
    if not (local and at and host and len(known) <= MOST_CHARACTERS and known.isprintable()):
        raise Refused(f"`address` should be one such as ann@example.com, not {address[:80]!r}")
    if " " in known:
        raise Refused(f"`address` should be the address alone, not {address[:80]!r}")
    kept = tuple(dict.fromkeys(exact(tag) for tag in tags)) or (ALL,)
    if any(not tag or len(tag) > MOST_TAG_CHARACTERS for tag in kept):
        raise Refused(f"a tag has 1 to {MOST_TAG_CHARACTERS} characters")
    return Suppression(known, kept, _when(created))


def _when(created: str) -> int:
    now = time.time_ns() // 1_000
    return min(moment("created_at", created), now) if created else now
