"""Fuzz pages, messages and tokens in turn.

    python -m tests.fuzz [--seconds 60] [--seed N] [--only pages]

Each input has a seed of its own, so that it can be made again alone; the first is printed. An input
that shows a fault is written to build/fuzz, named, and the exit status is 1. Where `make corpus`
was run, its files are among those that are cut up.
"""

import argparse
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

from tests.fuzz import messages, pages, tokens

FOLDER: Final = Path(__file__).parents[2] / "build" / "fuzz"


@dataclass(frozen=True, slots=True)
class Target:
    """What makes an input of a seed, and what says what is wrong with it."""

    make: Callable[[Random], bytes]
    faults: Callable[[bytes], Iterator[str]]


TARGETS: Final = {
    "pages": Target(pages.make, pages.faults),
    "messages": Target(messages.make, messages.faults),
    "tokens": Target(tokens.make, tokens.faults),
}


def fault(target: Target, data: bytes) -> str:
    """Give the first fault that an input shows, or nothing; an error is one."""
    try:
        return next(target.faults(data), "")
    except Exception:  # noqa: BLE001 - whatever it is, it is what was looked for
        return traceback.format_exc()


def run(name: str, seed: int, seconds: float) -> int | None:
    """Fuzz one target; give the number of inputs, or None where one shows a fault."""
    target = TARGETS[name]
    until = time.monotonic() + seconds
    number = 0
    while time.monotonic() < until:
        data = target.make(Random(seed + number))
        if said := fault(target, data):
            FOLDER.mkdir(parents=True, exist_ok=True)
            path = FOLDER / f"{name}-{seed + number}"
            path.write_bytes(data)
            sys.stderr.write(f"{name}: seed {seed + number}, {path}: {said}\n")
            return None
        number += 1
    return number


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz until the time is over or a fault is found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=TARGETS, help="one target (default: all in turn)")
    parser.add_argument("--seconds", type=float, default=60, help="for all of them together")
    parser.add_argument("--seed", type=int, default=time.time_ns() // 1000 % 10**12)
    chosen = parser.parse_args(arguments)
    names = [chosen.only] if chosen.only else [*TARGETS]
    failed = False
    for name in names:
        number = run(name, chosen.seed, chosen.seconds / len(names))
        failed = failed or number is None
        if number is not None:
            sys.stdout.write(f"{name}: {number} inputs from seed {chosen.seed} on, no fault\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
