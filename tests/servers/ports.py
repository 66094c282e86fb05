"""Free ports on loopback, and whether somebody listens on one."""

import socket
from contextlib import closing


def free_port(host: str = "127.0.0.1") -> int:
    with closing(socket.create_server((host, 0))) as listener:
        return int(listener.getsockname()[1])


def listening(port: int, host: str = "127.0.0.1") -> bool:
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True
