"""Listening sockets: from an address in the settings to a bound socket that children inherit.

The parent binds each address once. A worker that is killed loses no connection that waits in the
queue, since the queue belongs to the socket and the socket stays open in the parent.
"""

import errno
import socket
from dataclasses import dataclass
from typing import Self

from tracker.mistake import Exit, Mistake

# Connections that wait while every worker is busy or being replaced; the kernel cuts it down to
# net.core.somaxconn.
BACKLOG = 4096


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen. Port 0 lets the system choose a free one."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `127.0.0.1:8025`, `[::1]:8025` or `localhost:8025`; raise ValueError for others."""
        host, colon, port = text.rpartition(":")
        bracketed = host.startswith("[") and host.endswith("]")
        host = host[1:-1] if bracketed else host
        if not (colon and host and port.isascii() and port.isdecimal() and int(port) < 65536):
            raise ValueError("should be host:port, such as 127.0.0.1:8025 or [::]:8025")
        if (":" in host) != bracketed:
            raise ValueError("an IPv6 address stands in brackets, such as [::1]:8025")
        return cls(host, int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


# What a system call's refusal means to the person who chose the address.
REFUSALS = {
    errno.EADDRINUSE: ("something listens there already", Exit.UNAVAILABLE),
    errno.EACCES: ("this account may not use that port", Exit.NO_PERMISSION),
    errno.EADDRNOTAVAIL: ("this machine has no such address", Exit.CONFIG),
}


def bind(address: Address, setting: str) -> socket.socket:
    """Listen on an address; raise Mistake naming the setting if that can't be."""
    try:
        family, kind, protocol, _, target = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise Mistake(
            f"cannot listen on {address}: {error.strerror}; choose another {setting}", Exit.CONFIG
        ) from error
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        # One meaning on every system: [::] takes IPv4 too only where an IPv4 address says so.
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    try:
        listener.bind(target)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        why, status = REFUSALS.get(error.errno or 0, (error.strerror, Exit.UNAVAILABLE))
        raise Mistake(
            f"cannot listen on {address}: {why}; choose another {setting}", status
        ) from error
    return listener


def bound(listener: socket.socket) -> Address:
    """Tell where a socket listens, with the port that the system chose."""
    host, port = listener.getsockname()[:2]
    return Address(host, port)
