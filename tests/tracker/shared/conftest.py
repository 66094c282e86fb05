"""A store that machines share, and machines with folders of their own."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from rewriter.keyring import Keyring
from tracker.shared.keys import SharedKeys
from tracker.store.database import Store


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(tmp_path / "store.db")
    yield opened
    await opened.close()


class Machine:
    """A machine's folder, and its part in the shared keyring."""

    def __init__(self, folder: Path, store: Store) -> None:
        folder.mkdir()
        self.folder = folder
        self.path = folder / "keyring.json"
        self.master = folder / "master.key"
        self.keys = SharedKeys(store, self.path, self.master)

    @property
    def keyring(self) -> Keyring:
        return Keyring.load(self.path)

    def trusts(self, other: "Machine") -> None:
        """Give it the one secret that it must be given."""
        self.master.write_bytes(other.master.read_bytes())
        self.master.chmod(0o600)


Machines = Callable[[str], Machine]


@pytest.fixture
def machine(tmp_path: Path, store: Store) -> Machines:
    return lambda name: Machine(tmp_path / name, store)
