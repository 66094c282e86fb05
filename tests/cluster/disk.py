"""A small disk of its own for the store's tables, that is filled up and freed.

What the server writes ahead lies elsewhere, as operators have it: a server that can't write that
stops by itself, one that can't make a table grow refuses what is asked of it.
"""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from tests.servers.postgresql import Postgres

SIZE: Final = "160m"
PIECE: Final = bytes(1 << 16)


class Disk:
    """A file system in memory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._filler = path / "filler"

    def fill(self) -> None:
        """Leave not one block of it."""
        with self._filler.open("ab", buffering=0) as filler, suppress(OSError):
            while filler.write(PIECE):
                pass

    def free(self) -> None:
        """Make room again."""
        self._filler.unlink(missing_ok=True)


@contextmanager
def small(server: Postgres) -> Iterator[Disk | None]:
    """Mount one that the server may write to; None where this user may mount nothing."""
    path = server.folder / "disk"
    path.mkdir()
    try:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "none", path],
            check=True,
            capture_output=True,
        )
    except (OSError, subprocess.CalledProcessError):
        yield None
        return
    try:
        server.lend(path)
        yield Disk(path)
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)
