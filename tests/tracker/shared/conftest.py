"""A store that machines share, and machines with folders of their own."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from rewriter.keyring import Keyring
from tracker.shared.copy import Copy
from tracker.shared.keys import SharedKeys
from tracker.shared.sharing import Sharing
from tracker.store.database import Store

Away = Callable[[], AbstractAsyncContextManager[None]]


@pytest.fixture
async def away(store: Store, tmp_path: Path) -> Away:
    """Take the store, which is a file, away for a while, and bring it back."""
    path, aside = tmp_path / "store.db", tmp_path / "aside"

    @asynccontextmanager
    async def taken() -> AsyncIterator[None]:
        await store.close()  # what is open would go on
        path.rename(aside)
        path.mkdir()
        yield
        await store.close()
        path.rmdir()
        aside.rename(path)

    return taken


class Machine:
    """A machine's folder, its part in the shared keyring, and what it has of the store."""

    def __init__(self, folder: Path, store: Store) -> None:
        folder.mkdir()
        self.folder = folder
        self.path = folder / "keyring.json"
        self.master = folder / "master.key"
        self.keys = SharedKeys(store, self.path, self.master)
        self.copy = Copy.open(folder / "shared.db", store.name)
        self.sharing = Sharing(store, self.keys, self.copy, folder.name, settle=0)

    @property
    def keyring(self) -> Keyring:
        return Keyring.load(self.path)

    def trusts(self, other: "Machine") -> None:
        """Give it the one secret that it must be given."""
        self.master.write_bytes(other.master.read_bytes())
        self.master.chmod(0o600)


Machines = Callable[[str], Machine]


@pytest.fixture
def machine(tmp_path: Path, store: Store) -> Iterator[Machines]:
    made: list[Machine] = []

    def make(name: str) -> Machine:
        made.append(Machine(tmp_path / name, store))
        return made[-1]

    yield make
    for one in made:
        one.copy.close()
