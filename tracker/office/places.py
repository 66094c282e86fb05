"""Places kept current: while the office works, the City database that the operator chose is."""

from pathlib import Path

from tracker import geo
from tracker.office import OfficeSettings


async def keep_current(settings: OfficeSettings) -> None:
    """Fetch the database when it is due, for ever; do nothing where none is to be fetched."""
    if settings.geo_update == "off":
        return
    from tracker.geo import daily  # noqa: PLC0415 - it brings an HTTP client, which takes 0.1 s

    target = geo.fetched(Path(settings.data))
    await daily.keep_current(target, settings.geo_update, settings.geo_mirror)
