"""Where a vault may be: a file, or a database at a server, which holds something else as well."""

from collections.abc import Callable
from pathlib import Path

import pytest

from certs.vault.database import Engines
from tests.servers.postgresql import Postgres
from tracker.shared.vault import place

Place = Callable[[], Path | Engines]


@pytest.fixture(params=["file", "server"])
def at(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Return what gives the place of one vault, for each that opens it anew."""
    if request.param == "file":
        return lambda: place(str(tmp_path / "certs.db"))
    server: Postgres = request.getfixturevalue("postgres")
    url: str = request.getfixturevalue("postgres_url")
    server.ask(url, "CREATE TABLE event (id integer); CREATE TABLE account (id integer)")
    return lambda: place(url)
