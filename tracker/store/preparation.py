"""Preparation: what is found in a database becomes a store of this program's version.

In: a connection in a transaction that holds every other process off. Out: nothing, or NotPrepared.
Promise: a database that isn't ours, or is newer, stays as it is.
"""

import logging
from typing import Final

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from tracker.store import migrations
from tracker.store.dialect import Dialect

logger = logging.getLogger(__name__)

FIRST: Final = "0001"  # the revision of files that are older than telling it


class NotPrepared(Exception):
    """What is there can't be used as a store; the message is one sentence that says why."""


def prepare(connection: Connection, dialect: Dialect, name: str) -> None:
    """Bring the tables up to date, or make them. Raises NotPrepared.

    Whatever it raises, the transaction must then be rolled back.
    """
    if unfit := dialect.unfit(connection):
        raise NotPrepared(f"{name} can't hold a store: {unfit}")
    ours = dialect.ours(connection)
    if ours is False:
        raise NotPrepared(f"{name} is a database of another program, not a store of events")
    newest, found = migrations.known()[-1], migrations.reached(connection)
    if found == newest:
        return
    if found is not None and found not in migrations.known():
        raise NotPrepared(
            f"the store {name} was written by a newer version of this program: it has revision"
            f" {found}, and this version reads and writes {newest}"
        )
    if ours:
        # What comes then takes a while where there is much, and is done whole or not at all.
        logger.info("store_migrating", extra={"from": found or FIRST, "to": newest})
    try:
        migrations.upgrade(connection, taken_for=FIRST if ours and found is None else "")
    except DBAPIError as error:
        raise NotPrepared(
            f"cannot bring the store {name} to revision {newest}: {dialect.reason(error)};"
            " it stays as it was"
        ) from error
    dialect.claim(connection)
    if ours:
        logger.info("store_migrated", extra={"from": found or FIRST, "to": newest})
