"""A storm of faults in a random order, for as long as one likes.

    python -m tests.cluster --minutes 30
    python -m tests.cluster --minutes 30 --seed 7    # the same order once more

Prints two lines for each round of three faults: what happens, then how many were answered, how many
couldn't be, and how many events there are by then. It ends with status 1 once the books don't
balance, or something doesn't recover. Its folder, with all logs, stays.
"""

import argparse
import secrets
import sys
import tempfile
import time
from pathlib import Path
from random import Random

from tests.cluster.books import Balance
from tests.cluster.faults import ALL, Fault, NotHere
from tests.cluster.topology import Topology, standing

AT_A_TIME = 3


def main() -> int:
    """Run the storm; return the exit status."""
    asked = argparse.ArgumentParser(prog="python -m tests.cluster")
    asked.add_argument("--minutes", type=float, default=10)
    asked.add_argument("--seed", type=int, default=secrets.randbelow(10_000))
    told = asked.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="cluster-"))
    random = Random(told.seed)
    say(f"seed {told.seed}, logs in {folder}")
    until = time.monotonic() + told.minutes * 60
    with standing(folder) as topology:
        while time.monotonic() < until:
            faults = random.sample(ALL, AT_A_TIME)
            if (wrong := of_a_round(topology, faults)) != Balance():
                say(f"THE BOOKS DON'T BALANCE: {wrong}")
                return 1
    return 0


def of_a_round(topology: Topology, faults: list[Fault]) -> Balance:
    """Have faults happen one after the other; return what is wrong with the books after them."""
    began = time.monotonic()
    say(", ".join(fault.__name__ for fault in faults))
    with topology.load() as load:
        for fault in faults:
            try:
                fault(topology, load)
            except NotHere as error:
                say(f"{fault.__name__}: not tried, {error}")
    topology.arrived(load.done)
    told = f"{len(load.done)} answered, {len(load.cut_off)} cut off, {len(load.refused)} refused"
    say(f"{time.monotonic() - began:5.1f} s  {told}, {len(topology.books.visits)} stored")
    return topology.books.balance(load)


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)  # noqa: T201 - this is what the program is for


if __name__ == "__main__":
    sys.exit(main())
