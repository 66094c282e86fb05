"""The API's client, for our own commands: events as they are asked for and as they come in.

In: where the API answers and a key. Out: events in Mailgun's JSON, as plain dictionaries.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

from tracker.mistake import Exit, Mistake

Event = dict[str, Any]

ASK_EVERY = 0.5  # seconds between two tries where nothing answers
WAIT = 5  # seconds that a feed may take to tell that nothing came in
FEED_PAGE = 1000  # events, the most that the feed gives at once
ANSWER_WITHIN = 10.0  # seconds


class ApiUnavailable(Mistake):
    """Nothing answers now; it may later."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, Exit.UNAVAILABLE)


class Client:
    """Asks the API. Every method raises Mistake for what the API refuses, ApiUnavailable else."""

    def __init__(self, url: str, key: str) -> None:
        if not url.startswith(("http://", "https://")):
            raise Mistake(f"{url!r} is no URL such as http://127.0.0.1:8026", Exit.USAGE)
        self._url = url
        try:
            self._http = httpx.AsyncClient(
                base_url=url,
                auth=("api", key),
                timeout=ANSWER_WITHIN,
                trust_env=False,
                # Without HTTPS, to which no redirect is followed, no CA need be read, in 50 ms.
                verify=url.startswith("https://"),
            )
        except httpx.InvalidURL as error:
            raise Mistake(f"{url!r} is no URL: {error}", Exit.USAGE) from error

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def until_ready(self) -> int:
        """Wait until the whole system does its work; return where the feed stands then."""
        while True:
            with contextlib.suppress(httpx.TransportError, ApiUnavailable):
                if (await self._http.get("/readyz")).is_success:
                    return await self.position()
            await asyncio.sleep(ASK_EVERY / 5)

    async def newest(self, domain: str, filters: Mapping[str, str], limit: int) -> list[Event]:
        """Return the newest events of a sending domain, oldest first."""
        path = f"/v3/{quote(domain, safe='')}/events"
        found: list[Event] = (await self._get(path, {**filters, "limit": str(limit)}))["items"]
        return found[::-1]

    async def latest(self, limit: int) -> list[Event]:
        """Return the last events of all domains to come in, oldest first.

        Fewer where the feed has gaps: its numbers grow, but not one by one.
        """
        events, _ = await self.after(max(0, await self.position() - FEED_PAGE), FEED_PAGE)
        return events[-limit:]

    async def position(self) -> int:
        """Return where the feed of all domains stands."""
        position: int = (await self._get("/v1/events/feed", {"after": "now"}))["next"]
        return position

    async def after(
        self, position: int, limit: int = FEED_PAGE, wait: int = 0
    ) -> tuple[list[Event], int]:
        """Return what the feed holds behind a position, and the position behind that.

        Where it holds nothing yet, the answer comes up to `wait` seconds later.
        """
        asked = {"after": str(position), "limit": str(limit), "wait": str(wait)}
        page = await self._get("/v1/events/feed", asked)
        return page["items"], page["next"]

    async def follow(self, position: int) -> AsyncIterator[Event]:
        """Yield every event behind a position as it comes in, over restarts of the API."""
        while True:
            try:
                events, position = await self.after(position, wait=WAIT)
            except ApiUnavailable:
                await asyncio.sleep(ASK_EVERY)
                continue
            for event in events:
                yield event

    async def _get(self, path: str, query: Mapping[str, str]) -> Any:
        try:
            answer = await self._http.get(path, params=query)
        except httpx.TransportError as error:
            raise ApiUnavailable(
                f"nothing answers at {self._url}: is the back office running?"
            ) from error
        if answer.is_server_error:
            raise ApiUnavailable(f"the API at {self._url} can't answer now: {answer.text[:200]}")
        if answer.status_code == 401:
            raise Mistake(f"the API at {self._url} refuses the key", Exit.NO_PERMISSION)
        try:
            content = answer.json()
        except ValueError as error:
            raise Mistake(f"what answers at {self._url} is not the API", Exit.USAGE) from error
        if not answer.is_success:
            raise Mistake(f"the API says: {content.get('message')}", Exit.USAGE)
        return content
