"""Alerts: what happened to certificates, posted to a webhook until it was taken.

In: the alerts that the vault keeps. Out: a small JSON document each, by POST.

Promise: an alert is posted until the other side answers with 2xx, across restarts, and then no
more; it may arrive twice when the machine dies in between.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Final

import httpx
import msgspec

from certs.expiry import Alert
from certs.vault.alerts import Alerts
from certs.vault.database import Vault

RETRY_AFTER: Final = (5.0, 30.0, 120.0, 600.0, 3_600.0)  # seconds; the last repeats
LOOK_EVERY: Final = 2.0
ANSWER_WITHIN: Final = 10.0

logger = logging.getLogger(__name__)


async def deliver(vault: Vault, url: str, *, retry_after: Sequence[float] = RETRY_AFTER) -> None:
    """Post alerts for ever. Raises VaultUnavailable."""
    alerts, failures = Alerts(vault), 0
    # No redirects: what is posted here is for the address that the operator set, and no other.
    async with httpx.AsyncClient(follow_redirects=False, timeout=ANSWER_WITHIN) as client:
        while True:
            refused = ""
            for alert in await alerts.undelivered():
                if refused := await _posted(client, url, alert):
                    break
                await alerts.delivered(alert, time.time())
                failures = 0
            if refused:
                wait = retry_after[min(failures, len(retry_after) - 1)]
                failures += 1
                logger.error("alert_not_delivered", extra={"why": refused, "again_in": wait})
                await asyncio.sleep(wait)
            else:
                await asyncio.sleep(LOOK_EVERY)


async def _posted(client: httpx.AsyncClient, url: str, alert: Alert) -> str:
    """Post an alert; return what went wrong, without the URL: it may hold a secret."""
    try:
        async with client.stream(
            "POST",
            url,
            content=msgspec.json.encode(alert),
            headers={"Content-Type": "application/json"},
        ) as answer:
            return "" if answer.is_success else f"alerts.webhook answered {answer.status_code}"
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return f"alerts.webhook doesn't answer: {type(error).__name__}"
