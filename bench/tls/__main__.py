"""`python -m bench.tls`: measure, print the tables and the goals. See the package."""

import argparse
import contextlib
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from bench import comparison
from bench.edge import process, traffic
from bench.edge.report import machine
from bench.edge.servers import READY_WITHIN, ROOT, Ground, ServerFailed
from bench.page import put
from bench.tls import report
from bench.tls.clients import Seen, Way
from bench.tls.report import TITLES, Found, Renewal, Sample
from bench.tls.servers import Authority, Edge, Server, nginx
from certs.vault.bundle import Bundle

BENCH: Final = "bench.tls"
TOOLS: Final = ("nginx", "taskset")
THREADS: Final = 16


@dataclass(frozen=True, slots=True)
class Plan:
    """How often and how long each way is asked, and for how many domains memory is measured."""

    rounds: int
    seconds: float
    domains: tuple[int, ...]


FULL: Final = Plan(rounds=5, seconds=3, domains=(1, 1_000, 10_000))  # six minutes
QUICK: Final = Plan(rounds=1, seconds=1, domains=(1, 100))  # half a minute

ANYBODY: Final = ssl.create_default_context()
ANYBODY.check_hostname = False
ANYBODY.verify_mode = ssl.CERT_NONE


def main() -> int:
    """Run everything; return 0 unless something didn't run, whatever the figures say."""
    parser = argparse.ArgumentParser(prog=f"python -m {BENCH}", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round, 100 domains")
    options, server_core, load_core = comparison.told(parser, BENCH, TOOLS)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers are ended, too
    try:
        found = measured(QUICK if options.quick else FULL, server_core, load_core)
    except (ServerFailed, subprocess.SubprocessError) as error:
        print(error, file=sys.stderr)
        return 1
    told = report.told(found)
    print(told, end="")
    if options.into is not None:
        page = put(told, BENCH, options.into.read_text("utf-8"))
        options.into.write_text(page, "utf-8")
    return 0


def measured(plan: Plan, server_core: int, client_core: int) -> Found:
    """Start the servers, ask them, return what came of it."""
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", dir=build)))
        method = f"{machine(folder)}; {plan.rounds} rounds of {plan.seconds:g} s"
        authority = Authority.new()
        (folder / "ca.pem").write_bytes(authority.pem)
        traffic.write(folder / "keyring.json", folder / "paths")
        bundle = authority.issue(traffic.DOMAIN)
        edge = Edge(stack, grounded(folder, "edge", server_core))
        edge.cache.put(bundle)
        rival = nginx(stack, grounded(folder, "nginx", server_core), bundle)
        samples: dict[tuple[str, Way], list[Sample]] = {}
        for server in (edge.server, rival):
            ready(server, folder)
        for number in range(plan.rounds):
            for way in TITLES:
                for server in (edge.server, rival)[:: -1 if number % 2 else 1]:
                    taken = asked(server, folder / "paths", way, plan.seconds, client_core)
                    samples.setdefault((server.name, way), []).append(taken)
            print(f"round {number + 1} of {plan.rounds}", file=sys.stderr, flush=True)
        ordered = {
            (s.name, way): samples[s.name, way] for s in (edge.server, rival) for way in TITLES
        }
        renewal = renewed(edge, authority, folder / "paths", plan, client_core)
        memory = dict(sizes(plan, folder, server_core, bundle))
        return Found(method, ordered, memory, renewal)


def grounded(folder: Path, name: str, core: int) -> Ground:
    """Make a server's folder."""
    ground = Ground(folder / name, core, folder / "keyring.json", folder / "paths")
    ground.folder.mkdir()
    return ground


def ready(server: Server, folder: Path) -> None:
    """Return once a server shakes hands; raise ServerFailed if it doesn't within a bound."""
    end = time.monotonic() + READY_WITHIN
    while not shaken(server.tls, traffic.DOMAIN):
        if time.monotonic() > end:
            outputs = "".join(path.read_text() for path in folder.glob("*/output"))
            raise ServerFailed(f"{server.name} did not answer: {outputs[-2000:]}")
        time.sleep(0.05)


def shaken(port: int, name: str) -> bool:
    """Shake hands for a name; tell whether that came to its end."""
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=5) as below,
            ANYBODY.wrap_socket(below, server_hostname=name),
        ):
            return True
    except OSError:
        return False


def asked(server: Server, paths: Path, way: Way, seconds: float, core: int) -> Sample:
    """Let the clients ask one server in one way; take what it cost the server."""
    port = server.plain if way in ("plain", "kept plain") else server.tls
    workers = process.workers(server.pid)
    before = sum(map(process.cpu, workers))
    with asking(port, paths, way, seconds, core) as clients:
        seen = heard(clients)
    used = sum(map(process.cpu, workers)) - before
    return Sample(seen, used / max(1, seen.requests) * 1e6)


@contextlib.contextmanager
def asking(
    port: int, paths: Path, way: Way, seconds: float, core: int
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run the clients."""
    command = [
        *("taskset", "-c", str(core), sys.executable, "-m", "bench.tls.clients"),
        *(str(port), str(paths), str(seconds), str(THREADS), way),
    ]
    clients = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    try:
        yield clients
    finally:
        clients.kill()
        clients.wait()


def heard(clients: "subprocess.Popen[bytes]") -> Seen:
    """Return what the clients saw, once they are done."""
    output, _ = clients.communicate()
    if clients.returncode:
        raise ServerFailed(f"the clients ended with status {clients.returncode}")
    return msgspec.json.decode(output.splitlines()[-1], type=Seen)


def renewed(edge: Edge, authority: Authority, paths: Path, plan: Plan, core: int) -> Renewal:
    """Replace the certificate twenty times a second while clients ask; count what is lost."""
    before = edge.kept.hits()
    renewals = 0
    seconds = plan.rounds * plan.seconds
    with asking(edge.server.tls, paths, "full", seconds, core) as clients:
        while clients.poll() is None:
            edge.cache.put(authority.issue(traffic.DOMAIN))
            renewals += 1
            time.sleep(0.05)
        seen = heard(clients)
    edge.kept.until(before + seen.requests)
    return Renewal(renewals, seen, edge.kept.hits() - before)


def sizes(plan: Plan, folder: Path, core: int, bundle: Bundle) -> Iterator[tuple[int, float]]:
    """Measure a fresh worker's memory after so many domains were asked for, each once."""
    for number in plan.domains:
        with contextlib.ExitStack() as stack:
            edge = Edge(stack, grounded(folder, f"domains-{number}", core))
            names = [f"d{index}.example.com" for index in range(number)]
            for name in names:
                edge.cache.put(msgspec.structs.replace(bundle, name=name))
            edge.cache.put(bundle)
            ready(edge.server, folder)
            failed = [name for name in names if not shaken(edge.server.tls, name)]
            if failed:
                raise ServerFailed(f"{len(failed)} of {number} domains had no handshake")
            yield number, max(map(process.memory, process.workers(edge.server.pid)))
        print(f"memory with {number:,} domains", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
