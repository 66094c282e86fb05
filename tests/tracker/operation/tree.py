"""Runs the supervisor over the stages given as JSON: lists of children's settings.

A child's life is short here, however long it takes a busy machine to start one.
"""

import asyncio
import json
import sys
from pathlib import Path

from tracker import logs
from tracker import supervise as supervising
from tracker.supervise import Child, supervise

CHILD = (sys.executable, str(Path(__file__).with_name("child.py")))


def child(settings: dict[str, object]) -> Child:
    """Make a child of its settings."""
    gate = settings.get("gate")
    inherits = (gate,) if isinstance(gate, int) else ()
    return Child(str(settings["name"]), CHILD, json.dumps(settings).encode(), inherits)


if __name__ == "__main__":
    logs.configure("json")
    supervising.SETTLED_AFTER = 3_600
    stages, drain_within = json.loads(sys.argv[1])
    children = [[child(settings) for settings in stage] for stage in stages]
    sys.exit(asyncio.run(supervise(children, drain_within=drain_within)))
