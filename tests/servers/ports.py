"""Free ports on loopback, and whether somebody listens on one."""

import os
import socket
from contextlib import closing
from itertools import chain
from pathlib import Path
from random import Random
from typing import Final

# The system gives ports of this range to whoever asks for any: connections, and servers on port 0.
# One of those would sooner or later take a port between the look at it and its use.
_ANYBODYS: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
_FIRST: Final = 10_000
_MOST: Final = 8  # processes of one run, of which each has its own share


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port that nobody listens on, and that this process hasn't returned before."""
    for port in chain(_ports, [0]):
        try:
            with closing(socket.create_server((host, port))) as listener:
                return int(listener.getsockname()[1])
        except OSError:
            continue
    raise OSError(f"there is no free port on {host}")


def listening(port: int, host: str = "127.0.0.1") -> bool:
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def _share() -> list[int]:
    """Return the ports of this process's share, in an order that no other run's process has."""
    end = int(_ANYBODYS.read_text().split()[0]) if _ANYBODYS.exists() else 32_768
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    found = [*range(_FIRST, end)][number % _MOST :: _MOST]
    Random(os.getpid()).shuffle(found)
    return found


_ports = iter(_share())
