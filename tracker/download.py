"""A download: one file from a URL or a path, to disk, within a size.

Promise: what comes is bounded, whatever the other side sends, and what is at `target` after an
error is for nobody to read. Redirects are followed over HTTPS alone once it began there.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

import httpx

Progress = Callable[[int, int], None]  # bytes so far, and of all, 0 where that isn't known

TIMEOUT: Final = httpx.Timeout(30.0)
CHUNK: Final = 1 << 16
ERRNO: Final = re.compile(r"^\[Errno -?\d+\] ")  # a number that tells a person nothing


class Unfetchable(Exception):
    """It can't be had; the sentence says what and why. `missing` says that it isn't there (404)."""

    def __init__(self, sentence: str, *, missing: bool = False) -> None:
        super().__init__(sentence)
        self.missing = missing


def download(
    source: str,
    target: Path,
    limit: int,
    progress: Progress = lambda done, of: None,  # noqa: ARG005 - told to nobody
    auth: tuple[str, str] | None = None,
) -> None:
    """Fetch a file of at most `limit` bytes. Raises Unfetchable, or OSError of the target."""
    if not source.startswith(("http://", "https://")):
        _copy(Path(source.removeprefix("file://")), target, limit)
        return
    try:
        _stream(source, target, limit, progress, auth)
    except httpx.HTTPError as error:
        said = ERRNO.sub("", str(error)) or type(error).__name__
        raise Unfetchable(f"{source} can't be fetched: {said}") from error
    except httpx.InvalidURL as error:
        raise Unfetchable(f"{source} is no URL: {error}") from error


def _copy(source: Path, target: Path, limit: int) -> None:
    try:
        with source.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise Unfetchable(f"{source} can't be read: {error.strerror}") from error
    if len(content) > limit:
        raise _too_large(str(source), limit)
    target.write_bytes(content)


def _stream(
    url: str, target: Path, limit: int, progress: Progress, auth: tuple[str, str] | None
) -> None:
    # httpx drops the credentials when a redirect leads to another host, as MaxMind's does.
    client = httpx.Client(
        timeout=TIMEOUT, follow_redirects=True, max_redirects=5, event_hooks={"response": [_stays]}
    )
    with client, client.stream("GET", url, auth=auth) as answer, target.open("wb") as file:
        if not answer.is_success:
            said = f"{url} can't be fetched: it answers {answer.status_code} {answer.reason_phrase}"
            raise Unfetchable(said, missing=answer.status_code == 404)
        told = answer.headers.get("content-length", "")
        size = int(told) if told.isdecimal() else 0
        done = 0
        for chunk in answer.iter_raw(CHUNK):
            done += len(chunk)
            if done > limit:
                raise _too_large(url, limit)
            file.write(chunk)
            progress(done, size)


def _stays(answer: httpx.Response) -> None:
    following = answer.next_request
    if following and answer.url.scheme == "https" and following.url.scheme != "https":
        raise Unfetchable(f"{answer.url} leads to {following.url.host} without TLS")


def _too_large(source: str, limit: int) -> Unfetchable:
    return Unfetchable(f"{source} is larger than the {limit >> 20} MiB that are plausible")
