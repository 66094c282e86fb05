"""Bring what the tests run: Pebble and sslyze, without root.

    python -m tests.servers.fetch

Pebble, Let's Encrypt's test CA, comes from Debian into build/servers; sslyze, which grades a TLS
port, from PyPI into build/sslyze.

apt brings the package of this machine's release and, where its mirror has it and it runs here, the
one of Debian's unstable release, which knows renewal information and profiles. apt checks their
signatures; nothing is installed, and the machine's own lists of packages stay as they are. What is
there already is not fetched again. The exit status is 69 where apt can't bring even the first.
"""

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rewriter.exits import UNAVAILABLE
from tests.servers import sslyze

SERVERS: Final = Path(__file__).parents[2] / "build" / "servers"
_PATIENCE: Final = 240  # seconds; lists of packages are some 10 MB
_KEYRING: Final = "/usr/share/keyrings/debian-archive-keyring.gpg"


class Unreachable(Exception):
    """A package couldn't be brought; says what apt said."""


@dataclass(frozen=True, slots=True)
class Server:
    """A program in a Debian package, of this machine's release or of the unstable one."""

    package: str
    unstable: bool

    @property
    def folder(self) -> Path:
        """Where it is unpacked."""
        return SERVERS / (f"{self.package}-unstable" if self.unstable else self.package)

    @property
    def program(self) -> Path:
        """What is run."""
        return self.folder / "usr" / "bin" / self.package


PEBBLE: Final = Server("pebble", unstable=False)
PEBBLE_UNSTABLE: Final = Server("pebble", unstable=True)


class Apt:
    """apt-get with lists and a cache of its own, in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name in ("lists/partial", "cache/archives/partial"):
            (folder / name).mkdir(parents=True)
        (folder / "status").touch()
        self._options = {
            "Dir::State::lists": str(folder / "lists"),
            "Dir::State::status": str(folder / "status"),
            "Dir::Cache": str(folder / "cache"),
            "Acquire::Languages": "none",
            # As root, apt would download as a user who may not write into our folder.
            "APT::Sandbox::User": "root",
        }

    def download(self, server: Server) -> Path:
        """Bring the package of a server; return its file. Raises Unreachable."""
        # A source that doesn't answer isn't ours to judge: the download tells.
        self._get("update", strict=False)
        if server.unstable:
            self._turn_to_unstable()
            self._get("update")
        self._get("download", server.package)
        (package,) = self._folder.glob("*.deb")
        return package

    def _turn_to_unstable(self) -> None:
        """Read the unstable release alone, from the mirror that this machine uses."""
        targets = self._get("indextargets", "--format", "$(ORIGIN) $(LABEL) $(REPO_URI)")
        mirrors = [line.split()[-1] for line in targets.splitlines() if "Debian Debian " in line]
        if not mirrors:
            raise Unreachable("apt's sources name no mirror of Debian")
        signed = f"[signed-by={_KEYRING}] " if Path(_KEYRING).exists() else ""
        sources = self._folder / "unstable.list"
        sources.write_text(f"deb {signed}{mirrors[0]} sid main\n")
        self._options |= {"Dir::Etc::sourcelist": str(sources), "Dir::Etc::sourceparts": "-"}

    def _get(self, *arguments: str, strict: bool = True) -> str:
        options = [f"-o{name}={value}" for name, value in self._options.items()]
        return run(self._folder, "apt-get", *options, *arguments, strict=strict)


def fetch(server: Server) -> None:
    """Download and unpack one, unless it is there. Raises Unreachable."""
    if server.program.exists():
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        package = Apt(folder).download(server)
        run(folder, "dpkg", "-x", str(package), "unpacked")
        run(folder, str(folder / "unpacked" / "usr" / "bin" / server.package), "-h")
        server.folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(folder / "unpacked", server.folder)


def run(folder: Path, *command: str, strict: bool = True) -> str:
    """Return what a command prints. Raises Unreachable, if strict also where it fails."""
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unreachable(f"{command[0]}: {error}") from error
    if strict and done.returncode:
        raise Unreachable(f"{command[0]} {command[-1]}: {done.stderr.strip()}")
    return done.stdout


def main() -> int:
    """Fetch all; say what came."""
    status = 0
    for server in (PEBBLE, PEBBLE_UNSTABLE):
        try:
            fetch(server)
            sys.stdout.write(f"{server.program.relative_to(SERVERS.parents[1])}: there\n")
        except Unreachable as error:
            sys.stderr.write(f"NOT FETCHED: {server.folder.name}: {error}\n")
            # Without the newer one its tests skip; without any, all that need a CA do.
            status = status if server.unstable else UNAVAILABLE
    try:
        sys.stdout.write(f"{sslyze.install().relative_to(SERVERS.parents[1])}: there\n")
    except sslyze.Missing as error:
        sys.stderr.write(f"NOT FETCHED: {error}\n")
        status = UNAVAILABLE
    return status


if __name__ == "__main__":
    sys.exit(main())
