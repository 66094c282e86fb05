"""Times as a person types them at a command."""

import re
import time
from datetime import datetime
from typing import Final

from tracker.mistake import Exit, Mistake

SECONDS: Final = {"s": 1, "min": 60, "m": 60, "h": 3_600, "d": 86_400}
_AGO: Final = re.compile(r"(\d{1,6})\s*(s|min|m|h|d)", re.ASCII)


def moment(text: str, option: str) -> float:
    """Read `2026-11-01`, `2026-11-01T08:00+01:00` or `3h`, for so long ago, as Unix seconds.

    A time without a zone is this machine's. Raises Mistake.
    """
    if ago := _AGO.fullmatch(text.strip()):
        return time.time() - int(ago[1]) * SECONDS[ago[2]]
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError) as error:
        raise Mistake(
            f"{option} is a time such as 2026-11-01 or 2026-11-01T08:00, or how long ago: 3h, 2d",
            Exit.USAGE,
        ) from error
