"""`python -m bench.edge`: measure, print the tables and the goals. See the package."""

import argparse
import contextlib
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from bench import comparison
from bench.edge import report, traffic
from bench.edge.process import Machine, children_cpu
from bench.edge.report import LOADS, Found, Load, Sample, Samples
from bench.edge.servers import ROOT, SERVERS, Ground, Server, ServerFailed, ready
from bench.edge.steady import open_loop
from bench.edge.wrk import Answered, LoadFailed, closed_loop
from bench.page import put

BENCH: Final = "bench.edge"
TOOLS: Final = ("nginx", "taskset", "wrk")
WARM_UP: Final = 1  # seconds, of 64 connections


@dataclass(frozen=True, slots=True)
class Plan:
    """How often and how long each server is asked under each load."""

    rounds: int
    seconds: int


FULL: Final = Plan(rounds=5, seconds=3)  # eight to ten minutes
QUICK: Final = Plan(rounds=1, seconds=2)  # a look; its ratios wander by a fifth


def main() -> int:
    """Run the whole comparison; return 0 unless something didn't run, whatever the figures say."""
    parser = argparse.ArgumentParser(prog=f"python -m {BENCH}", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round, about 80 seconds")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample here, too")
    options, server_core, load_core = comparison.told(parser, BENCH, TOOLS)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers are ended, too
    try:
        found = compare(QUICK if options.quick else FULL, server_core, load_core)
    except (ServerFailed, LoadFailed) as error:
        print(error, file=sys.stderr)
        return 1
    told = report.told(found)
    print(told, end="")
    if options.json is not None:
        options.json.write_bytes(msgspec.json.encode(flat(found.samples)))
    if options.into is not None:
        page = put(told, BENCH, options.into.read_text("utf-8"))
        options.into.write_text(page, "utf-8")
    return 0


def compare(plan: Plan, server_core: int, load_core: int) -> Found:
    """Start all servers, ask them in turn, return what came of it."""
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", dir=build)))
        machine = report.machine(folder)
        servers = started(stack, folder, server_core)
        for server in servers.values():
            asked(server, Load("one", 64), WARM_UP, load_core)
        samples = measured(servers, plan, load_core)
        return Found(
            method=f"{machine}; {plan.rounds} rounds of {plan.seconds} s",
            names={key: server.name for key, server in servers.items()},
            samples=samples,
            memory={key: server.memory() for key, server in servers.items()},
            account="".join(server.account() for server in servers.values()),
        )


def started(stack: contextlib.ExitStack, folder: Path, core: int) -> dict[str, Server]:
    """Start every server and wait until each gives a good answer."""
    keyring, paths = folder / "keyring.json", folder / "paths"
    traffic.write(keyring, paths)
    servers = {}
    for key, start in SERVERS.items():
        ground = Ground(folder / key, core, keyring, paths)
        ground.folder.mkdir()
        servers[key] = start(stack, ground)
        ready(servers[key], ground.folder / "output")
    return servers


def measured(servers: dict[str, Server], plan: Plan, core: int) -> Samples:
    """Ask every server under every load, in an order that turns with each round."""
    samples: dict[Load, dict[str, list[Sample]]] = {
        load: {key: [] for key in servers} for load in LOADS
    }
    for number in range(plan.rounds):
        for load in LOADS:
            for key in turned(list(servers), number):
                samples[load][key].append(asked(servers[key], load, plan.seconds, core))
        print(f"round {number + 1} of {plan.rounds}", file=sys.stderr, flush=True)
    return samples


def turned(keys: Sequence[str], by: int) -> list[str]:
    """Return the keys in another order each time: nobody always follows the same one."""
    start = by % len(keys)
    order = [*keys[start:], *keys[:start]]
    return order[::-1] if by % 2 else order


def asked(server: Server, load: Load, seconds: int, core: int) -> Sample:
    """Put one server under one load and take its costs."""
    cpu, children, machine = server.cpu(), children_cpu(), Machine.now()
    begun = time.monotonic()
    answered = ask(server, load, seconds, core)
    elapsed = time.monotonic() - begun
    used, after = server.cpu() - cpu, Machine.now()
    generator = children_cpu() - children
    busy = after.busy - machine.busy - used - generator + after.stolen - machine.stolen
    server.after(answered.requests)
    return Sample(
        rate=answered.requests / answered.seconds,
        p50_ms=answered.p50_ms,
        p99_ms=answered.p99_ms,
        cpu_us=used / max(1, answered.requests) * 1e6,
        errors=answered.errors,
        generator=generator / elapsed,
        foreign=max(0.0, busy) / elapsed,
    )


def ask(server: Server, load: Load, seconds: int, core: int) -> Answered:
    """Put the load on."""
    if load.way == "steady":
        return open_loop(server.port, server.paths, core=core, rate=load.level, seconds=seconds)
    return closed_loop(
        server.port,
        server.paths,
        core=core,
        connections=load.level,
        keep_alive=load.way == "keep-alive",
        seconds=seconds,
    )


def flat(samples: Samples) -> list[dict[str, object]]:
    """Return every sample with its load and its server, in a form for JSON."""
    return [
        {"load": load, "server": key, "round": number, "sample": sample}
        for load, by_server in samples.items()
        for key, runs in by_server.items()
        for number, sample in enumerate(runs, 1)
    ]


if __name__ == "__main__":
    sys.exit(main())
