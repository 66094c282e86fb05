"""A segment: a file of frames, written by one process and read by others without any lock.

    header  8 bytes magic, 16 random bytes, filled up to 32
    frame   length u32, CRC-32 u32 (little endian), then `length` bytes: hits as one msgpack array
    ...     zeros up to the file's size

The checksum is seeded with the segment's random bytes and the frame's offset, so that nothing
left over from elsewhere on the disk can pass for a frame. What doesn't check ends the segment: it
was never answered.

Promise: when `Segment.write` returns, the frame survives a crash of the process and of the machine.
"""

import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

MAGIC: Final = b"TEhits1\n"
HEADER: Final = 32
FRAME: Final = struct.Struct("<II")
OFFSET: Final = struct.Struct("<Q")
ARRAY: Final = b"\xdd"  # of 32-bit length, in msgpack
ZEROS: Final = bytes(1 << 18)
SUFFIX: Final = ".hits"


class SegmentFull(Exception):
    """The frame doesn't fit any more; the next segment takes it."""


class Segment:
    """A segment open for writing. Its whole size is allocated before the first frame."""

    def __init__(self, descriptor: int, seed: bytes, size: int) -> None:
        self._descriptor = descriptor
        self._seed = seed
        self._size = size
        self._offset = HEADER

    @classmethod
    def prepare(cls, path: Path, size: int) -> Self:
        """Create the file and write every byte of it once. Raises OSError, leaving no file behind.

        Zeros that were really written, not only reserved, let a later write reach the disk
        without a change of metadata, which halves its time.
        """
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        seed = os.urandom(16)
        try:
            os.write(descriptor, (MAGIC + seed).ljust(HEADER, b"\0"))
            written = HEADER
            while written < size:
                written += os.write(descriptor, ZEROS[: size - written])
            os.fsync(descriptor)
            sync_folder(path.parent)
        except OSError:
            os.close(descriptor)
            path.unlink(missing_ok=True)
            raise
        return cls(descriptor, seed, size)

    def write(self, records: Sequence[bytes]) -> int:
        """Write one frame durably and return its size in bytes.

        Raises SegmentFull before anything is written, or OSError, after which the segment must
        not be used again: what a failed fsync left on the disk is unknown (fsyncgate).
        """
        body = ARRAY + len(records).to_bytes(4, "big") + b"".join(records)
        size = FRAME.size + len(body)
        if self._offset + size > self._size:
            raise SegmentFull
        frame = FRAME.pack(len(body), checksum(self._seed, self._offset, body)) + body
        written = os.pwritev(self._descriptor, (frame,), self._offset, os.RWF_DSYNC)
        if written < size:
            raise OSError(f"the disk took {written} of {size} bytes")
        self._offset += size
        return size

    def close(self) -> None:
        """Close the file; its frames stay."""
        os.close(self._descriptor)


def frames(descriptor: int, offset: int, limit: int) -> tuple[list[bytes], int]:
    """Read whole frames from `offset` on: at least one, if there is one, and about `limit` bytes.

    Returns their bodies and the offset behind the last. Raises OSError.
    """
    head = os.pread(descriptor, HEADER, 0)
    if len(head) < HEADER or not head.startswith(MAGIC):
        return [], offset
    seed = head[len(MAGIC) : len(MAGIC) + 16]
    start = offset = max(offset, HEADER)
    first = os.pread(descriptor, FRAME.size, start)
    if len(first) < FRAME.size or first == bytes(FRAME.size):
        return [], offset
    chunk = os.pread(descriptor, max(limit, FRAME.size + FRAME.unpack(first)[0]), start)
    bodies: list[bytes] = []
    while (at := offset - start + FRAME.size) <= len(chunk):
        length, expected = FRAME.unpack_from(chunk, at - FRAME.size)
        body = chunk[at : at + length]
        if not length or len(body) < length or checksum(seed, offset, body) != expected:
            break
        bodies.append(body)
        offset += FRAME.size + length
    return bodies, offset


def count(body: bytes) -> int:
    """Return how many hits a frame's body holds, without reading them."""
    return int.from_bytes(body[1:5], "big") if body[:1] == ARRAY else 0


def unwiped(descriptor: int) -> int:
    """Return where the first frame begins behind zeros; HEADER where none stand before it."""
    rest = os.pread(descriptor, os.fstat(descriptor).st_size, HEADER)
    first = HEADER + len(rest) - len(rest.lstrip(b"\0"))
    # A frame begins with its length, whose lower bytes may be zero, too.
    for start in range(first, max(first - FRAME.size // 2, HEADER), -1):
        if frames(descriptor, start, 0)[0]:
            return start
    return HEADER


def torn(descriptor: int, offset: int) -> int:
    """Return how many bytes behind `offset` were begun and never finished; the rest is zeros."""
    offset = max(offset, HEADER)
    rest = os.pread(descriptor, max(os.fstat(descriptor).st_size - offset, 0), offset)
    return len(rest.rstrip(b"\0"))


def checksum(seed: bytes, offset: int, body: bytes) -> int:
    """Return the CRC-32 of a frame's body at its place in its segment."""
    return zlib.crc32(body, zlib.crc32(seed + OFFSET.pack(offset)))


def path_of(folder: Path, number: int) -> Path:
    """Return where segment `number` of a stream lies."""
    return folder / f"{number:08d}{SUFFIX}"


def numbers(folder: Path) -> list[int]:
    """Return the numbers of the segments in a stream's folder, in order."""
    return sorted(int(path.stem) for path in folder.glob(f"*{SUFFIX}") if path.stem.isdecimal())


def sync_folder(folder: Path) -> None:
    """Make the entries of a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
