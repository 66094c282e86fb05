"""Train the dictionary that documents are packed against, and measure what it saves.

    python -m bench.documents [--into FILE]

Trained on the documents of `bench.document_samples`. Measured on others: the store benchmark's,
and one of each kind of Mailgun's, beside the way they were packed before, and beside zstd without a
dictionary. The same release of zstandard makes the same dictionary again.

A dictionary that has been released never changes (`tracker.store.document`): a better one is
another file, with a mark of its own.
"""

import argparse
import random
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec
import zstandard

from bench.document_samples import Documents
from bench.store_events import Traffic
from tests.tracker.ingest.samples import SAMPLES
from tests.tracker.store.documents import deflated
from tracker.store.document import packed, unpacked

SIZE: Final = 8192  # bytes; twice as many save one byte a document
DOCUMENTS: Final = 40_000
MEASURED: Final = 4_000
ROUNDS: Final = 5


def trained() -> bytes:
    """Train a dictionary."""
    some: list[bytes | bytearray | memoryview] = [*Documents(1).some(DOCUMENTS)]
    return zstandard.train_dictionary(SIZE, some, level=1).as_bytes()


Pack = Callable[[Sequence[bytes]], Sequence[bytes]]
Unpack = Callable[[bytes], bytes]
plain = zstandard.ZstdCompressor(level=1)
PACKERS: Final[dict[str, tuple[Pack, Unpack]]] = {
    "zstd and the dictionary": (packed, unpacked),
    "deflate and a dictionary, as before": (lambda some: list(map(deflated, some)), unpacked),
    "zstd alone": (lambda some: list(map(plain.compress, some)), zstandard.decompress),
}


def row_of(name: str, documents: Sequence[bytes]) -> str:
    """Pack and unpack documents by each of the ways; return the line of a table."""
    cells = [f"{statistics.mean(map(len, documents)):.0f}"]
    for pack, unpack in PACKERS.values():
        took, back = [], []
        for _ in range(ROUNDS):
            begun = time.thread_time()
            stored = pack(documents)
            took.append(time.thread_time() - begun)
            begun = time.thread_time()
            read = [unpack(each) for each in stored]
            back.append(time.thread_time() - begun)
            assert read == documents
        each = 1e6 / len(documents)
        size = statistics.mean(map(len, stored))
        cells.append(f"{size:.0f} B, {min(took) * each:.1f} + {min(back) * each:.1f} µs")
    return f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    """Measure, or train into a file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--into", type=Path, metavar="FILE", help="where to write a new dictionary")
    arguments = parser.parse_args()
    if arguments.into:
        arguments.into.write_bytes(trained())
        return
    traffic = [row.document for row in Traffic().rows(0, MEASURED, random.Random(9))]
    mailgun = [msgspec.json.encode(sample) for sample in SAMPLES.values()] * 100
    print(f"| documents | bytes | {' | '.join(PACKERS)} |\n|---|--:|{'--:|' * len(PACKERS)}")
    print(row_of("of the store benchmark", traffic))
    print(row_of("one of each kind, short", mailgun))
    print(row_of("of the kind it was trained on", Documents(2).some(MEASURED)))


if __name__ == "__main__":
    main()
