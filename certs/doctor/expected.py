"""What the doctor compares the world with: this edge's own facts."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class Expected:
    """This edge as the world should see it.

    `addresses`: the edge's, which may be private; none takes those that `edge_host` has.
    `thumbprints`: of the ACME accounts whose challenges this edge answers; none can't prove whose
    edge answered. `issuers`: the names that a CAA record may give the CA (`caaIdentities` of its
    directory). `resolvers`: `host:port` or `host`, IP addresses only; none takes the system's.
    `roots`: a PEM file of trusted roots; None takes the system's. `external`: TLS ends before this
    edge, at a CDN or a proxy, so that other addresses than ours are expected. `https`: HTTPS is
    wanted at all. `skew`: seconds that our clock is ahead of the CA's; None where that isn't known.
    `allow_private`: connect to addresses that are not on the internet, which tests and networks of
    one's own need.
    """

    edge_host: str = ""
    addresses: tuple[str, ...] = ()
    thumbprints: tuple[str, ...] = ()
    issuers: tuple[str, ...] = ()
    account_uri: str = ""
    challenge: Literal["http-01", "tls-alpn-01"] = "http-01"
    resolvers: tuple[str, ...] = ()
    roots: Path | None = None
    http_port: int = 80
    https_port: int = 443
    external: bool = False
    https: bool = True
    skew: float | None = None
    allow_private: bool = False
