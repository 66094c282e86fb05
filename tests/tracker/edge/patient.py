"""An edge worker that gives whoever it lets finish as long as a busy machine takes, for tests.

python -m tests.tracker.edge.patient    with its settings on standard input, as the worker takes
"""

from certs.front import door
from tests.patience import PATIENCE
from tracker.edge import front, worker

TIMES = ((front, "GRACE"), (door, "GRACE"), (worker, "DRAIN"))

if __name__ == "__main__":
    for module, name in TIMES:
        setattr(module, name, PATIENCE)
    worker.main()
