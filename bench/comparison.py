"""The command line of a comparison of servers: what it is told, and what has to be there."""

import argparse
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from bench.page import put


def told(
    parser: argparse.ArgumentParser, bench: str, tools: Sequence[str]
) -> tuple[argparse.Namespace, int, int]:
    """Read the command line; return it with a core for the server and one for the load.

    End now, rather than in ten minutes, where something that it takes isn't there.
    """
    parser.add_argument("--into", type=Path, metavar="FILE", help="put the tables there, too")
    options = parser.parse_args()
    if options.into is not None:
        try:
            put("", bench, options.into.read_text("utf-8"))
        except (OSError, ValueError) as error:
            parser.error(f"--into: {error}")
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        parser.error("the server and the load each need a core of their own")
    if missing := [tool for tool in tools if shutil.which(tool) is None]:
        parser.error(f"not on the PATH: {', '.join(missing)}")
    return options, cores[0], cores[1]
