"""Insert batches for ever, and say so after each: a process for a test to kill."""

import asyncio
import itertools
import sys

from tests.patience import PATIENCE
from tests.tracker.store.documents import document
from tracker.store.database import Store
from tracker.store.row import row

BATCH = 10


async def main(where: str, name: str = "id") -> None:
    store = await Store.open(where, patience=PATIENCE)
    for first in itertools.count(0, BATCH):
        batch = [
            row(document(number, id=f"{name}-{number:04}", tags=["sale"]))
            for number in range(first, first + BATCH)
        ]
        await store.insert(batch)
        sys.stdout.write("stored\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
