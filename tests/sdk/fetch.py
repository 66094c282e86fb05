"""Fetch Mailgun's JavaScript client, in the versions and with the checksums of package-lock.json.

    python -m tests.sdk.fetch

What is there already is not fetched again. The exit status is 69 where npm or its registry is out
of reach. The Python client is one of the development packages.
"""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from rewriter.exits import UNAVAILABLE

HERE: Final = Path(__file__).parent
FOLDER: Final = HERE.parents[1] / "build" / "sdk"
LOCKED: Final = ("package.json", "package-lock.json")
PATIENCE: Final = 300  # seconds


def missing() -> str:
    """Say what keeps the client from being used, "" if it is there as it is locked."""
    if not shutil.which("node"):
        return "node isn't installed"
    there = (FOLDER / "node_modules").is_dir() and all(
        (FOLDER / name).is_file() and (FOLDER / name).read_bytes() == (HERE / name).read_bytes()
        for name in LOCKED
    )
    return "" if there else "run `python -m tests.sdk.fetch`"


def main() -> int:
    """Fetch what is missing; return the exit status."""
    if not shutil.which("npm"):
        sys.stderr.write("mailgun.js: npm isn't installed\n")
        return UNAVAILABLE
    if not missing():
        return 0
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    shutil.copy(HERE / "package-lock.json", FOLDER)
    shutil.copy(HERE / "package.json", FOLDER)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        done = subprocess.run(command, cwd=FOLDER, check=False, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        sys.stderr.write(f"mailgun.js: npm took more than {PATIENCE} s\n")
        return UNAVAILABLE
    if done.returncode:
        shutil.rmtree(FOLDER, ignore_errors=True)
        return UNAVAILABLE
    return 0


if __name__ == "__main__":
    sys.exit(main())
