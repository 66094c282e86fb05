"""Periods: the half days by which SQLite's indices of random values begin.

Recipients and message ids come in no order: in an index that begins with them, each event changes a
page somewhere in all of it, and pages that were just read in are written out again. Where the
period comes first, events of a time change the few pages of that time, however many lie behind
(docs/store.md has the figures). A walk along such an index goes from period to period; which of
them there are is asked of the index itself, so that nothing has to be kept in step.

PostgreSQL parts the table itself by time: there, what is said here says nothing.
"""

from typing import Any, Final

from sqlalchemy import BigInteger, ColumnElement
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

HALF_DAY: Final = 43_200_000_000  # microseconds


class Period(FunctionElement[int]):
    """The number of a time's period. To order by it before the time changes no order."""

    type = BigInteger()
    inherit_cache = True

    def __init__(self, at: ColumnElement[int]) -> None:
        super().__init__(at)


class Present(FunctionElement[bool]):
    """That an event is of a period between two times that has any, by an index of these.

    True of every event of that time: it is said for the index, which is read from one period to
    the next, whatever lies between.
    """

    inherit_cache = True  # without a type: to a Boolean, SQLAlchemy adds "= 1" in SQLite

    def __init__(self, at: ColumnElement[int], low: int, high: int) -> None:
        super().__init__(at, low // HALF_DAY, high // HALF_DAY)


# From the latest period down, each found by one step into the index.
FOUND: Final = """{at} / {period} IN (WITH RECURSIVE period(number) AS (
  SELECT max(event.at / {period}) FROM event INDEXED BY event_by_recipient
    WHERE event.at / {period} <= {high}
  UNION ALL
  SELECT (SELECT max(event.at / {period}) FROM event INDEXED BY event_by_recipient
    WHERE event.at / {period} < period.number) FROM period WHERE period.number > {low}
) SELECT number FROM period)"""


@compiles(Period)
def _time(element: Period, compiler: Any, **options: Any) -> str:
    return str(compiler.process(element.clauses, **options))


@compiles(Period, "sqlite")
def _number(element: Period, compiler: Any, **options: Any) -> str:
    # A literal: with a bound number, SQLite wouldn't know the index's expression again.
    return f"{compiler.process(element.clauses, **options)} / {HALF_DAY}"


@compiles(Present)
def _anyway(_element: Present, _compiler: Any, **_options: Any) -> str:
    return "true"


@compiles(Present, "sqlite")
def _found(element: Present, compiler: Any, **options: Any) -> str:
    at, low, high = (compiler.process(each, **options) for each in element.clauses)
    return FOUND.format(at=at, low=low, high=high, period=HALF_DAY)
