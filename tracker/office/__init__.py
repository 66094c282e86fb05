"""The back office: one process that forwards hits to every sink and answers the API.

`python -m tracker.office` takes its settings from the first line of its standard input.
"""

from typing import Literal

import msgspec


class OfficeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the back office is told at birth, as JSON.

    `data` is the folder of its own files, `spool` where the edge workers write, `listen_fds` the
    listening sockets of the API, which it inherits, `geo_databases` City databases (`.mmdb`).
    `sinks` names where events go: `store`, `stdout`, or `file:` and a path. `api_rate` is in
    requests a second and key.
    """

    data: str
    spool: str
    keyring: str
    store: str
    listen_fds: list[int]
    api_key: str
    api_rate: float = 0
    api_public_url: str = ""
    geo_databases: list[str] = []
    sinks: tuple[str, ...] = ("store",)
    log_format: Literal["json", "text"] = "json"
