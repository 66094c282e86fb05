from collections.abc import Iterator
from pathlib import Path

import pytest

from rewriter.keyring import Keyring
from tests.tracker.forwarding.parts import Worker


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
