import pytest

from tracker.store.database import Store
from tracker.store.domains import Domains


@pytest.fixture
def domains(store: Store) -> Domains:
    return Domains(store)
