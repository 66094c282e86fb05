"""A merge: rows that go into a table, and what becomes of those that are there under their key.

Pure: each database writes it in its own words (`dialect`), for many rows in one statement. Of the
rows of one merge no two have the same key.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Table
from sqlalchemy.sql.base import ReadOnlyColumnCollection
from sqlalchemy.sql.elements import KeyedColumnElement

Columns = ReadOnlyColumnCollection[str, KeyedColumnElement[Any]]
Values = Callable[[Columns], Mapping[str, Any]]
Where = Callable[[Columns], ColumnElement[bool]]


@dataclass(frozen=True, slots=True)
class Merge:
    """Insert rows, each with the values of all columns of the table in their order.

    A row whose key is there becomes what `values` says, where `where` holds; both are told the
    columns of the row that was to be inserted. Without `values` it is left alone. Of rows that are
    `new`, whoever merges them has found, in the same transaction, that no key is there.
    """

    table: Table
    values: Values | None = None
    where: Where | None = None
    new: bool = False
