"""A PostgreSQL server that refuses, is away, hangs, dies or is asked by many: nothing is lost."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from itertools import product
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Text, inspect, text

from tests.patience import PATIENCE, until
from tests.servers import postgresql
from tests.servers.ports import free_port
from tests.servers.postgresql import PASSWORD, Missing, Postgres
from tests.servers.proxy import between
from tests.servers.stores import changed, make_tables, only_postgresql
from tests.tracker.store import endless
from tests.tracker.store.documents import DOMAIN, START, document
from tracker.store import database, migrations, schema, server
from tracker.store.copying import tables
from tracker.store.database import Ingested, Store, StoreError, StoreUnavailable
from tracker.store.query import Key, Walk, milestone, page
from tracker.store.row import row
from tracker.store.tree import EVERYTHING, AllOf, AnyOf, Match, Not, Tree

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def breakable() -> Iterator[Postgres]:
    """Run a server that tests stop, and that waits for the disk as a real one does."""
    try:
        with postgresql.running(durable=True, max_connections="12") as running:
            yield running
    except Missing as error:
        pytest.skip(f"NO POSTGRESQL TO TEST WITH: {error}")


@pytest.fixture
def place(breakable: Postgres) -> str:
    return breakable.fresh(breakable.template("migrated", make_tables))


@asynccontextmanager
async def inserting(where: str, name: str) -> AsyncIterator[asyncio.subprocess.Process]:
    patient = f"{where}?connect_timeout={PATIENCE}"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", endless.__name__, patient, name),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=Path(__file__).parents[3],
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def said(process: asyncio.subprocess.Process, times: int) -> None:
    assert process.stdout is not None
    for _ in range(times):
        assert await process.stdout.readline()


async def refusal(where: str) -> str:
    with pytest.raises(StoreError) as refused:
        await closed(await Store.open(where))
    return str(refused.value)


async def closed(store: Store) -> None:
    await store.close()


def other(url: str, **parts: str) -> str:
    """Return a URL with another password, port or database."""
    split = urlsplit(url)
    user, password = split.username, parts.get("password", split.password)
    port, path = parts.get("port", split.port), parts.get("database", split.path.strip("/"))
    return f"postgresql://{user}:{password}@{split.hostname}:{port}/{path}"


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        (
            {"password": "open barley"},
            'password authentication failed for user "postgres"'
            " (the password in the URL, PGPASSWORD or the passfile is another)",
        ),
        (
            {"database": "nowhere"},
            "database \"nowhere\" does not exist (make one, with 'createdb' or CREATE DATABASE)",
        ),
    ],
)
async def test_a_url_that_is_wrong_is_refused_in_a_sentence_without_its_password(
    postgres_url: str, parts: dict[str, str], says: str
) -> None:
    wrong = other(postgres_url, **parts)
    refused = await refusal(wrong)
    assert refused.endswith(f": {says}")
    assert refused.startswith("cannot open the store postgresql://postgres@127.0.0.1:")
    assert not any(secret in refused for secret in (PASSWORD, "barley"))


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ("?sslmode=require", "rejected SSL upgrade"),
        ("?sslmode=sometimes", "sslmode"),
        ("?colour=red", "a parameter in the URL is none that this client or the server knows"),
    ],
)
async def test_parameters_of_a_url_are_libpqs(
    postgres_url: str, parameters: str, says: str
) -> None:
    store = await Store.open(f"{postgres_url}?sslmode=prefer&connect_timeout=9&application_name=x")
    await store.close()
    assert says in await refusal(postgres_url + parameters)


async def test_a_server_that_isnt_there_is_told_as_such() -> None:
    url = f"postgresql://tracker@127.0.0.1:{free_port()}/tracker"
    assert "the server can't be reached: " in await refusal(url)


@pytest.mark.parametrize(
    ("prepare", "says"),
    [
        (
            "CREATE TABLE event (theirs int)",
            "is a database of another program, not a store of events",
        ),
        (
            "ALTER DATABASE {name} SET default_transaction_read_only = on",
            "(the server only reads, as a replica does: name the primary)",
        ),
        (
            "CREATE ROLE guest LOGIN PASSWORD 'sesame' CONNECTION LIMIT 0",
            "(raise max_connections, or have fewer programs connect)",
        ),
        (
            "CREATE ROLE visitor LOGIN PASSWORD 'sesame'",
            "(give the account the right to it: it should own the database)",
        ),
    ],
)
async def test_a_database_that_can_hold_no_store_says_why(
    postgres: Postgres, postgres_url: str, prepare: str, says: str
) -> None:
    name = urlsplit(postgres_url).path.strip("/")
    await asyncio.to_thread(postgres.sql, prepare.format(name=name), name)
    role = prepare.split()[2] if "ROLE" in prepare else "postgres"
    refused = await refusal(postgres_url.replace("//postgres:", f"//{role}:"))
    if role != "postgres":
        await asyncio.to_thread(postgres.sql, f"DROP ROLE {role}", name)
    assert says in refused


async def test_a_database_of_few_characters_is_refused(postgres: Postgres) -> None:
    made = "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'"
    await asyncio.to_thread(postgres.sql, made)
    refused = await refusal(postgres.url("latin"))
    assert refused.endswith(
        "its encoding is LATIN1, and texts are of every language: make one with UTF8"
    )
    await asyncio.to_thread(postgres.drop, postgres.url("latin"))


@only_postgresql
async def test_a_newer_store_is_left_alone(store: Store, store_url: str) -> None:
    await changed(store, "UPDATE alembic_version SET version_num = '9999'")
    newest = migrations.known()[-1]
    assert (await refusal(store_url)).endswith(
        f"was written by a newer version of this program: it has revision 9999, and this version"
        f" reads and writes {newest}"
    )


@only_postgresql
async def test_the_steps_lead_to_the_tables_that_the_program_knows(store: Store) -> None:
    known = {table.name for table in tables()}  # imports the modules that describe them

    def differences(connection: Connection) -> list[str]:
        context = MigrationContext.configure(connection)
        found = map(str, compare_metadata(context, schema.metadata))
        return [each for each in found if "event_by_" not in each]  # those are SQLite's own

    def ways(connection: Connection) -> dict[str | None, list[str | None]]:
        found = inspect(connection).get_indexes("event")
        return {index["name"]: index["column_names"] for index in found}

    def locales(connection: Connection) -> set[str]:
        return {
            str(column["type"].collation)
            for name in known
            for column in inspect(connection).get_columns(name)
            if isinstance(column["type"], Text)
        }

    async with store.reading() as connection:
        assert await connection.run_sync(differences) == []
        assert await connection.run_sync(locales) == {"C"}
        assert await connection.run_sync(ways) == {
            "event_by_sequence": ["sequence"],
            "event_by_kind": ["domain", "kind", "at", "id"],
            "event_by_recipient": ["domain", "recipient", "at", "id"],
            "event_by_message": ["domain", "message_id", "at", "id"],
        }


async def test_many_may_prepare_one_database_at_once(postgres_url: str) -> None:
    stores = [Store(postgres_url, patience=PATIENCE) for _ in range(3)]
    await asyncio.gather(*(store.prepare() for store in stores))
    assert [await store.last() for store in stores] == [0, 0, 0]
    for store in stores:
        await store.close()


async def test_the_first_call_after_the_server_was_started_anew_is_answered(
    breakable: Postgres, place: str
) -> None:
    store = await Store.open(place)
    await store.insert([row(document(1))])
    assert await store.last() == 1
    await asyncio.to_thread(breakable.restart)
    assert await store.last() == 1
    await store.insert([row(document(2))])
    await store.close()


async def test_a_store_joins_in_once_its_server_is_there(
    breakable: Postgres, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "AGAIN_AFTER", 0)
    await asyncio.to_thread(breakable.stop)
    store = Store(place)
    with pytest.raises(StoreUnavailable, match=r"cannot open the store .*the server can't be"):
        await store.insert([row(document(1))])
    await asyncio.to_thread(breakable.start)
    await store.insert([row(document(1))])
    assert await store.last() == 1
    await asyncio.to_thread(breakable.stop)
    with pytest.raises(StoreUnavailable, match=r"^the store can't answer: the server can't be"):
        await store.last()
    await asyncio.to_thread(breakable.start)
    assert await store.last() == 1
    await store.close()


async def test_what_was_stored_outlives_a_server_that_is_killed(
    breakable: Postgres, place: str
) -> None:
    async with inserting(place, "id") as process:
        await said(process, 5)
        await asyncio.to_thread(breakable.kill)
        stdout, _ = await process.communicate()
    stored = (5 + stdout.count(b"stored")) * endless.BATCH
    await asyncio.to_thread(breakable.start)
    store = await Store.open(place, patience=PATIENCE)
    events = await store.page(Walk(DOMAIN, ascending=True, limit=100_000))
    assert len(events) in {stored, stored + endless.BATCH}
    assert len(await store.feed(0, 100_000)) == len(events)
    await store.close()


async def test_a_server_that_dies_in_the_middle_of_an_insertion_leaves_all_or_nothing(
    breakable: Postgres, place: str
) -> None:
    store = await Store.open(place, patience=PATIENCE)
    batch = [row(document(number)) for number in range(200)]
    for steps in (3, 300):
        inserting_ = asyncio.create_task(store.insert(batch))
        for _ in range(steps):
            await asyncio.sleep(0)
        await asyncio.to_thread(breakable.kill)
        outcome = (await asyncio.gather(inserting_, return_exceptions=True))[0]
        assert not isinstance(outcome, BaseException) or type(outcome) is StoreUnavailable
        await asyncio.to_thread(breakable.start)
        assert len(await store.feed(0, 1_000)) in {0, len(batch)}
    await store.insert(batch)
    assert len(await store.feed(0, 1_000)) == len(batch)
    await store.close()


async def test_a_server_that_says_nothing_is_given_up_and_taken_up_again(
    postgres: Postgres, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await closed(await Store.open(postgres_url))  # what takes long is done
    with between(postgres.address) as proxy:
        url = postgres_url.replace(postgres.address, proxy.address)
        store = Store(f"{url}?connect_timeout=2")

        async def has(number: int) -> bool:
            """Tell whether it takes events, for which a busy machine may be too late."""
            with suppress(StoreUnavailable):
                await store.insert([row(document(each)) for each in range(number)])
                return len(await store.feed(0, 10)) == number
            return False

        await until(lambda: has(1))
        with monkeypatch.context() as hasty:
            hasty.setattr(server, "PING_WITHIN", 0.5)
            proxy.hang()
            with pytest.raises(StoreUnavailable, match="the server doesn't answer"):
                await store.last()
            with pytest.raises(StoreUnavailable, match="the server doesn't answer"):
                await store.insert([row(document(1))])
        proxy.heal()
        await until(lambda: has(2))
        proxy.cut()
        with pytest.raises(StoreUnavailable):
            await store.last()
        proxy.heal()
        await until(lambda: has(3))
        await store.close()


@only_postgresql
async def test_whoever_follows_the_feed_misses_nothing_of_several_processes(
    store: Store, store_url: str
) -> None:
    """An event that shows only after one with a higher number would be passed over for ever."""
    async with inserting(store_url, "one"), inserting(store_url, "other"):
        followed: list[Ingested] = []
        names: set[bytes] = set()
        while len(followed) < 400 or names != {b"one", b"oth"}:
            after = followed[-1].sequence if followed else 0
            found = await store.feed(after, 7)
            names |= {event.document.partition(b'"id":"')[2][:3] for event in found}
            followed += found
    assert (await store.feed(0, 100_000))[: len(followed)] == followed


async def asked(store: Store, statement: str) -> object:
    async with store.reading() as connection:
        return await connection.scalar(text(statement))


@only_postgresql
async def test_a_statement_that_takes_too_long_is_ended(store: Store, store_url: str) -> None:
    assert await asked(store, "SHOW statement_timeout") == f"{server.STATEMENT_WITHIN:.0f}s"
    hasty = Store(f"{store_url}?statement_timeout=500")  # what the URL says comes first
    with pytest.raises(StoreUnavailable, match=r"\(it took longer than it may\)"):
        await asked(hasty, "SELECT pg_sleep(60)")
    await hasty.close()


@only_postgresql
async def test_who_reads_can_write_nothing(store: Store) -> None:
    with pytest.raises(StoreUnavailable, match="read-only transaction"):
        await asked(store, "DELETE FROM event RETURNING 1")


async def plan(store: Store, walk: Walk, of: object) -> list[str]:
    async with store.reading() as connection:
        asked = of(walk).compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})  # type: ignore[operator]  # a query
        found = await connection.execute(text(f"EXPLAIN {asked}".replace(":", r"\:")))
        return [line.strip() for (line,) in found]


TIME, KIND, TAG = "event_2023_pkey", "event_2023_domain_kind_at_id_idx", "tag_2023_pkey"
RECIPIENT = "event_2023_domain_recipient_at_id_idx"
MESSAGE = "event_2023_domain_message_id_at_id_idx"


@only_postgresql
@pytest.mark.parametrize(
    ("tree", "index"),
    [
        (EVERYTHING, TIME),
        (Match("subject", "hello"), TIME),
        (Not(Match("recipient", "ann@example.com")), TIME),
        (Match("event", "opened"), KIND),
        (AnyOf((Match("event", "opened"), Match("event", "clicked"))), KIND),
        (Match("tags", "sale"), TAG),
        (AllOf((Match("tags", "sale"), Match("recipient", "ann@example.com"))), RECIPIENT),
        (AllOf((Match("recipient", "ann@example.com"), Match("message-id", "m"))), MESSAGE),
        (AllOf((Match("event", "opened"), Not(Match("tags", "sale")))), KIND),
        (AnyOf((Match("severity", "permanent"), Match("tags", "sale"))), TIME),
    ],
)
async def test_a_page_is_read_along_one_index_without_sorting_events(
    store: Store, tree: Tree, index: str
) -> None:
    names = ("ann", *"bcdefghijklmnopqrstuvwxyz")
    await store.insert(
        [
            row(
                document(
                    number,
                    event=("opened", "clicked", "failed")[number % 3],
                    recipient=f"{names[number % 26]}@example.com",
                    message={"headers": {"message-id": f"m{number % 50 or ''}"}},
                    tags=("sale", "news")[: number % 3],
                )
            )
            for number in range(600)
        ]
    )
    await changed(store, "ANALYZE")
    start = Key(START * 1_000_000, "id-0001")
    merged = isinstance(tree, AnyOf) and index == KIND  # of two legs
    for statement, ascending in product((page, lambda walk: milestone(walk, 90)), (True, False)):
        walk = Walk(DOMAIN, ascending, 100, tree=tree, start=start)
        steps = await plan(store, walk, statement)
        # Of the partition that has them; what is made ahead of today is empty.
        scans = [step for step in steps if "Scan" in step and "_2023" in step]
        assert any(index in scan for scan in scans), steps
        assert not any("Seq Scan" in step or "Bitmap" in step for step in scans), steps
        assert not any("hashed" in step for step in steps), steps
        assert sum("Sort Key" in step for step in steps) == merged, steps
