"""Each day: the City database that the operator chose is fetched."""

import asyncio
import logging
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tracker.download import Unfetchable
from tracker.enrich import PlaceError
from tracker.geo.sources import Provider, origins
from tracker.geo.update import update
from tracker.mistake import Mistake

EVERY: Final = 24 * 3600.0  # seconds; a database that was fetched less long ago is left
# Seconds until it is tried again, by failures in a row; the last repeats.
AGAIN_AFTER: Final = (600.0, 3600.0, 6 * 3600.0)

logger = logging.getLogger(__name__)


async def keep_current(target: Path, chosen: Provider, mirror: str) -> None:
    """Fetch a provider's database when it is due, for ever; `mirror` stands in for its host."""
    await asyncio.sleep(_due_in(target))
    failures = 0
    while True:
        failures = 0 if await _attempt(chosen, mirror, target) else failures + 1
        await asyncio.sleep(AGAIN_AFTER[min(failures, len(AGAIN_AFTER)) - 1] if failures else EVERY)


async def _attempt(chosen: Provider, mirror: str, target: Path) -> bool:
    try:
        wanted = origins(chosen, datetime.now(UTC).date(), os.environ, mirror)
        found = await asyncio.to_thread(update, target, wanted)
    except (Unfetchable, PlaceError, Mistake, OSError) as error:
        logger.error("places_not_updated", extra={"reason": str(error)})
        return False
    target.with_suffix(".asked").touch(0o600)
    if found.new:
        logger.info("places_updated", extra={"kind": found.kind, "built": str(found.built.date())})
    return True


def _due_in(target: Path) -> float:
    """Return how many seconds are left of the day since it was last fetched, or asked for."""
    try:
        asked = target.with_suffix(".asked").stat().st_mtime
    except OSError:
        return 0.0
    age = datetime.now(UTC).timestamp() - asked
    return EVERY - age if 0 <= age < EVERY else 0.0
