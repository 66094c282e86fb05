import contextlib
import threading

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.tracker.store.documents import document
from tracker.store.deflated import DICTIONARY
from tracker.store.document import Damaged, packed, unpacked

# What earlier versions stored, and this one: another dictionary would make every such event
# unreadable.
DEFLATED = bytes.fromhex(
    "01c395503353740d0c0c0cd1d3ab0104186249b779a9e5c57aa9154085c082152d0d27e6e53940a5a02915e17322c2"
    "d9c8c0c8ccd0d008580238a0da525b0b00"
)
PACKED = bytes.fromhex(
    "0224c05d02004382073162c47871ebc5f7726c67a0d175d08b8c17dbc7412775edb5d6ae60c2020ffc0e1ba0bd"
    "1394399fa74046a72158f3f4969f42e033af877e918d7c9a86436cac7c5f280488a147289e7b47df"
)


@given(st.lists(st.binary(min_size=1) | st.integers(0, 400).map(lambda at: DICTIONARY[at:] * 3)))
@example([])
def test_documents_come_back_as_they_were_packed(documents: list[bytes]) -> None:
    assert [unpacked(each) for each in packed(documents)] == documents


@pytest.mark.parametrize("stored", [DEFLATED, PACKED])
def test_what_another_version_packed_can_be_read(stored: bytes) -> None:
    assert unpacked(stored) == document(1)


def test_a_document_takes_less_than_half() -> None:
    assert len(packed([document(1)])[0]) < len(document(1)) / 2


def test_documents_are_packed_and_unpacked_by_several_threads_at_once() -> None:
    documents = [document(number) for number in range(500)]
    back: list[list[bytes]] = []

    def work() -> None:
        back.append([unpacked(each) for each in packed(documents)])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert back == [documents] * 4


@pytest.mark.parametrize(
    "stored", [b"", b"\x01", b"\x01\xff\xff\xff", DEFLATED[:-9], b"\x02" + DEFLATED[1:], b"\x02"]
)
def test_what_is_no_document_is_told_from_one(stored: bytes) -> None:
    with pytest.raises(Damaged, match="a document in the store is damaged"):
        unpacked(stored)


def test_no_bit_that_flips_makes_another_document_of_it() -> None:
    for bit in range(8 * len(PACKED)):
        flipped = bytearray(PACKED)
        flipped[bit // 8] ^= 1 << bit % 8
        with contextlib.suppress(Damaged):
            assert unpacked(bytes(flipped)) == document(1)
