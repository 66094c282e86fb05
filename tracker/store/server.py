"""The server: how PostgreSQL is connected to, and what its refusals mean.

In: a URL as libpq takes it, `postgresql://name@host:5432/database?sslmode=verify-full`; a password
stands in it, in PGPASSWORD or in a passfile. Out: engines, and sentences for whoever runs it.
Promise: a connection that broke, or whose server was started anew, is found out before it is lent;
one that says nothing any more is given up, here and at the server. No password is ever told.
"""

import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import asyncpg
from sqlalchemy import Connection, Text
from sqlalchemy import event as hook
from sqlalchemy.dialects.postgresql.base import PGTypeCompiler
from sqlalchemy.engine.interfaces import AdaptedConnection, ExceptionContext
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry

from tracker.store import partition
from tracker.store.dialect import Trouble

READERS: Final = 4
LOCK: Final = 0x54726B45  # "TrkE": what whoever writes holds, among the advisory locks
CONNECT_WITHIN: Final = 5.0  # seconds, unless the URL says `connect_timeout`
PING_WITHIN: Final = 5.0  # seconds in which a connection that was idle shows that it is alive
STATEMENT_WITHIN: Final = 30.0  # seconds that a reader's statement may take; most take a thousandth
ANSWER_WITHIN: Final = 40.0  # seconds after which a server that says nothing is given up

# What a session begins with; what the URL says comes before it. A server whose client is gone
# notices it within a minute, and not after the two hours of TCP's own (tcp(7), tcp_keepalive_time):
# it may hold the lock that all wait for.
SESSION: Final = {
    "application_name": "tracker",
    "tcp_keepalives_idle": "20",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "4",
    "idle_in_transaction_session_timeout": "30s",
}
# Every walk goes along one index, as SQLite is told by hints: what a planner knows of domains and
# recipients misleads it into sorting all of a domain's events. A plan is made for the values that
# are asked for: made for any, it can't leave out partitions, and takes a limit for a tenth of
# everything. Compiling one takes longer than it runs.
PLANNING: Final = {
    "plan_cache_mode": "force_custom_plan",
    "max_parallel_workers_per_gather": "0",
    **dict.fromkeys(
        (
            *("enable_bitmapscan", "enable_hashjoin", "enable_mergejoin", "enable_seqscan"),
            *("enable_sort", "jit"),
        ),
        "off",
    ),
}
READING: Final = {
    "default_transaction_read_only": "on",
    "statement_timeout": f"{STATEMENT_WITHIN:.0f}s",
}

# What PostgreSQL's codes mean (its manual, appendix A), and what a person can do about it. The
# first that an error's code begins with holds.
MEANT: Final = (
    ("28P01", "the password in the URL, PGPASSWORD or the passfile is another"),
    ("28", "the server's pg_hba.conf doesn't let this account in from here"),
    ("3D000", "make one, with 'createdb' or CREATE DATABASE"),
    ("22021", "a text holds a NUL character, which PostgreSQL can't keep"),
    ("25006", "the server only reads, as a replica does: name the primary"),
    ("42P01", "there is no store in it yet"),
    ("42501", "give the account the right to it: it should own the database"),
    ("42704", "a parameter in the URL is none that this client or the server knows"),
    ("53100", "make room on the server's disk; it goes on by itself"),
    ("53300", "raise max_connections, or have fewer programs connect"),
    ("55P03", "another process has been writing to it for too long"),
    ("57014", "it took longer than it may"),
    ("57P03", "it is being started or stopped; it goes on by itself"),
    ("57P", "it was stopped; it goes on by itself"),
    ("08", "the connection broke off; it goes on by itself"),
)


class Types(PGTypeCompiler):
    """Types in which texts are compared byte by byte, as SQLite does and as Python does.

    A database's own order is that of a language: it changes with the system's libraries, and
    indices with it, and a range over it isn't one of prefixes.
    """

    def visit_TEXT(self, type_: Text, **kw: Any) -> str:  # noqa: N802 - SQLAlchemy's name
        """Write the type of texts."""
        return super().visit_TEXT(Text(type_.length, collation="C"), **kw)


