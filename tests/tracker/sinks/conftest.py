from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from rewriter.keyring import Keyring
from tests.tracker.forwarding.parts import Office, Offices, Worker
from tracker.forwarding.ledger import Ledger
from tracker.sinks import Sink


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    keyring = Keyring.new()
    keyring.save(tmp_path / "keyring.json")
    return keyring


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    (tmp_path / "spool").mkdir()
    worker = Worker(tmp_path / "spool")
    yield worker
    worker.die()


@pytest.fixture
def office_with(tmp_path: Path) -> Iterator[Offices]:
    """Open a back office with some sinks; opening another one is a restart."""
    with ExitStack() as offices:

        def opened(*sinks: Sink, **options: Any) -> Office:
            office = Office(tmp_path, *sinks, **options)
            offices.enter_context(closing(office.ledger))
            return office

        yield opened


@pytest.fixture
def open_ledger(tmp_path: Path) -> Iterator[Callable[[], Ledger]]:
    """Open the one ledger, once more each time."""
    with ExitStack() as ledgers:
        yield lambda: ledgers.enter_context(closing(Ledger.open(tmp_path / "forward.db")))
