"""What is told of a machine's copies: as of when they are, and what is in their way.

In: times and troubles. Out: a check, in words that an operator can act on.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, get_args

from tracker.health import Check
from tracker.shared.copy import Part

PARTS: Final[tuple[Part, ...]] = get_args(Part)


def told(as_of: Mapping[Part, float], trouble: Mapping[str, str], away_since: float) -> Check:
    """Tell how current everything is. The machine works on meanwhile: the worst is degraded."""
    if away_since:
        why = trouble.get("store", "it can't be reached").removeprefix("the store can't answer: ")
        since = f"the store has been away since {minute(away_since)}: {why}"
        return Check("degraded", f"{since}; until it is back, {dated(as_of)}")
    if trouble:
        return Check("degraded", "; ".join(trouble.values()))
    return Check("ok", f"{_listed(PARTS)} are as in the store")


def dated(as_of: Mapping[Part, float]) -> str:
    """Say of when each part is, those of the same minute together."""
    by_minute: dict[str, list[str]] = {}
    for part in PARTS:
        at = as_of.get(part)
        said = f"as of {minute(at)}" if at else "not on this machine yet"
        by_minute.setdefault(said, []).append(part)
    return "; ".join(
        f"{_listed(parts)} {'is' if parts == ['keyring'] else 'are'} {said}"
        for said, parts in by_minute.items()
    )


def minute(at: float) -> str:
    """Write a time, in Unix seconds, for people."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"


def _listed(parts: list[str] | tuple[str, ...]) -> str:
    *others, last = parts
    return f"{', '.join(others)} and {last}" if others else last
