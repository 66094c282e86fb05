"""Alerts: what happened to certificates, posted to a webhook until it was taken.

In: the alerts that the vault keeps. Out: a small JSON document each, by POST.

Promise: an alert is posted until the other side answers with 2xx, across restarts, and then no
more, by one of the machines that share the vault; it may arrive twice when that dies in between.
One that is refused holds up no other.
"""

import asyncio
import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import httpx
import msgspec

from certs.expiry import Alert
from certs.vault.alerts import Alerts
from certs.vault.database import Vault
from certs.vault.leases import Leases

RETRY_AFTER: Final = (5.0, 30.0, 120.0, 600.0, 3_600.0)  # seconds; the last repeats
LOOK_EVERY: Final = 2.0
ANSWER_WITHIN: Final = 10.0
LEASE: Final = "alerts/webhook"  # the other leases have names of hosts

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Turn:
    """When an alert that was refused is posted again, and how often it was refused."""

    at: float = 0.0
    refusals: int = 0


async def deliver(
    vault: Vault, url: str, leases: Leases, *, retry_after: Sequence[float] = RETRY_AFTER
) -> None:
    """Post alerts for ever, while no other machine does. Raises VaultUnavailable."""
    alerts, turns = Alerts(vault), dict[Alert, Turn]()
    # No redirects: what is posted here is for the address that the operator set, and no other.
    async with httpx.AsyncClient(follow_redirects=False, timeout=ANSWER_WITHIN) as client:
        while True:
            waiting = await alerts.undelivered()
            if waiting and not await leases.take(LEASE, time.time()):
                waiting = []
            turns = {alert: turns.get(alert, Turn()) for alert in waiting}
            for alert, turn in turns.items():
                if turn.at > time.monotonic():
                    continue
                if refused := await _posted(client, url, alert):
                    wait = retry_after[min(turn.refusals, len(retry_after) - 1)]
                    turn.at, turn.refusals = time.monotonic() + wait, turn.refusals + 1
                    told = {"why": refused, "again_in": wait, "domain": alert.name}
                    logger.error("alert_not_delivered", extra=told)
                else:
                    await alerts.delivered(alert, time.time())
                    turn.at = math.inf
            soonest = min((turn.at for turn in turns.values()), default=math.inf)
            await asyncio.sleep(min(LOOK_EVERY, max(0.0, soonest - time.monotonic())))


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
