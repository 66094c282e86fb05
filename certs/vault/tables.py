"""How the vault lies in its database. Times are in Unix seconds; keys are sealed, never in clear.

Each name has one row in `certificate`: the one that is served. What was tried is in `attempt`.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

metadata = MetaData()


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False, server_default="")


def _time(name: str) -> Column[float]:
    return Column(name, Double, nullable=False, server_default="0")


# `version` is of this form of the tables, `master` the id of the key that everything is sealed
# under, `revision` grows with every change to a certificate or an account, so that whoever keeps
# a copy sees by one number that there is something new.
vault = Table(
    "vault",
    metadata,
    Column("only", Integer, primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),
    _text("master"),
    Column("revision", BigInteger, nullable=False),
)

account = Table(
    "account",
    metadata,
    Column("directory", Text, primary_key=True),
    Column("key", LargeBinary, nullable=False),
    _text("url"),
    _time("made_at"),
)

certificate = Table(
    "certificate",
    metadata,
    Column("name", Text, primary_key=True),
    Column("generation", Integer, nullable=False),
    _text("directory"),
    Column("chain", LargeBinary, nullable=False),
    Column("key", LargeBinary, nullable=False),
    Column("not_before", BigInteger, nullable=False),
    Column("not_after", BigInteger, nullable=False),
    _time("committed_at"),
    _time("revoked_at"),
)

# An order that is under way: with its key and its URL another process can go on where one died.
draft = Table(
    "draft",
    metadata,
    Column("name", Text, primary_key=True),
    _text("directory"),
    Column("key", LargeBinary, nullable=False),
    _text("replaces"),
    _text("order_url"),
    _time("begun_at"),
)

lease = Table(
    "lease",
    metadata,
    Column("name", Text, primary_key=True),
    _text("holder"),
    Column("fence", BigInteger, nullable=False),
    _time("until"),
)

# One row a wanted name: how far it is, and what a person asked for.
state = Table(
    "state",
    metadata,
    Column("name", Text, primary_key=True),
    _time("next_at"),
    _text("request"),
    Column("document", LargeBinary, nullable=False),
)
Index("state_by_time", state.c.next_at)

attempt = Table(
    "attempt",
    metadata,
    Column("id", Integer, primary_key=True),
    _time("at"),
    _text("name"),
    _text("registered"),
    _text("directory"),
    _text("what"),
    _text("order_url"),
    Column("exempt", Boolean, nullable=False),
    _text("says"),
)
Index("attempt_by_directory", attempt.c.directory, attempt.c.what, attempt.c.at)
Index("attempt_by_registered", attempt.c.registered, attempt.c.what, attempt.c.at)
Index("attempt_by_name", attempt.c.name, attempt.c.what, attempt.c.at)

alert = Table(
    "alert",
    metadata,
    Column("name", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("occasion", BigInteger, primary_key=True, autoincrement=False),
    _time("raised_at"),
    _time("delivered_at"),
    Column("document", LargeBinary, nullable=False),
)
Index("alert_by_delivery", alert.c.delivered_at)
