"""The tables in use, as they are shown to whoever runs the tracker.

In: the folder of tables newer than ours. Out: one row a table: how long and how old it is, and
where it is from.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tracker.enrich.tables import (
    AGENTS,
    CRAWLERS,
    EGRESS,
    NETWORKS,
    NetworkTable,
    load_agents,
    load_crawlers,
    load_networks,
    read_table,
)


@dataclass(frozen=True, slots=True)
class Shown:
    """One table as it is in use."""

    name: str
    rows: int
    updated: str  # a date, "" where the table tells none
    source: str  # a path, or "the release"


def shown(folder: Path) -> Iterator[Shown]:
    """Yield the tables in use. Raises RulesError."""
    agents, networks, crawlers = load_agents(folder), load_networks(folder), load_crawlers(folder)
    yield Shown(
        AGENTS, len(agents.agents) + len(agents.robots), str(agents.updated), _at(folder, AGENTS)
    )
    blocks = sum(len(one.blocks) for one in networks.networks if one.means != "apple-egress")
    yield Shown(NETWORKS, blocks, str(networks.updated), _at(folder, NETWORKS))
    egress = [one for one in networks.networks if one.means == "apple-egress"]
    updated = networks.updated
    if (folder / EGRESS).exists():
        updated = read_table(folder / EGRESS, NetworkTable).updated
    yield Shown(EGRESS, sum(len(one.blocks) for one in egress), str(updated), _at(folder, EGRESS))
    yield Shown(CRAWLERS, len(crawlers), _changed(folder / CRAWLERS), _at(folder, CRAWLERS))


def _at(folder: Path, name: str) -> str:
    return str(folder / name) if (folder / name).exists() else "the release"


def _changed(path: Path) -> str:
    try:
        return str(datetime.fromtimestamp(path.stat().st_mtime, UTC).date())
    except FileNotFoundError:
        return ""
