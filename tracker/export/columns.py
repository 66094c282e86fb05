"""The columns of an exported event: which there are, and where in its document each is found.

In: an event's document, decoded. Out: one value a column; None where the event has none.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

Document = Mapping[str, Any]
Value = str | int | float | None
LIST_SEPARATOR: Final = "|"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, the type of its values, and how a document yields one."""

    name: str
    type: Literal["text", "integer", "number"]
    of: Callable[[Document], Value]


def row(document: Document) -> list[Value]:
    """Return an event's values in the order of COLUMNS."""
    return [column.of(document) for column in COLUMNS]


def _at(*path: str) -> Callable[[Document], Any]:
    def found(document: Document) -> Any:
        value: Any = document
        for name in path:
            value = value.get(name) if isinstance(value, Mapping) else None
        return value

    return found


def _text(name: str, *path: str) -> Column:
    look = _at(*path or (name,))

    def of(document: Document) -> Value:
        value = look(document)
        if value is None or isinstance(value, str):
            return value
        return msgspec.json.encode(value).decode()

    return Column(name, "text", of)


def _listed(name: str, *path: str) -> Column:
    look = _at(*path or (name,))

    def of(document: Document) -> Value:
        value = look(document)
        if not isinstance(value, list):
            return None
        return LIST_SEPARATOR.join(str(item) for item in value)

    return Column(name, "text", of)


def _integer(name: str, *path: str) -> Column:
    look = _at(*path or (name,))

    def of(document: Document) -> Value:
        value = look(document)
        return value if type(value) is int else None

    return Column(name, "integer", of)


def _time(document: Document) -> Value:
    value = document.get("timestamp")
    return float(value) if isinstance(value, int | float) else None


COLUMNS: Final = (
    Column("timestamp", "number", _time),
    _text("event"),
    _text("id"),
    _integer("revision"),
    _text("domain", "domain", "name"),
    _text("recipient"),
    _text("recipient-domain"),
    _text("message-id", "message", "headers", "message-id"),
    _text("subject", "message", "headers", "subject"),
    _text("from", "message", "headers", "from"),
    _listed("tags"),
    _text("user-variables"),
    _text("url"),
    _integer("link-position", "link", "position"),
    _text("link-name", "link", "name"),
    _text("verdict", "verdict", "kind"),
    _listed("verdict-reasons", "verdict", "reasons"),
    _text("bot", "client-info", "bot"),
    _text("ip"),
    _text("country", "geolocation", "country"),
    _text("region", "geolocation", "region"),
    _text("city", "geolocation", "city"),
    _text("client-type", "client-info", "client-type"),
    _text("client-name", "client-info", "client-name"),
    _text("client-os", "client-info", "client-os"),
    _text("device-type", "client-info", "device-type"),
    _text("user-agent", "client-info", "user-agent"),
    _text("severity"),
    _text("reason"),
    _integer("code", "delivery-status", "code"),
    _text("delivery-message", "delivery-status", "message"),
)
