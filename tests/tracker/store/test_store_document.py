import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tracker.store.documents import document
from tracker.store.document import DICTIONARY, Damaged, packed, unpacked

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


@pytest.mark.parametrize(
    "stored", [b"", b"\x01", b"\x01\xff\xff\xff", packed(document(1))[:-9], b"\x02" + OF_OLD[1:]]
)
def test_what_is_no_document_is_told_from_one(stored: bytes) -> None:
    with pytest.raises(Damaged, match="a document in the store is damaged"):
        unpacked(stored)
