"""Health: whether the whole does its work, in words that an operator can act on."""

from collections.abc import Iterable
from typing import Final, Literal

import msgspec

Status = Literal["ok", "degraded", "down"]
WORST_FIRST: Final[tuple[Status, ...]] = ("down", "degraded", "ok")


class Health(msgspec.Struct, frozen=True):
    """The worst status among the checks, and what each of them says."""

    status: Status
    checks: dict[str, str]
