"""The tree of conditions that events meet, and the fields that they are about.

In: a tree, whose texts and numbers come from a request. Out: one SQL condition, every value bound.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal

from sqlalchemy import (
    Column,
    ColumnElement,
    Double,
    Table,
    and_,
    false,
    literal,
    not_,
    or_,
    select,
    true,
)

from tracker.store.row import exact, message_id, words
from tracker.store.schema import event, tag


@dataclass(frozen=True, slots=True)
class Match:
    """The field holds the text: as its whole value, as one of its tags or as words in a row."""

    field: str
    text: str


@dataclass(frozen=True, slots=True)
class Compare:
    """The field, a number, is greater than, less than or equal to the number."""

    field: str
    sign: Literal[">", "<", "="]
    number: float


@dataclass(frozen=True, slots=True)
class Not:
    """The condition isn't met."""

    part: "Tree"


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every condition is met; none at all are met by every event."""

    parts: tuple["Tree", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one condition is met."""

    parts: tuple["Tree", ...]


Tree = Match | Compare | Not | AllOf | AnyOf
EVERYTHING: Final = AllOf(())


@dataclass(frozen=True, slots=True)
class Field:
    """What one filter field is compared with, and whether it is a text or a number."""

    column: Column[Any]
    fold: Callable[[str], str] = exact
    numeric: bool = False

    def holds(self, text: str) -> ColumnElement[bool]:
        """Return the condition that the field holds a text that a person typed."""
        folded = self.fold(text)
        if self.column is tag.c.tag:
            there = select(true()).where(*same_event(tag), tag.c.tag == folded).correlate(event)
            # PostgreSQL would rather read every event of the tag beforehand, and keep them in a
            # table to look into. Of a subquery with an OFFSET it doesn't think of that.
            return there.with_statement_hint("OFFSET 0", "postgresql").exists()
        if self.fold is words:
            return self.column.contains(folded, autoescape=True) if folded else false()
        return self.column == folded


# Mailgun's filter fields (Events API, "Filter Field").
FIELDS: Final[Mapping[str, Field]] = MappingProxyType(
    {
        "event": Field(event.c.kind),
        "list": Field(event.c.mailing_list),
        "attachment": Field(event.c.attachments, words),
        "from": Field(event.c.from_header, words),
        "message-id": Field(event.c.message_id, message_id),
        "subject": Field(event.c.subject, words),
        "to": Field(event.c.to_header, words),
        "size": Field(event.c.size, numeric=True),
        "recipient": Field(event.c.recipient),
        "recipients": Field(event.c.recipients, words),
        "tags": Field(tag.c.tag),
        "severity": Field(event.c.severity),
    }
)


def condition(tree: Tree) -> ColumnElement[bool]:
    """Return the SQL condition of a tree; it is never NULL, so NOT is its exact opposite."""
    match tree:
        case Match(field, text):
            return FIELDS[field].holds(text)
        case Compare(field, sign, number):
            # A number with a fraction isn't of the column's own type, which is of whole ones.
            column, given = FIELDS[field].column, literal(number, Double)
            compared = {">": column > given, "<": column < given, "=": column == given}
            return and_(column.is_not(None), compared[sign])
        case Not(part):
            return not_(condition(part))
        case AllOf(parts):
            return and_(true(), *map(condition, parts))
        case AnyOf(parts):
            return or_(false(), *map(condition, parts))


def same_event(table: Table) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions that a row of a table is about an event."""
    return tuple(table.c[name] == event.c[name] for name in ("domain", "at", "id"))
