"""How logs look: one line an event, on standard error, as JSON or for a person.

Standard `logging`, so that what libraries say comes out in the same form. An event is a name in
snake_case with its facts in `extra`; no tokens and no addresses of people are among them.

    logger.error("hits_lost", extra={"lost": 3})
"""

import logging
import sys
from datetime import UTC, datetime
from typing import Final, Literal

import msgspec

Form = Literal["json", "text"]

_ORDINARY: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "taskName"}


def form(chosen: Literal["auto", "json", "text"]) -> Form:
    """Decide what `auto` means: text where a person is looking."""
    if chosen == "auto":
        return "text" if sys.stderr.isatty() else "json"
    return chosen


def configure(form: Form, level: int = logging.INFO) -> None:
    """Send every logger of this process to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if form == "json" else TextLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)


def facts(record: logging.LogRecord) -> dict[str, object]:
    """Return what was given as `extra`."""
    return {name: value for name, value in vars(record).items() if name not in _ORDINARY}


class JsonLines(logging.Formatter):
    """For machines: `{"at":…,"level":…,"event":…,…}`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line, whatever the record holds."""
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **facts(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line, enc_hook=str).decode()


class TextLines(logging.Formatter):
    """For people: `12:34:56 error    hits_lost  lost=3`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line, and a traceback under it if there is one."""
        at = datetime.fromtimestamp(record.created, UTC).astimezone().strftime("%H:%M:%S")
        told = " ".join(f"{name}={value}" for name, value in facts(record).items())
        line = f"{at} {record.levelname.lower():8} {record.getMessage()}  {told}".rstrip()
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line
