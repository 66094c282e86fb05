from tests.tracker.operation.conftest import folder, own_process, tracker

__all__ = ["folder", "own_process", "tracker"]
