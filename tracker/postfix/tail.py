"""The tail of a log: its lines from where it was left, over rotations.

In: a path and a place. Out: whole lines, in batches, each with the place behind it.
Promise: no whole line is passed over. What is left of a file that was renamed is read before the
new one, whether the renaming was seen or happened while nobody looked; a file that was cut to begin
anew (logrotate's `copytruncate`) is read from its beginning.
"""

import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Final

from tracker.postfix.position import HEAD, Place

BATCH_BYTES: Final = 1 << 20
LONGEST: Final = 256 << 10  # bytes that a line may have; a longer one is read in pieces


class Tail:
    """Reads a log on. `read` gives what is there now; ask again later for what has come since."""

    def __init__(self, path: Path, place: Place) -> None:
        self._path = path
        self._place = place
        self._file: BinaryIO | None = None

    def read(self) -> Iterator[tuple[list[bytes], Place]]:
        """Yield the whole lines that are there. Raises OSError."""
        while True:
            file = self._opened()
            yield from self._rest(file)
            if not self._renamed(file):
                return
            yield from self._rest(file)  # what was written until it was renamed
            file.close()
            self._file = None
            self._place = Place()

    def close(self) -> None:
        """Let go of the file."""
        if self._file:
            self._file.close()
            self._file = None

    def _opened(self) -> BinaryIO:
        if self._file is None:
            self._file = self._left_off() or self._path.open("rb")
        status, place = os.fstat(self._file.fileno()), self._place
        begun_anew = (
            place.inode != status.st_ino
            or status.st_size < place.offset
            or _head(self._file, place.head_bytes) != place.head
        )
        if begun_anew:
            self._place = Place(status.st_ino, 0, 0, _head(self._file, 0))
        return self._file

    def _left_off(self) -> BinaryIO | None:
        """Open the file that was being read, if it was renamed meanwhile."""
        if not self._place.inode:
            return None
        for path in sorted(self._path.parent.glob(f"{self._path.name}*")):
            if path != self._path and path.stat().st_ino == self._place.inode:
                file = path.open("rb")
                if _head(file, self._place.head_bytes) == self._place.head:
                    return file
                file.close()  # another file, which was given the inode again
        return None

    def _renamed(self, file: BinaryIO) -> bool:
        try:
            return self._path.stat().st_ino != os.fstat(file.fileno()).st_ino
        except FileNotFoundError:
            return False  # it will be there again in a moment

    def _rest(self, file: BinaryIO) -> Iterator[tuple[list[bytes], Place]]:
        while True:
            file.seek(self._place.offset)
            found = file.read(BATCH_BYTES)
            whole, newline, torn = found.rpartition(b"\n")
            if not newline and len(torn) < LONGEST:
                return
            taken = whole + newline or torn
            offset = self._place.offset + len(taken)
            size = min(HEAD, offset)
            self._place = Place(self._place.inode, offset, size, _head(file, size))
            yield taken.split(b"\n")[: -1 if newline else None], self._place


def _head(file: BinaryIO, size: int) -> str:
    file.seek(0)
    return sha256(file.read(size)).hexdigest()
