"""pytracking2 as its documentation puts it to use: a WSGI application, one SQLite commit a hit.

Runs in an environment of its own, where this project isn't installed.

    gunicorn bench.edge.rival:application     serves; HITS names the database
    python -m bench.edge.rival COUNT          prints paths to ask for, half of them clicks
"""

import json
import os
import sqlite3
import sys
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import pytracking

CONFIGURATION = pytracking.Configuration(
    base_open_tracking_url="https://click.example.com/open/",
    base_click_tracking_url="https://click.example.com/click/",
)


@cache
def database() -> sqlite3.Connection:
    """Open the database of this worker; a commit returns once it is on disk, as ours does."""
    connection = sqlite3.connect(os.environ["HITS"])
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE IF NOT EXISTS hit (at, kind, url, metadata, request)")
    return connection


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Record an open or a click, then answer it."""
    _, kind, encoded = environ["PATH_INFO"].split("/", 2)
    request = {"user_agent": environ.get("HTTP_USER_AGENT"), "user_ip": environ["REMOTE_ADDR"]}
    read = pytracking.get_open_tracking_result
    if kind == "click":
        read = pytracking.get_click_tracking_result
    hit = read(encoded, request_data=request, configuration=CONFIGURATION)
    with database() as connection:
        connection.execute(
            "INSERT INTO hit VALUES (?, ?, ?, ?, ?)",
            (hit.timestamp, kind, hit.tracked_url, json.dumps(hit.metadata), json.dumps(request)),
        )
    if kind == "click":
        start_response("302 Found", [("Location", hit.tracked_url), ("Content-Length", "0")])
        return []
    picture, media_type = pytracking.get_open_tracking_pixel()
    start_response("200 OK", [("Content-Type", media_type), ("Content-Length", str(len(picture)))])
    return [picture]


def paths(count: int) -> Iterable[str]:
    """Return paths that carry what ours carry: a message, a recipient, a destination."""
    for number in range(count // 2):
        about = {"message_id": f"{number:032x}@example.com", "recipient": f"{number}@example.net"}
        destination = f"https://shop.example.com/products/spring?item={number % 40}"
        for url in (
            pytracking.get_open_tracking_url(about, configuration=CONFIGURATION),
            pytracking.get_click_tracking_url(destination, about, configuration=CONFIGURATION),
        ):
            yield url.removeprefix("https://click.example.com")


if __name__ == "__main__":
    print("\n".join(paths(int(sys.argv[1]))))
