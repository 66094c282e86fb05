"""What a process costs, and what the machine was doing besides, as Linux counts it in /proc.

CPU time is in seconds, memory in megabytes (10^6 bytes).
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

PROC: Final = Path("/proc")
TICKS: Final = os.sysconf("SC_CLK_TCK")


def workers(pid: int) -> list[int]:
    """Return a server's workers: its children, or itself where it has none."""
    text = (PROC / str(pid) / "task" / str(pid) / "children").read_text()
    return [int(child) for child in text.split()] or [pid]


def cpu(pid: int) -> float:
    """Return the CPU time, user and system, that a process has taken with all its threads."""
    fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def children_cpu() -> float:
    """Return the CPU time of all children of this process that have ended."""
    times = os.times()
    return times.children_user + times.children_system


def memory(pid: int) -> float:
    """Return the proportional set size: pages that processes share count in equal parts."""
    text = (PROC / str(pid) / "smaps_rollup").read_text()
    (kibibytes,) = re.findall(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
    return int(kibibytes) * 1024 / 1e6


@dataclass(frozen=True, slots=True)
class Machine:
    """CPU time of the whole machine: what was worked, and what the hypervisor took away."""

    busy: float
    stolen: float

    @classmethod
    def now(cls) -> Self:
        """Read the counters, which run since boot."""
        line = (PROC / "stat").read_text().partition("\n")[0]
        user, nice, system, _, _, irq, softirq, stolen, *_ = (int(n) for n in line.split()[1:])
        return cls((user + nice + system + irq + softirq) / TICKS, stolen / TICKS)
