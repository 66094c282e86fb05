"""The consumer: one process that brings events from the bus into the store.

`python -m tracker.consume` takes its settings from the first line of its standard input. Any number
of them, on any machines, share the work.

| module | holds |
|---|---|
| `consuming.py` | from the bus to the store, acknowledged behind the commit |
| `progress.py` | how that goes, for health and figures |
| `watch.py` | what health and metrics answer |
| `work.py` | all of it together |
| `__main__.py` | the process |
"""

from collections.abc import Mapping
from typing import Literal

import msgspec


class ConsumeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the consumer is told at birth, as JSON.

    `address` and `options` are those of the bus' URL. `durable` names what the bus remembers of the
    store, `batch` is how many events are stored at once. `listen_fds` are the listening sockets of
    health and metrics, which it inherits.
    """

    address: str
    options: Mapping[str, str]
    store: str
    durable: str
    batch: int
    listen_fds: list[int]
    log_format: Literal["json", "text"] = "json"