def engines(where: str, patience: float) -> tuple[AsyncEngine, AsyncEngine]:
    """Return the engine that writes and the one that reads.

    `patience` is how many seconds a statement waits for another process's transaction.
    """
    session = SESSION | PLANNING | {"lock_timeout": f"{patience * 1000:.0f}ms"}
    writer = _engine(_connecting(where, session), 1, patience)
    hook.listen(writer.sync_engine, "begin", _lock)
    hook.listen(writer.sync_engine, "rollback", _forget)
    reader = _engine(_connecting(where, session | READING), READERS, patience)
    return writer, reader.execution_options(isolation_level="AUTOCOMMIT")


def reason(error: DBAPIError) -> str:
    """Say what PostgreSQL says, and what it means for whoever runs it."""
    said = error.orig.__cause__ if error.orig else None
    return meaning(said or error)


def meaning(error: BaseException) -> str:
    """Say what an error of the driver's says, and what it means."""
    if isinstance(error, asyncpg.InterfaceError) and "closed" in str(error):
        return "the connection broke off; it goes on by itself"
    code = getattr(error, "sqlstate", None) or ""
    said = str(error).partition("\n")[0].rstrip(".")
    meant = next((meant for begins, meant in MEANT if code.startswith(begins)), "")
    return f"{said} ({meant})" if meant else said


def cancelled(error: DBAPIError) -> bool:
    """Tell whether a statement took longer than it may."""
    return getattr(error.orig, "sqlstate", None) == "57014"


# A server that is killed in the middle of an exchange leaves the driver between two states, about
# which it complains in words of its own.
BROKEN: Final = (asyncpg.InternalClientError,)

Connecting = Callable[[], Awaitable[asyncpg.Connection]]


def _connecting(where: str, session: Mapping[str, str]) -> Connecting:
    """Return what connects to a server, or raises Trouble."""
    parts = urlsplit(where)
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    within = given.pop("connect_timeout", CONNECT_WITHIN)  # libpq's, which asyncpg doesn't know
    url = urlunsplit(parts._replace(query=urlencode(given)))

    async def connect() -> asyncpg.Connection:
        try:
            return await asyncpg.connect(
                url,
                timeout=float(within),
                command_timeout=ANSWER_WITHIN,
                server_settings={name: session[name] for name in session if name not in given},
            )
        except TimeoutError as error:
            raise Trouble(f"the server doesn't answer within {float(within):g} seconds") from error
        except ssl.SSLError as error:
            raise Trouble(f"TLS fails: {error.reason or error}") from error
        except OSError as error:
            raise Trouble(f"the server can't be reached: {error.strerror or error}") from error
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise Trouble(meaning(error)) from error
        except ValueError as error:  # not told: what is wrong may be a part of the password
            raise Trouble(
                "the URL should be such as postgresql://name@host:5432/database"
            ) from error

    return connect


def _engine(connect: Connecting, size: int, patience: float) -> AsyncEngine:
    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connect,
        poolclass=AsyncAdaptedQueuePool,
        pool_size=size,
        pool_timeout=patience,
        max_overflow=0,
    )
    engine.dialect.type_compiler_instance = Types(engine.dialect)
    hook.listen(engine.sync_engine, "checkout", _ask_whether_alive)
    hook.listen(engine.sync_engine, "handle_error", _given_up)
    return engine


def _ask_whether_alive(
    connection: AdaptedConnection, _record: ConnectionPoolEntry, _proxy: object
) -> None:
    """Have the pool connect anew where the server doesn't answer: `pool_pre_ping`, with an end."""
    try:
        connection.run_async(lambda driver: driver.execute("SELECT 1", timeout=PING_WITHIN))
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, *BROKEN) as error:
        raise DisconnectionError(str(error)) from error


def _given_up(context: ExceptionContext) -> None:
    """Take a server that says nothing, which the driver tells by TimeoutError, for gone."""
    if isinstance(context.original_exception, OSError):
        context.is_disconnect = True
        raise Trouble("the server doesn't answer any more") from context.original_exception


def _lock(connection: Connection) -> None:
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")


def _forget(connection: Connection) -> None:
    """Forget which partitions there are: the transaction may have made some, or met one gone."""
    if not connection.invalidated:
        connection.info.pop(partition.KNOWN, None)
