"""What holds for every test of certificates."""

import pytest

from certs import lookup
from certs.doctor import probe
from tests.patience import PATIENCE


@pytest.fixture(autouse=True)
def _patient_doctor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have nobody be late: on a machine that is busy, the doctor would take them for away."""
    monkeypatch.setattr(lookup, "PATIENCE", PATIENCE)
    monkeypatch.setattr(probe, "PATIENCE", PATIENCE)
    monkeypatch.setattr(probe, "CONNECTING", PATIENCE)
