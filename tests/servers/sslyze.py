"""sslyze, which scans a TLS port as it would any on the Internet.

It wants other versions of packages than ours, so it has an environment of its own in `build/`,
which `fetch.py` brings: pip checks the hashes of `sslyze.txt`.
"""

import subprocess
import sys
from pathlib import Path
from typing import Final

NEEDS: Final = Path(__file__).with_name("sslyze.txt")
ENVIRONMENT: Final = Path(__file__).parents[2] / "build" / "sslyze"
PROGRAM: Final = ENVIRONMENT / "bin" / "sslyze"
_COMPLETE: Final = ENVIRONMENT / "complete"
_PATIENCE: Final = 240  # seconds a step; it is some 30 MB


class Missing(Exception):
    """It isn't here; says why."""


def install() -> Path:
    """Return the command, once it is there as `sslyze.txt` has it. Raises Missing."""
    if _COMPLETE.exists() and _COMPLETE.read_bytes() == NEEDS.read_bytes():
        return PROGRAM
    pip = [str(ENVIRONMENT / "bin" / "pip"), "install", "--disable-pip-version-check"]
    try:
        for step in (
            [sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT)],
            [*pip, "--require-hashes", "-r", str(NEEDS)],
        ):
            subprocess.run(step, check=True, capture_output=True, text=True, timeout=_PATIENCE)
    except (OSError, subprocess.SubprocessError) as error:
        said = str(getattr(error, "stderr", "") or error).strip().splitlines()[-1:]
        raise Missing(f"sslyze can't be installed here: {said}") from error
    _COMPLETE.write_bytes(NEEDS.read_bytes())
    return PROGRAM
