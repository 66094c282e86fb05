"""The forms of an export: documents in, the bytes of a file out, piece by piece.

A form is begun once, fed any number of times and ended once; what it returns, put together, is the
file. Parquet needs pyarrow, the extra `parquet`.
"""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Literal, Protocol

import msgspec

from tracker.export.columns import COLUMNS, Value, row

FormName = Literal["jsonl", "csv", "parquet"]

# What a spreadsheet takes for the beginning of a formula (owasp.org, "CSV Injection"). A subject or
# a User-Agent is written by strangers, and an export is opened by people.
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


class FormUnavailable(Exception):
    """A form needs a package that isn't installed; the message says which."""


class Form(Protocol):
    """How a file is written."""

    def begin(self) -> bytes:
        """Return what stands before the first event."""

    def feed(self, documents: Sequence[bytes]) -> bytes:
        """Return some events."""

    def end(self) -> bytes:
        """Return what stands behind the last event."""


class JsonLines:
    """One document a line, as it was stored."""

    def begin(self) -> bytes:
        """Return nothing."""
        return b""

    def feed(self, documents: Sequence[bytes]) -> bytes:
        """Return the documents."""
        return b"".join(document + b"\n" for document in documents)

    def end(self) -> bytes:
        """Return nothing."""
        return b""


class Csv:
    """RFC 4180 with a header line, in UTF-8; no cell begins as a formula does."""

    def begin(self) -> bytes:
        """Return the names of the columns."""
        return _lines([[column.name for column in COLUMNS]])

    def feed(self, documents: Sequence[bytes]) -> bytes:
        """Return one line an event."""
        return _lines([_cell(value) for value in values] for values in _rows(documents))

    def end(self) -> bytes:
        """Return nothing."""
        return b""


class Parquet:
    """Apache Parquet, zstd; `timestamp` is in seconds, as in the documents."""

    def __init__(self) -> None:
        try:
            import pyarrow  # noqa: PLC0415 - an extra of 140 MB that few need
            import pyarrow.parquet  # noqa: PLC0415 - of the same extra
        except ImportError as error:
            raise FormUnavailable(
                "Parquet needs pyarrow: install the extra, pip install 'tracking-edge[parquet]'"
            ) from error
        types = {
            "text": pyarrow.string(),
            "integer": pyarrow.int64(),
            "number": pyarrow.float64(),
        }
        self._arrow: Any = pyarrow
        self._schema = pyarrow.schema([(one.name, types[one.type]) for one in COLUMNS])
        self._out = _Pieces()
        self._writer = pyarrow.parquet.ParquetWriter(self._out, self._schema, compression="zstd")

    def begin(self) -> bytes:
        """Return the file's mark."""
        return self._out.taken()

    def feed(self, documents: Sequence[bytes]) -> bytes:
        """Return one row group."""
        columns = zip(*_rows(documents), strict=True)
        arrays = [
            self._arrow.array(values, field.type)
            for values, field in zip(columns, self._schema, strict=True)
        ]
        self._writer.write_table(self._arrow.Table.from_arrays(arrays, schema=self._schema))
        return self._out.taken()

    def end(self) -> bytes:
        """Return the footer, which says where everything is."""
        self._writer.close()
        return self._out.taken()


FORMS: Final[Mapping[str, Callable[[], Form]]] = MappingProxyType(
    {"jsonl": JsonLines, "csv": Csv, "parquet": Parquet}
)
MEDIA_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "jsonl": "application/x-ndjson",
        "csv": "text/csv; charset=utf-8",
        "parquet": "application/vnd.apache.parquet",
    }
)


class _Pieces(io.RawIOBase):
    """A file that can only be written on, and gives up what was written."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []
        self._at = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def write(self, piece: Any) -> int:
        self._pieces.append(bytes(piece))
        self._at += len(self._pieces[-1])
        return len(self._pieces[-1])

    def taken(self) -> bytes:
        """Return what was written since this was last asked for."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


def _rows(documents: Sequence[bytes]) -> list[list[Value]]:
    return [row(msgspec.json.decode(document)) for document in documents]


def _lines(rows: Any) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode("utf-8", "replace")


def _cell(value: Value) -> Value:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
