"""The PostgreSQL that tests run is one: it asks for a password, and what is committed stays."""

from collections.abc import Callable, Iterator

import pytest

from tests.servers import postgresql
from tests.servers.postgresql import Postgres


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """Run one that may be stopped."""
    try:
        with postgresql.running() as server:
            yield server
    except postgresql.Missing as error:
        pytest.skip(f"NO POSTGRESQL TO TEST WITH: {error}")


def test_a_wrong_password_is_refused(postgres: Postgres, postgres_url: str) -> None:
    assert postgres.ask(postgres_url, "select 1") == "1"
    with pytest.raises(OSError, match="password authentication failed"):
        postgres.ask(postgres_url.replace(postgresql.PASSWORD, "guessed"), "select 1")


def test_a_template_is_filled_once_and_its_copies_are_apart(postgres: Postgres) -> None:
    filled: list[str] = []

    def fill(url: str) -> None:
        filled.append(url)
        postgres.ask(url, "create table kept as select 1 as number")

    one, other = (postgres.fresh(postgres.template("two_copies", fill)) for _ in range(2))
    postgres.ask(one, "insert into kept values (2)")
    assert postgres.ask(other, "select * from kept") == "1"
    assert len(filled) == 1


@pytest.mark.parametrize("end", [Postgres.kill, Postgres.stop])
def test_what_was_committed_is_there_after_a_restart(
    server: Postgres, end: Callable[[Postgres], None]
) -> None:
    url = server.fresh()
    server.ask(url, "create table kept as select 1 as number")
    end(server)
    with pytest.raises(OSError, match="Connection refused"):
        server.ask(url, "select 1")
    server.start()
    assert server.ask(url, "select * from kept") == "1"
