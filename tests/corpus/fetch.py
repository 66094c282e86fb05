"""Fetch the corpus through the registries' own clients, and check what came.

    python -m tests.corpus.fetch

What is there already is not fetched again. The exit status is 69 where a registry or its client
is out of reach, and 1 where what came is not what the table says.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rewriter.exits import UNAVAILABLE
from tests.corpus.sources import SOURCES, Source

_PATIENCE: Final = 120  # seconds a package
# pip asks a source distribution for its metadata, and those of html5lib's and talon's time can
# give them to the setuptools of their time alone.
_OLD_SETUPTOOLS: Final = "setuptools<80\n"


class Unreachable(Exception):
    """A client couldn't bring a package; says what it said."""


class Changed(Exception):
    """A package isn't the one that the table names."""


def fetch(source: Source) -> int:
    """Bring one source's files into its folder, unless they are there; give their number."""
    if not source.files:
        with tempfile.TemporaryDirectory() as scratch:
            package = _download(source, Path(scratch))
            if (found := hashlib.sha256(package.read_bytes()).hexdigest()) != source.sha256:
                raise Changed(f"{source} has the SHA-256 {found}, not {source.sha256}")
            picked = Path(scratch) / "picked"
            picked.mkdir()
            for name, content in _members(source, package):
                (picked / name).write_bytes(content)
            source.folder.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(picked, source.folder)
    if not source.files:
        raise Changed(f"{source} holds nothing that matches {source.member}")
    return len(source.files)


def _download(source: Source, folder: Path) -> Path:
    npm = ["npm", "pack", "--silent", "--ignore-scripts", str(source)]
    pip = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
        *("--no-deps", "--no-binary", source.name, f"{source.name}=={source.version}"),
    ]
    constraints = folder / "constraints.txt"
    constraints.write_text(_OLD_SETUPTOOLS)
    try:
        done = subprocess.run(
            npm if source.registry == "npm" else pip,
            cwd=folder,
            env={**os.environ, "PIP_CONSTRAINT": str(constraints)},
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unreachable(f"{source}: {error}") from error
    packages = [*folder.glob("*.tgz"), *folder.glob("*.tar.gz")]
    if done.returncode or len(packages) != 1:
        said = done.stderr.strip() or "the client brought no package"
        raise Unreachable(f"{source}: {said}")
    return packages[0]


def _members(source: Source, package: Path) -> Iterator[tuple[str, bytes]]:
    """Read the files that are wanted; nothing is unpacked by the names in the archive."""
    with tarfile.open(package) as archive:
        wanted = sorted(
            (member for member in archive if re.fullmatch(source.member, member.name)),
            key=lambda member: member.name,
        )
        for member in wanted[:: source.step]:
            if content := archive.extractfile(member):
                yield member.name.replace("/", "__"), content.read()


def main() -> int:
    """Fetch all sources; say what came."""
    for source in SOURCES:
        try:
            sys.stdout.write(f"{source}: {fetch(source)} files, {source.kind}\n")
        except Unreachable as error:
            sys.stderr.write(f"out of reach: {error}\n")
            return UNAVAILABLE
        except Changed as error:
            sys.stderr.write(f"{error}\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
