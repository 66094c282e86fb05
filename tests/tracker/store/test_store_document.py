import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tracker.store.documents import DOMAIN, document
from tracker.store.database import Store, StoreUnavailable
from tracker.store.document import DICTIONARY, packed, unpacked
from tracker.store.query import Walk
from tracker.store.row import row

# Stored by the first version: a change of the dictionary would make every such event unreadable.
OF_OLD = bytes.fromhex(
    "01c395503353740d0c0c0cd1d3ab0104186249b779a9e5c57aa9154085c082152d0d27e6e53940a5a02915e17322c2"
    "d9c8c0c8ccd0d008580238a0da525b0b00"
)


@settings(deadline=None)
@given(st.binary() | st.integers(0, 400).map(lambda start: DICTIONARY[start:] * 3))
def test_a_document_comes_back_as_it_was_packed(content: bytes) -> None:
    assert unpacked(packed(content)) == content


def test_what_an_older_version_packed_can_still_be_read() -> None:
    assert unpacked(OF_OLD) == document(1)


def test_a_document_takes_less_than_half() -> None:
    assert len(packed(document(1))) < len(document(1)) / 2


@pytest.mark.anyio
async def test_a_damaged_document_is_told_from_an_empty_page(tmp_path: Path, store: Store) -> None:
    await store.insert([row(document(1))])
    other = sqlite3.connect(tmp_path / "store.db")
    other.execute("UPDATE event SET document = x'01ffffff'")
    other.commit()
    other.close()
    with pytest.raises(StoreUnavailable, match="a document in it is damaged"):
        await store.page(Walk(DOMAIN, ascending=True, limit=10))
