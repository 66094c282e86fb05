"""Try the API with whatever its description allows and forbids: `python -m tests.openapi`.

Schemathesis makes the requests; it exits with 1 and shows the request where an answer isn't what
the description says.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.openapi.live import live
from tests.servers import postgresql

# What isn't held against the API: a filter or a date that a string schema allows is refused with
# 400, since no JSON schema says what a filter is.
NOT_CHECKED = "positive_data_acceptance,negative_data_rejection"


async def run(seconds: int, seed: int | None, where: str) -> int:
    """Run Schemathesis for so long; return its exit status."""
    with tempfile.TemporaryDirectory() as folder:
        async with live(Path(folder), where=where) as api:
            command = [
                *(str(Path(sys.executable).with_name("schemathesis")), "run"),
                f"{api.url}/openapi.json",
                *("--auth", f"api:{api.key}", "--max-time", str(seconds)),
                *("--exclude-checks", NOT_CHECKED, "--warnings", "off", "--continue-on-failure"),
                *(() if seed is None else ("--seed", str(seed))),
            ]
            process = await asyncio.create_subprocess_exec(*command, cwd=folder)
            return await process.wait()


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.openapi")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--postgresql", action="store_true", help="try it on PostgreSQL")
    given = parser.parse_args()
    if not given.postgresql:
        return asyncio.run(run(given.seconds, given.seed, ""))
    with postgresql.running() as server:
        return asyncio.run(run(given.seconds, given.seed, server.fresh()))


if __name__ == "__main__":
    sys.exit(main())
