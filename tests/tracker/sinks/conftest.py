from tests.tracker.bus.conftest import patient
from tests.tracker.forwarding.conftest import keyring, office_with, worker

__all__ = ["keyring", "office_with", "patient", "worker"]
