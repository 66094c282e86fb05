"""A child for the supervisor's tests: says on standard output what happens to it.

Its settings: `name`; `status`, to leave with at once; `stubborn`, to ignore SIGTERM; `gate`, a file
descriptor that must be readable before it finishes draining.
"""

import json
import os
import signal
import sys
from types import FrameType

lifeline = os.fdopen(0, "rb", buffering=0)
settings = json.loads(lifeline.readline())


def say(*words: object) -> None:
    os.write(1, (" ".join(map(str, (settings["name"], *words))) + "\n").encode())


def drain(number: int, frame: FrameType | None) -> None:
    if "gate" in settings:
        say("draining")
        os.read(settings["gate"], 1)
    say("drained")
    os._exit(0)


signal.signal(signal.SIGTERM, signal.SIG_IGN if settings.get("stubborn") else drain)
signal.signal(signal.SIGUSR1, lambda *_: say("works"))
if "status" in settings:
    sys.exit(settings["status"])
say("up", os.getpid())
while lifeline.readline():
    pass
say("orphaned")
