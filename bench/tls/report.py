"""What is printed: what each way of asking costs, memory, renewal, and the goals."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bench.tls.clients import Seen, Way

TITLES: Final[Mapping[Way, str]] = {
    "plain": "Plain HTTP, one connection a request",
    "full": "HTTPS, a full handshake each",
    "resumed": "HTTPS, a resumed session each",
    "kept plain": "Plain HTTP, kept connections",
    "kept": "HTTPS, kept connections",
}
MOST_MEMORY: Final = 100  # MB of a worker with 10,000 domains


@dataclass(frozen=True, slots=True)
class Sample:
    """One run: what the clients saw, and the CPU time that the server took, in microseconds."""

    seen: Seen
    cpu_us: float


@dataclass(frozen=True, slots=True)
class Renewal:
    """What came of asking while certificates were replaced."""

    renewals: int
    seen: Seen
    hits: int


@dataclass(frozen=True, slots=True)
class Found:
    """All that came of a run; samples by server and way, memory (MB) by number of domains."""

    method: str
    samples: Mapping[tuple[str, Way], Sequence[Sample]]
    memory: Mapping[int, float]
    renewal: Renewal


def told(found: Found) -> str:
    """Return the whole report as Markdown."""
    renewal = found.renewal
    largest = max(found.memory)
    lines = [
        f"Measured {found.method}; medians.",
        "",
        "| ours | goal | reached | |",
        "|---|--:|--:|---|",
        _goal(
            f"memory (PSS) of a worker with {largest:,} domains, each asked for",
            f"≤ {MOST_MEMORY} MB",
            f"{found.memory[largest]:.1f} MB",
            met=found.memory[largest] <= MOST_MEMORY,
        ),
        _goal(
            f"requests lost in {renewal.renewals} renewals under load",
            "0",
            str(renewal.seen.lost),
            met=renewal.seen.lost == 0,
        ),
        "",
        "| | server | requests/s a core | CPU µs a request | to plain | to nginx "
        "| p50 ms | p99 ms | resumed | lost |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|",
        *(_row(found, server, way) for way in TITLES for server in _servers(found)),
        "",
        "Memory of a worker (PSS), every domain asked for once, 2,000 certificates held at most: "
        + ", ".join(f"{number:,} domains {size:.1f} MB" for number, size in found.memory.items())
        + ".",
        "",
        f"While its certificate was replaced {renewal.renewals} times, clients made "
        f"{renewal.seen.requests:,} requests, each with a full handshake that they verified: "
        f"{renewal.seen.lost} lost, {renewal.seen.wrong} answered wrongly, "
        f"{renewal.hits:,} hits read back from the spool.",
    ]
    return "\n".join(lines) + "\n"


def _goal(what: str, goal: str, reached: str, *, met: bool) -> str:
    return f"| {what} | {goal} | {reached} | {'met' if met else '**not met**'} |"


def _servers(found: Found) -> list[str]:
    return list(dict.fromkeys(server for server, _ in found.samples))


def _row(found: Found, server: str, way: Way) -> str:
    samples = found.samples[server, way]
    plain: Way = "kept plain" if way.startswith("kept") else "plain"
    cpu = _cpu(samples)
    to_plain, to_nginx = (
        cpu / _cpu(found.samples[other]) for other in ((server, plain), (_servers(found)[-1], way))
    )
    seen = [sample.seen for sample in samples]
    resumed = sum(one.resumed for one in seen) / sum(one.requests for one in seen)
    return (
        f"| {TITLES[way]} | {server} | {1e6 / cpu:,.0f} | {cpu:,.0f} | {to_plain:.2f} "
        f"| {to_nginx:.2f} | {statistics.median(one.p50_ms for one in seen):.2f} "
        f"| {statistics.median(one.p99_ms for one in seen):.2f} | {resumed:.0%} "
        f"| {sum(one.lost + one.wrong for one in seen)} |"
    )


def _cpu(samples: Sequence[Sample]) -> float:
    return statistics.median(sample.cpu_us for sample in samples)
