"""Free ports on loopback, and waiting until somebody listens on one."""

import socket
import time
from collections.abc import Callable
from contextlib import closing

PATIENCE = 60  # seconds; only what is broken takes that long


def free_port(host: str = "127.0.0.1") -> int:
    with closing(socket.create_server((host, 0))) as listener:
        return int(listener.getsockname()[1])


def wait_for(condition: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
    """Return once the condition holds; raise TimeoutError when it doesn't come to."""
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {patience} s for {what}")
        time.sleep(0.01)


def listening(port: int, host: str = "127.0.0.1") -> bool:
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True
