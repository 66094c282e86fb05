import pytest

from tests.patience import PATIENCE
from tests.tracker.bus.conftest import patient
from tests.tracker.forwarding.conftest import keyring, office_with, worker
from tracker.sinks import archive, thread

__all__ = ["keyring", "office_with", "patient", "worker"]


@pytest.fixture(autouse=True)
def _unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave no thread at work behind: after five seconds a sink that is closed would."""
    for module in (archive, thread):
        monkeypatch.setattr(module, "WAITS_AT_END", PATIENCE)
