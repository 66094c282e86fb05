"""Migrations: the steps that bring a database to the tables this program reads and writes.

Each step is a file of `versions`, run by Alembic; the number in its name is its revision. What the
database has come to stands in its table `alembic_version`.

Promise: all steps that are missing are done in the caller's transaction, so that a database is
brought up whole or stays as it was. Alembic is imported only when there is a step to do.
"""

import logging
from pathlib import Path
from typing import Final

from sqlalchemy import Column, Connection, MetaData, Table, Text, inspect, select

VERSIONS: Final = Path(__file__).parent / "versions"

_version = Table("alembic_version", MetaData(), Column("version_num", Text))  # Alembic's own


def known(versions: Path = VERSIONS) -> tuple[str, ...]:
    """Return the revisions that there are steps to, oldest first."""
    return tuple(sorted(file.name[1:5] for file in versions.glob("r[0-9][0-9][0-9][0-9]_*.py")))


def reached(connection: Connection) -> str | None:
    """Return the revision that a database has come to, None if it was never brought to one."""
    if not inspect(connection).has_table(_version.name):
        return None
    return connection.execute(select(_version.c.version_num)).scalar()


def upgrade(connection: Connection, versions: Path = VERSIONS, *, taken_for: str = "") -> None:
    """Do the steps that are missing. `taken_for` is the revision of a database that tells none.

    Raises what a step raises, and then the transaction must be rolled back.
    """
    # What was brought up is logged once, by the store; Alembic lists its plugins when imported.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    from alembic import command  # noqa: PLC0415 - takes 0.4 s, which few starts need
    from alembic.config import Config  # noqa: PLC0415 - likewise

    config = Config(attributes={"connection": connection})
    options = {
        "script_location": str(Path(__file__).parent),
        "path_separator": "newline",
        "version_locations": str(versions),
    }
    for name, value in options.items():
        config.set_main_option(name, value.replace("%", "%%"))  # what ConfigParser reads as %
    if taken_for:
        command.stamp(config, taken_for)
    command.upgrade(config, "head")
