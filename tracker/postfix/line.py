"""A line of the log: when, which program of which instance, which queue id, what it says.

In: a line as rsyslog writes it, in the traditional form or with ISO 8601's times, or one of
`journalctl -o json`; `Log` also joins the lines of its `-o export`. Out: a Line, or None for one
that isn't about a message in Postfix's queue.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

# postconf(5), syslog_name: the instance's own name, a service's, the program's.
SAID = re.compile(
    r"(?P<instance>[^\s/\[]+)(?:/[^\s/\[]+)*/(?P<program>[a-z]+)(?:\[\d+\])?: (?P<text>.*)"
)
# Short ids are hexadecimal, long ones (enable_long_queue_ids) have no vowels.
QUEUED = re.compile(
    r"(?P<queue_id>[0-9A-F]{6,20}|[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{10,20}): (.*)"
)
TRADITIONAL = re.compile(r"(?P<time>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) (?P<host>\S+) (.*)")
ISO = re.compile(r"(?P<time>\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d)) (?P<host>\S+) (.*)")
MONTHS: Final = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)
SECOND: Final = 1_000_000
ENTRY: Final = ("__REALTIME_TIMESTAMP", "_HOSTNAME", "SYSLOG_IDENTIFIER", "MESSAGE")
# systemd, "Journal Export Formats": a field a line, an empty line behind each entry.
EXPORTED_FIELD = re.compile(r"([A-Z_][A-Z0-9_]*)=(.*)")


@dataclass(frozen=True, slots=True)
class Line:
    """What a program of Postfix said of a message; `at` is in seconds since 1970."""

    at: float
    host: str
    instance: str
    program: str
    queue_id: str
    text: str


def read(text: str, now: datetime) -> Line | None:
    """Read a line. `now` lends its year and its zone to the lines that tell neither."""
    if text.startswith("{"):
        return _journal(text)
    if found := ISO.fullmatch(text):
        try:
            at = datetime.fromisoformat(found["time"])
        except ValueError:
            return None
        return _line(at.timestamp(), found["host"], found[3])
    if (found := TRADITIONAL.fullmatch(text)) and (at_ := traditional(found["time"], now)):
        return _line(at_.timestamp(), found["host"], found[3])
    return None


def traditional(text: str, now: datetime) -> datetime | None:
    """Read a time without a year: the latest that isn't in the future, a day's grace given."""
    month, day, clock = text[:3], text[4:6], text[7:]
    if month not in MONTHS:
        return None
    for year in range(now.year + 1, now.year - 5, -1):  # back to a year with a 29th of February
        try:
            at = datetime.fromisoformat(
                f"{year}-{MONTHS.index(month) + 1:02}-{int(day):02}T{clock}"
            )
        except ValueError:
            continue
        at = at.replace(tzinfo=now.tzinfo)
        if at <= now + timedelta(days=1):
            return at
    return None


class Log:
    """Reads a log's lines in their order, of whichever form they are."""

    def __init__(self) -> None:
        self._fields: dict[str, str] = {}

    def read(self, text: str, now: datetime) -> Line | None:
        """Take a line; return what it says. Of an exported entry only its last line says it."""
        if found := EXPORTED_FIELD.fullmatch(text):
            self._fields[found[1]] = found[2]
            return None
        if text:
            return read(text, now)
        fields, self._fields = self._fields, {}
        return _entry(fields)


def _journal(text: str) -> Line | None:
    try:
        fields = msgspec.json.decode(text)
    except msgspec.MsgspecError:
        return None
    return _entry(fields)


def _entry(fields: dict[str, Any]) -> Line | None:
    time, host, program, said = (fields.get(name) for name in ENTRY)
    if not (isinstance(time, str) and time.isascii() and time.isdigit() and len(time) < 18):
        return None
    return _line(int(time) / SECOND, str(host or ""), f"{program}: {said}")


def _line(at: float, host: str, said: str) -> Line | None:
    found = SAID.fullmatch(said)
    queued = QUEUED.fullmatch(found["text"]) if found else None
    if found is None or queued is None:
        return None
    return Line(at, host, found["instance"], found["program"], queued["queue_id"], queued[2])
