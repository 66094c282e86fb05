"""Where City databases come from: DB-IP's without a key, MaxMind's with one.

In: what the operator chose, the environment, the date. Out: what to fetch, the best first. Raises
Mistake where a key is missing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final, Literal

from tracker.mistake import Exit, Mistake

Provider = Literal["dbip", "geolite2"]

# db-ip.com/db/download/ip-to-city-lite: monthly, CC BY 4.0, a link back required.
DBIP: Final = "https://download.db-ip.com/free"
# dev.maxmind.com/geoip/updating-databases: Basic authentication, a redirect to the file.
GEOLITE2: Final = (
    "https://download.maxmind.com/geoip/databases/GeoLite2-City/download?suffix=tar.gz"
)
ACCOUNT: Final = "GEOIPUPDATE_ACCOUNT_ID"  # geoipupdate's own variables
LICENSE: Final = "GEOIPUPDATE_LICENSE_KEY"


@dataclass(frozen=True, slots=True)
class Origin:
    """One address to try, and the credentials it takes."""

    url: str
    packed: Literal["gz", "tar.gz"]
    auth: tuple[str, str] | None = None


def provider(chosen: Provider | None, environment: Mapping[str, str]) -> Provider:
    """Return the provider that was chosen, else MaxMind where there is a key for it."""
    if chosen is not None:
        return chosen
    given = any(f"{ACCOUNT}{suffix}" in environment for suffix in ("", "_FILE"))
    return "geolite2" if given else "dbip"


def origins(
    chosen: Provider, today: date, environment: Mapping[str, str], mirror: str = ""
) -> list[Origin]:
    """Return where to fetch a database, the newest first; `mirror` stands in for the host."""
    if chosen == "geolite2":
        auth = _secret(environment, ACCOUNT), _secret(environment, LICENSE)
        return [Origin(mirror or GEOLITE2, "tar.gz", auth)]
    # A month's file may come some days into it.
    months = today, today.replace(day=1) - timedelta(days=1)
    base = (mirror or DBIP).rstrip("/")
    return [Origin(f"{base}/dbip-city-lite-{month:%Y-%m}.mmdb.gz", "gz") for month in months]


def _secret(environment: Mapping[str, str], name: str) -> str:
    if value := environment.get(name, "").strip():
        return value
    if path := environment.get(f"{name}_FILE"):
        try:
            return Path(path).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise Mistake(f"{name}_FILE: {path} can't be read: {error}", Exit.NO_INPUT) from error
    raise Mistake(
        f"GeoLite2 takes an account at MaxMind: set {name} or {name}_FILE, or choose dbip, which"
        " takes none",
        Exit.CONFIG,
    )
