"""Edits of bytes, and the one function that carries them out.

In: bytes and edits, ascending and apart. Out: the bytes with exactly those spans replaced.
Promise: every byte outside the spans comes out as it went in.
"""

from collections.abc import Iterable

import msgspec


class Edit(msgspec.Struct, frozen=True):
    """`data[start:end]` becomes `new`; an insertion has `start == end`."""

    start: int
    end: int
    new: bytes


def splice(data: bytes, edits: Iterable[Edit]) -> bytes:
    """Carry out `edits`; insertions at one place keep their order.

    Raises `ValueError` where edits overlap or are out of order.
    """
    pieces: list[bytes] = []
    done = 0
    for edit in edits:
        if not done <= edit.start <= edit.end <= len(data):
            raise ValueError(f"edit at {edit.start}:{edit.end} overlaps or is out of order")
        pieces += data[done : edit.start], edit.new
        done = edit.end
    pieces.append(data[done:])
    return b"".join(pieces)
