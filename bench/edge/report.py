"""What is printed: a table for each load, the goals, and the machine that it was measured on."""

import os
import platform
import re
import statistics
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

Way = Literal["one", "keep-alive", "steady"]
WAYS: Final[Mapping[Way, str]] = {
    "one": "One connection a request, {level} at a time",
    "keep-alive": "Keep-alive, {level} at a time",
    "steady": "A steady {level} requests/s, one connection each",
}


@dataclass(frozen=True, slots=True)
class Load:
    """How a server is asked; `level` is connections, or requests a second where steady."""

    way: Way
    level: int

    @property
    def title(self) -> str:
        """Name the load as people would."""
        return WAYS[self.way].format(level=f"{self.level:,}")


LOADS: Final = (
    *(Load("one", connections) for connections in (1, 64, 256)),
    *(Load("keep-alive", connections) for connections in (1, 64, 256)),
    Load("steady", 1000),
)


@dataclass(frozen=True, slots=True)
class Sample:
    """One run. `generator` and `foreign` are shares of a core: the load's own, and all the rest."""

    rate: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    errors: int
    generator: float
    foreign: float


Metric = Literal["rate", "p50_ms", "p99_ms", "cpu_us", "generator", "foreign"]
Samples = Mapping[Load, Mapping[str, Sequence[Sample]]]  # by load, by server, in order of rounds


@dataclass(frozen=True, slots=True)
class Found:
    """All that came of a comparison; `names` and `memory` (in megabytes of a worker) by server."""

    method: str
    names: Mapping[str, str]
    samples: Samples
    memory: Mapping[str, float]
    account: str


def told(found: Found) -> str:
    """Return the whole report as Markdown."""
    lines = [f"Measured {found.method}; medians, and medians of the ratios within each round.", ""]
    lines += goals(found)
    if warning := busy(found.samples):
        lines += [warning, ""]
    for load in found.samples:
        lines += rows_of(load, found.samples, found.names)
    sizes = ", ".join(f"{found.names[key]} {size:.1f} MB" for key, size in found.memory.items())
    lines += [f"Memory of a worker after all loads (PSS): {sizes}.", "", found.account]
    return "\n".join(lines) + "\n"


def value(sample: Sample, metric: Metric) -> float:
    """Return one figure of a run."""
    figure: float = getattr(sample, metric)
    return figure


def median(samples: Sequence[Sample], metric: Metric) -> float:
    """Return the median over the rounds."""
    return statistics.median(value(sample, metric) for sample in samples)


def ratio(samples: Samples, load: Load, metric: Metric, of: str, to: str) -> float:
    """Return the median of the ratios within each round, in which the machine was the same."""
    pairs = zip(samples[load][of], samples[load][to], strict=True)
    return statistics.median(value(a, metric) / value(b, metric) for a, b in pairs)


@dataclass(frozen=True, slots=True)
class Goal:
    """A ratio of ours to another server's that is to be reached, or not to be passed."""

    load: Load
    metric: Literal["rate", "p99_ms"]
    to: str
    bound: float

    def met(self, reached: float) -> bool:
        """Tell whether a ratio meets the goal: rates are floors, latencies are ceilings."""
        return reached >= self.bound if self.metric == "rate" else reached <= self.bound


GOALS: Final = (
    Goal(Load("one", 64), "rate", "bare", 1.8),
    Goal(Load("one", 64), "rate", "nginx", 0.55),
    Goal(Load("one", 64), "rate", "rival", 10),
    Goal(Load("one", 64), "p99_ms", "bare", 1.5),
    Goal(Load("keep-alive", 64), "rate", "bare", 1.2),
    Goal(Load("keep-alive", 64), "rate", "rival", 10),
    Goal(Load("keep-alive", 64), "p99_ms", "bare", 1.5),
    Goal(Load("steady", 1000), "p99_ms", "bare", 2),
)
MEMORY_GOAL: Final = 30.0  # megabytes of one of our workers
QUIET: Final = 0.1  # of a core that others may take


def rows_of(load: Load, samples: Samples, names: Mapping[str, str]) -> Iterable[str]:
    """Yield the table of one load."""
    yield f"**{load.title}**\n"
    yield (
        "| server | requests/s | to bare | to nginx | p50 ms | p99 ms | CPU µs a request "
        "| errors | generator | others |"
    )
    yield "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    for key, runs in samples[load].items():
        cells = (
            names[key],
            f"{median(runs, 'rate'):,.0f}",
            f"{ratio(samples, load, 'rate', key, 'bare'):.2f}",
            f"{ratio(samples, load, 'rate', key, 'nginx'):.2f}",
            f"{median(runs, 'p50_ms'):.2f}",
            f"{median(runs, 'p99_ms'):.2f}",
            f"{median(runs, 'cpu_us'):.0f}",
            f"{sum(run.errors for run in runs):,}",
            f"{median(runs, 'generator'):.0%}",
            f"{median(runs, 'foreign'):.0%}",
        )
        yield f"| {' | '.join(cells)} |"
    yield ""


def goals(found: Found) -> Iterable[str]:
    """Yield the table of the goals."""
    memory = found.memory["ours"]
    yield "| ours, as a ratio to | load | goal | reached | |"
    yield "|---|---|--:|--:|---|"
    for goal in GOALS:
        reached = ratio(found.samples, goal.load, goal.metric, "ours", goal.to)
        what = "requests/s" if goal.metric == "rate" else "p99"
        sign = "≥" if goal.metric == "rate" else "≤"
        yield (
            f"| {what} of {found.names[goal.to]} | {goal.load.title} | {sign} {goal.bound:g} "
            f"| {reached:.2f} | {verdict(met=goal.met(reached))} |"
        )
    yield (
        f"| memory (PSS) of a worker | after all loads | ≤ {MEMORY_GOAL:g} MB | {memory:.1f} MB "
        f"| {verdict(met=memory <= MEMORY_GOAL)} |"
    )
    yield ""


def busy(samples: Samples) -> str:
    """Warn where something else took so much of the machine that the goals say little."""
    runs = [run for by_server in samples.values() for runs in by_server.values() for run in runs]
    foreign = median(runs, "foreign")
    if foreign < QUIET:
        return ""
    return f"**Something else took {foreign:.0%} of a core: measure again on a quiet machine.**"


def verdict(*, met: bool) -> str:
    """Say it in words that can be searched for."""
    return "met" if met else "**not met**"


def machine(folder: Path) -> str:
    """Say when and on what it was measured, and what the disk takes for one forced write."""
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    disk = subprocess.run(
        ["stat", "--file-system", "--format=%T", str(folder)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {model[1] if model else platform.machine()}, "
        f"{os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}; "
        f"{disk}, one forced write {forced_write_ms(folder):.2f} ms"
    )


def forced_write_ms(folder: Path) -> float:
    """Return the median time of writing 4 KiB into a file that exists, with fdatasync."""
    took = []
    with (folder / "forced").open("wb", buffering=0) as file:
        for _ in range(100):
            file.seek(0)
            file.write(bytes(4096))
            begun = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - begun)
    return statistics.median(took) * 1000
