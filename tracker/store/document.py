"""The document as it lies on disk: packed by zstd against a dictionary of what most documents say.

It says little that others of its kind don't say too, but must be readable without them: the
dictionary stands in for them (RFC 8878 §5). `bench/documents.py` trains one, and measures it.

Promise: `unpacked` gives back what was packed, byte for byte, or raises Damaged: each lies with a
checksum. What was packed can be read for ever: a dictionary never changes, a better one is another
file and gets the next mark.
"""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from zstandard import (
    DICT_TYPE_FULLDICT,
    FORMAT_ZSTD1_MAGICLESS,
    ZstdCompressionDict,
    ZstdCompressionParameters,
    ZstdCompressor,
    ZstdDecompressor,
    ZstdError,
)

from tracker.store.deflated import NotDeflated, inflated

DEFLATED: Final = b"\x01"  # the mark of what older versions stored
MARK: Final = b"\x02"  # tells which dictionary, so that zstd needn't
TYPICAL: Final = 800  # bytes of a document
LEVEL: Final = 1  # the third saves two bytes of a hundred, and takes a tenth longer


class Damaged(Exception):
    """What is stored is no document."""


_content = Path(__file__).with_name("document.2.zdict").read_bytes()
_dictionary = ZstdCompressionDict(_content, dict_type=DICT_TYPE_FULLDICT)
_parameters = ZstdCompressionParameters.from_level(
    LEVEL,
    source_size=TYPICAL,
    dict_size=len(_content),
    format=FORMAT_ZSTD1_MAGICLESS,
    write_content_size=True,
    write_checksum=True,
    write_dict_id=False,
)
_dictionary.precompute_compress(compression_params=_parameters)


class _Zstd(threading.local):
    """What packs and unpacks for one thread: neither may be used by two at a time."""

    def __init__(self) -> None:
        self.packing = ZstdCompressor(dict_data=_dictionary, compression_params=_parameters)
        self.unpacking = ZstdDecompressor(dict_data=_dictionary, format=FORMAT_ZSTD1_MAGICLESS)


_zstd = _Zstd()


def packed(documents: Sequence[bytes]) -> list[bytes]:
    """Return documents, none of them empty, as they are stored.

    All at once, for which Python's lock is let go once: whoever writes another batch meanwhile
    waits for it with each time that it is taken again.
    """
    if not documents:
        return []
    made = _zstd.packing.multi_compress_to_buffer(list(documents), threads=1)
    return [MARK + made[place].tobytes() for place in range(len(made))]


def unpacked(stored: bytes) -> bytes:
    """Return a document as it came. Raises Damaged if that can't be told any more."""
    mark, content = stored[:1], stored[1:]
    try:
        match mark:
            case b"\x02":
                return _zstd.unpacking.decompress(content)
            case b"\x01":
                return inflated(content)
    # A damaged size may be more than there is memory.
    except (ZstdError, MemoryError, NotDeflated) as error:
        raise Damaged(f"a document in the store is damaged: {error}") from error
    raise Damaged(f"a document in the store is damaged: nothing is packed as {mark!r}")
