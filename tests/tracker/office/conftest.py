from tests.tracker.forwarding.conftest import keyring, worker

__all__ = ["keyring", "worker"]
