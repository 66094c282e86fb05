"""HTTP with one CA: whole answers or a Problem, bounded in time, size and where it goes.

Whatever a CA answers, we ask only the host and port that its directory is at, over https, follow no
redirect, read at most MAX_BYTES, and wait no longer than we said.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import httpx

from certs.acme.problem import BAD_ANSWER, TIMED_OUT, UNREACHABLE, Problem, shown
from certs.acme.wire import Answer, http_date

MAX_BYTES: Final = 256 * 1024
_CONNECT: Final = 10.0  # seconds


class Exchange:
    """Requests to the CA that `home` belongs to."""

    def __init__(
        self, http: httpx.AsyncClient, home: httpx.URL, patience: float, clock: Callable[[], float]
    ) -> None:
        self._http = http
        self._home = home
        self._patience = patience
        self.clock = clock
        self.skew = 0.0

    async def get(self, url: str) -> Answer:
        """Send a GET; any status is an answer."""
        return await self.send("GET", url)

    async def send(
        self, method: str, url: str, content: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send a request; any status is an answer. Raises Problem."""
        target = self.followed(url)
        try:
            async with asyncio.timeout(self._patience):
                answer = await self._sent(method, target, content, headers or {})
        except TimeoutError as error:
            late = f"no whole answer from {target.host} within {self._patience:g} s"
            raise Problem(TIMED_OUT, late, url=url) from error
        except (httpx.HTTPError, OSError) as error:
            why = shown(str(error)) or type(error).__name__
            raise Problem(UNREACHABLE, f"{target.host}: {why}", url=url) from error
        if answer.date is not None:
            self.skew = self.clock() - answer.date
        return answer

    def followed(self, url: str) -> httpx.URL:
        """Return a URL that the CA gave, if it leads to the CA itself. Raises Problem."""
        target = _parsed(url)
        if target is None or _origin(target) != _origin(self._home):
            where = f"it leads to {shown(url, 100)!r}, which isn't at {self._home}"
            raise Problem(BAD_ANSWER, where, url=shown(url))
        return target

    def located(self, answer: Answer) -> str:
        """Return where the thing is that the CA made (RFC 8555 §7.3, §7.4). Raises Problem."""
        location: str = answer.headers.get("location", "")
        if not location:
            raise Problem(BAD_ANSWER, "it doesn't say where what it made is", url=answer.url)
        self.followed(location)
        return location

    async def _sent(
        self, method: str, target: httpx.URL, content: bytes, headers: Mapping[str, str]
    ) -> Answer:
        request = self._http.stream(method, target, content=content, headers=headers)
        async with request as response:
            body = b""
            # Raw: what we didn't ask to be compressed isn't unpacked either.
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > MAX_BYTES:
                    much = f"it is longer than {MAX_BYTES} bytes"
                    raise Problem(BAD_ANSWER, much, status=response.status_code, url=str(target))
            date = http_date(response.headers.get("date", ""))
            return Answer(str(target), response.status_code, response.headers, body, date)


@asynccontextmanager
async def exchanging(
    home: str,
    *,
    ca_file: Path | None,
    user_agent: str,
    patience: float,
    clock: Callable[[], float],
) -> AsyncIterator[Exchange]:
    """Open connections, and close them at the end. Raises ValueError for what can't be used."""
    parsed = _parsed(home)
    if parsed is None or parsed.scheme != "https":
        raise ValueError(f"an ACME directory is at an https:// URL, not at {home!r}")
    headers = {"User-Agent": user_agent, "Accept-Encoding": "identity"}
    async with httpx.AsyncClient(
        verify=_trust(ca_file),
        headers=headers,
        timeout=httpx.Timeout(None, connect=_CONNECT),
        follow_redirects=False,
    ) as http:
        yield Exchange(http, parsed, patience, clock)


def _trust(ca_file: Path | None) -> ssl.SSLContext:
    if ca_file is None:
        return httpx.create_ssl_context()
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ValueError(f"no roots to trust can be read from {ca_file}: {error}") from error


def _parsed(url: str) -> httpx.URL | None:
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        return None
    return parsed if parsed.host and not parsed.userinfo else None


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port
