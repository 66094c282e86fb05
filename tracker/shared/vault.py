"""Where the vault is: a file of this machine's own, or the database that machines share.

In: a path or a URL. Out: what `certs.vault` opens.
"""

from pathlib import Path

from certs.vault.database import PATIENCE, Engines
from tracker.store import dialect


def place(where: str) -> Path | Engines:
    """Return the place of a vault. Touches nothing yet."""
    if not shared(where):
        return Path(where)
    server = dialect.at(where)
    writer, reader = server.engines(where, PATIENCE)
    return Engines(writer, reader, (dialect.Trouble,), server.reason)


def shared(where: str) -> bool:
    """Tell whether machines share the vault."""
    return where.startswith(dialect.SCHEMES)
