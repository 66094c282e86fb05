from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from certs.vault.database import Vault
from certs.vault.master import MasterKey
from tests.patience import PATIENCE


@pytest.fixture
async def vault(tmp_path: Path) -> AsyncIterator[Vault]:
    (data := tmp_path / "data").mkdir()
    master = MasterKey.make(data / "master.key", environment={})
    opened = await Vault.open(data / "certs.db", master, patience=PATIENCE)
    yield opened
    await opened.close()
