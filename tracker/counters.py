"""What one worker counted: numbers in a file mapped into memory.

Counting costs a memory write, the back office reads the file whenever it likes, and what was
counted survives the worker, however it ended.
"""

import mmap
import os
from enum import IntEnum, auto
from pathlib import Path
from typing import Self

FILE = "counters"


class Counter(IntEnum):
    """What is counted; the order is the order in the file, so new ones are added at the end."""

    OPENED = 0
    CLICKED = auto()
    UNSUBSCRIBED = auto()
    BAD_OPEN = auto()
    BAD_CLICK = auto()
    BAD_UNSUBSCRIBE = auto()
    ACCEPTED = auto()
    WRITTEN = auto()
    LATE = auto()
    LOST = auto()
    WRITE_FAILURES = auto()
    BATCHES = auto()
    BYTES = auto()
    COMMIT_MICROSECONDS = auto()
    STARTED_AT = auto()
    TOLD_AT = auto()
    FAILING = auto()
    TLS_FULL = auto()
    TLS_RESUMED = auto()
    TLS_UNKNOWN_NAME = auto()
    TLS_NO_NAME = auto()
    TLS_NOT_TLS = auto()
    TLS_BAD_HELLO = auto()
    TLS_NOTHING_SHARED = auto()
    TLS_DISTRUSTED = auto()
    TLS_UNUSABLE = auto()
    TLS_SLOW = auto()
    TLS_GONE = auto()
    TLS_FAILED = auto()
    TLS_CONTEXTS = auto()


HELP = {
    Counter.OPENED: "requests for a pixel with a good token",
    Counter.CLICKED: "requests for a link with a good token",
    Counter.UNSUBSCRIBED: "unsubscriptions posted with a good token",
    Counter.BAD_OPEN: "requests for a pixel with a bad token (the pixel was served)",
    Counter.BAD_CLICK: "requests for a link with a bad token (answered 404)",
    Counter.BAD_UNSUBSCRIBE: "requests to unsubscribe with a bad token (answered 404)",
    Counter.ACCEPTED: "hits taken into the spool's queue",
    Counter.WRITTEN: "hits that are on disk",
    Counter.LATE: "hits answered before they were on disk, because the disk was slow",
    Counter.LOST: "hits answered but never written, because the spool's queue was full",
    Counter.WRITE_FAILURES: "failed attempts to write to the spool",
    Counter.BATCHES: "group commits",
    Counter.BYTES: "bytes written to the spool",
    Counter.COMMIT_MICROSECONDS: "microseconds spent waiting for the disk",
    Counter.STARTED_AT: "Unix time at which the worker started",
    Counter.TOLD_AT: "Unix time at which the worker last showed that it lives",
    Counter.FAILING: "1 while the spool can't be written",
    Counter.TLS_FULL: "TLS sessions that began with a full handshake",
    Counter.TLS_RESUMED: "TLS sessions that were resumed",
    Counter.TLS_UNKNOWN_NAME: "TLS connections for a name that has no certificate here",
    Counter.TLS_NO_NAME: "TLS connections that named no host",
    Counter.TLS_NOT_TLS: "connections to the TLS port that spoke something else",
    Counter.TLS_BAD_HELLO: "TLS connections that began with nonsense",
    Counter.TLS_NOTHING_SHARED: "TLS connections without a version, cipher or protocol in common",
    Counter.TLS_DISTRUSTED: "TLS connections whose client refused our certificate",
    Counter.TLS_UNUSABLE: "TLS connections for a name whose certificate can't be loaded",
    Counter.TLS_SLOW: "TLS connections that took too long over the handshake",
    Counter.TLS_GONE: "TLS connections whose client left during the handshake",
    Counter.TLS_FAILED: "TLS handshakes that failed for another reason",
    Counter.TLS_CONTEXTS: "certificates made ready to be served",
}


class Counters:
    """Sixty-four counters of 64 bits. Index them with a Counter."""

    BYTES = 512

    def __init__(self, cells: memoryview) -> None:
        self.cells = cells

    @classmethod
    def create(cls, folder: Path) -> Self:
        """Map a new file of zeros in the folder. Raises OSError."""
        descriptor = os.open(folder / FILE, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            # Written, not only made longer: where there is no room for it, this fails, and not the
            # first count, with SIGBUS.
            os.write(descriptor, bytes(cls.BYTES))
            os.fsync(descriptor)
            return cls(memoryview(mmap.mmap(descriptor, cls.BYTES)).cast("Q"))
        finally:
            os.close(descriptor)

    @classmethod
    def unmapped(cls) -> Self:
        """Count in this process's memory only."""
        return cls(memoryview(bytearray(cls.BYTES)).cast("Q"))


def read(folder: Path) -> dict[Counter, int]:
    """Return what the worker of a spool stream has counted so far; zeros if it left no file."""
    try:
        content = (folder / FILE).read_bytes()
    except FileNotFoundError:
        content = b""
    cells = memoryview(content.ljust(Counters.BYTES, b"\0")[: Counters.BYTES]).cast("Q")
    return {counter: cells[counter] for counter in Counter}
