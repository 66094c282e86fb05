"""What a parent tells an edge worker at birth."""

from typing import Literal

import msgspec

MEBIBYTE = 1 << 20


class WorkerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of JSON on the worker's standard input.

    Times are in seconds; an empty list of tracking domains means that any is served. `certificates`
    is the folder that `master_key` opens, `published` what the office tells of registered domains.
    """

    listen_fds: list[int]
    spool: str
    keyring: str
    tls_listen_fds: list[int] = []
    certificates: str = "certs"
    master_key: str = "master.key"
    published: str = "domains.json"
    trusted_proxies: str = ""
    tracking_domains: list[str] = []
    late_after: float = 0.25
    queue_limit: int = 20_000
    segment_bytes: int = 16 * MEBIBYTE
    log_format: Literal["json", "text"] = "json"
    protocol: Literal["front", "starlette"] = "front"
