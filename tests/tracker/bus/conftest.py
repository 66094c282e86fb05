"""What tests of the bus begin with: a person at the command, and patience with servers."""

from types import ModuleType
from typing import Final

import pytest

from tests.tracker.bus.parts import PATIENCE
from tests.tracker.operation.conftest import folder, own_process, tracker
from tracker.bus import connection, durable, publishing, stream

__all__ = ["folder", "own_process", "patient", "tracker"]

BOUNDS: Final[tuple[tuple[ModuleType, str], ...]] = (
    (connection, "CONNECT_WITHIN"),
    (connection, "ANSWER_WITHIN"),
    (durable, "MADE_WITHIN"),
    (publishing, "PATIENCE"),
    (stream, "LED_WITHIN"),
    (stream, "MADE_WITHIN"),
)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up no server that is late: a machine that is busy isn't a fault.

    Not for a cluster, which drops questions while it has no leader: these are to be asked again.
    """
    for module, bound in BOUNDS:
        monkeypatch.setattr(module, bound, PATIENCE)
