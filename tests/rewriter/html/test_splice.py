"""Edits of bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewriter.splice import Edit, splice


@st.composite
def edited(draw: st.DrawFn) -> tuple[list[bytes], list[bytes], list[bytes]]:
    """Give what stays, what goes from between it, and what comes instead."""
    count = draw(st.integers(0, 5))
    pieces = st.binary(max_size=6)
    return (
        draw(st.lists(pieces, min_size=count + 1, max_size=count + 1)),
        draw(st.lists(pieces, min_size=count, max_size=count)),
        draw(st.lists(pieces, min_size=count, max_size=count)),
    )


def joined(kept: list[bytes], between: list[bytes]) -> bytes:
    return b"".join(a + b for a, b in zip(kept, [*between, b""], strict=True))


@given(edited())
def test_what_is_outside_of_the_edits_stays_as_it_came(
    case: tuple[list[bytes], list[bytes], list[bytes]],
) -> None:
    kept, gone, new = case
    edits, at = [], 0
    for piece, old, put in zip(kept, gone, new, strict=False):
        at += len(piece)
        edits.append(Edit(at, at + len(old), put))
        at += len(old)
    assert splice(joined(kept, gone), edits) == joined(kept, new)


def test_insertions_at_one_place_keep_their_order() -> None:
    assert splice(b"ab", [Edit(1, 1, b"1"), Edit(1, 1, b"2"), Edit(1, 2, b"B")]) == b"a12B"


@pytest.mark.parametrize(
    "edits",
    [
        [Edit(0, 2, b""), Edit(1, 3, b"")],
        [Edit(2, 3, b""), Edit(0, 1, b"")],
        [Edit(2, 1, b"")],
        [Edit(0, 9, b"")],
        [Edit(-1, 0, b"")],
    ],
)
def test_edits_that_overlap_or_miss_the_bytes_are_refused(edits: list[Edit]) -> None:
    with pytest.raises(ValueError, match="overlaps or is out of order"):
        splice(b"abcd", edits)
