"""The data folder: made private, proven usable, known again, kept to one back office at a time."""

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from tracker.mistake import Exit, Mistake

LOCK = "office.lock"


def prepare(folder: Path) -> None:
    """Make the folder if it isn't there, and make all that this process writes private.

    Raises Mistake if nothing can be written there.
    """
    os.umask(0o077)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Mistake(
            f"cannot make the data folder {folder}: {error.strerror}; choose another 'data'",
            Exit.CANNOT_CREATE,
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise Mistake(
            f"cannot write to the data folder {folder}: give it to this account or choose another"
            " 'data'",
            Exit.CANNOT_CREATE,
        )


def mark(folder: Path) -> str:
    """Return what tells this folder from every other on this machine, and nothing of where it is.

    Raises OSError where there is none.
    """
    found = folder.stat()
    return hashlib.sha256(f"{found.st_dev}:{found.st_ino}".encode()).hexdigest()[:16]


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep every other back office off the folder.

    Two of them would forward the same hits and remove each other's segments. Raises Mistake.
    """
    path = folder / LOCK
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise Mistake(f"cannot write {path}: {error.strerror}", Exit.CANNOT_CREATE) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise Mistake(
            f"another tracker works on {folder}: stop it or choose another 'data'",
            Exit.UNAVAILABLE,
        ) from error
    finally:
        os.close(descriptor)
