"""Health: whether the whole does its work, in words that an operator can act on.

In: what is known of workers, disk and sinks. Out: a sentence for each. Nothing here looks anything
up by itself.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from tracker import size
from tracker.room import Filling

Status = Literal["ok", "degraded", "down"]
WORST_FIRST: Final[tuple[Status, ...]] = ("down", "degraded", "ok")

SILENT_AFTER: Final = 10.0  # seconds after which a worker or sweep without sign of life is in doubt
BEHIND_AFTER: Final = 60.0  # seconds of lag after which a sink that works is called behind
OLD_AFTER: Final = 60.0  # days: blocks of addresses change hands, and providers publish monthly
LITTLE_SPACE: Final = 1 << 30  # bytes: an hour of 500 hits a second
FILLING: Final = 0.5  # of the spool's room, from which on it is called filling
FULL: Final = 0.9
NO_SPACE: Final = 128 << 20  # bytes: what eight workers allocate at once


class Health(msgspec.Struct, frozen=True, omit_defaults=True):
    """The worst status among the checks, what each of them says, and the status of each.

    `folder` is the mark of the data folder that all this is about, where it is about one.
    """

    status: Status
    checks: dict[str, str]
    statuses: dict[str, Status] = {}
    folder: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    status: Status
    says: str


@dataclass(frozen=True, slots=True)
class WorkerFacts:
    """An edge worker whose stream lies in the spool.

    `told_at` is in Unix seconds; 0 says that it has told nothing of itself yet.
    """

    alive: bool
    told_at: int
    failing: bool


@dataclass(frozen=True, slots=True)
class SinkFacts:
    """How a sink does: what troubles it, and for how many seconds its oldest hit has waited.

    `unreadable` counts streams that another version wrote in a form unknown to this one, `missed`
    says what the sink was never offered, empty for nothing.
    """

    trouble: str
    retry_in: float
    lag: float
    dead_letters: int
    unreadable: int = 0
    missed: str = ""
    paused: bool = False


def health(checks: Mapping[str, Check], folder: str = "") -> Health:
    """Put the checks together."""
    found: list[Status] = [check.status for check in checks.values()]
    worst: Status = min(found, key=WORST_FIRST.index, default="ok")
    return Health(
        worst,
        {name: check.says for name, check in checks.items()},
        {name: check.status for name, check in checks.items()},
        folder,
    )


def edge(workers: Sequence[WorkerFacts], now: float) -> Check:
    """Tell whether recipients are answered."""
    alive = [worker for worker in workers if worker.alive]
    silent = sum(0 < worker.told_at < now - SILENT_AFTER for worker in alive)
    if not alive:
        return Check("down", "no edge worker is alive")
    if silent == len(alive):
        return Check("down", f"no edge worker has shown life for {SILENT_AFTER:.0f} s")
    if silent:
        return Check(
            "degraded",
            f"{silent} of {len(alive)} edge workers showed no life for {SILENT_AFTER:.0f} s",
        )
    return Check("ok", f"{counted(len(alive), 'edge worker')} alive")


def spool(workers: Sequence[WorkerFacts], free: int) -> Check:
    """Tell whether hits can be kept; `free` is the disk's space in bytes."""
    failing = sum(worker.failing for worker in workers if worker.alive)
    space = f"{free / (1 << 30):.1f} GiB free"
    if failing:
        return Check("down", f"{counted(failing, 'edge worker')} can't write hits; {space}")
    if free < NO_SPACE:
        return Check("down", f"the disk is full: {space}")
    if free < LITTLE_SPACE:
        return Check("degraded", f"the disk will soon be full: {space}")
    return Check("ok", f"hits can be written; {space}")


def backlog(filling: Filling, furthest: str) -> Check:
    """Tell how much room is left for hits that wait; `furthest` is the sink furthest behind."""
    share = min(filling.share, 1)
    if share < FILLING:
        return Check("ok", f"hits that wait take {share:.0%} of their room")
    left = "" if math.isinf(filling.seconds) else f", full in {lasting(filling.seconds)}"
    says = (
        f"hits that wait for {furthest} take {size.shown(filling.held)} of"
        f" {size.shown(filling.capacity)}{left}"
    )
    return Check("down" if share >= FULL else "degraded", says)


def sweep(failing: str, age: float) -> Check:
    """Tell whether the spool is emptied, and whether the other checks are of now.

    `age` is that of the last survey, in seconds; a disk that hangs lets it grow.
    """
    if failing:
        return Check("degraded", f"the spool can't be emptied: {failing}")
    if age > SILENT_AFTER:
        return Check("degraded", f"the spool was last looked at {age:.0f} s ago")
    return Check("ok", "the spool is emptied of what every sink has")


def sink(facts: SinkFacts) -> Check:
    """Tell how far a sink is behind, and why."""
    dead = f"; {counted(facts.dead_letters, 'dead letter')}" if facts.dead_letters else ""
    if facts.missed:
        dead += f"; it missed {facts.missed}, which 'tracker sinks replay' brings"
    if facts.paused:
        return Check("ok", f"paused; {facts.lag:.0f} s behind{dead}")
    if facts.trouble:
        return Check(
            "degraded",
            f"{facts.trouble}; {facts.lag:.0f} s behind, tried again within"
            f" {facts.retry_in:.0f} s{dead}",
        )
    if facts.unreadable:
        return Check(
            "degraded",
            f"{counted(facts.unreadable, 'stream')} of the spool can't be read: a newer version"
            f" wrote there{dead}",
        )
    if facts.lag > BEHIND_AFTER:
        return Check("degraded", f"{facts.lag:.0f} s behind and catching up{dead}")
    return Check("degraded" if facts.missed else "ok", f"up to date{dead}")


def places(built: Sequence[float], now: float) -> Check:
    """Tell whether places are known; `built` says when each database was, in Unix seconds."""
    if not built:
        return Check("ok", "no City database: every place is Unknown")
    days = (now - min(built)) / 86_400
    if days > OLD_AFTER:
        return Check(
            "degraded",
            f"a City database is {days:.0f} days old: 'tracker geo update' fetches a newer one",
        )
    return Check(
        "ok", f"looked up in {counted(len(built), 'database')}, {max(days, 0):.0f} days old"
    )


def lasting(seconds: float) -> str:
    """Say how long something lasts: `40 s`, `12 min`, `5 h`, `3 days`."""
    for unit, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def counted(number: int, noun: str) -> str:
    """Say `1 worker` or `2 workers`."""
    return f"{number} {noun}" + ("" if number == 1 else "s")
