"""Rules newer than the release: fetched, proven to be sane, put in the place of the ones before.

In: where each table comes from. Out: files in the rules folder, which `tracker.enrich.tables`
prefers to those that ship with the code.

Promise: a file in the folder is replaced in one step, by one that was read as it will be, within
bounds, and that takes none of `PEOPLE` for a machine; or it stays as it is. The one before is kept
beside it.
"""

import contextlib
import csv
import ipaddress
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Final

import msgspec

from tracker.download import Progress, download
from tracker.enrich.client import Clients
from tracker.enrich.tables import (
    AGENTS,
    CRAWLERS,
    EGRESS,
    FILES,
    NETWORKS,
    Agents,
    Block,
    NetworkTable,
    RulesError,
    load_agents,
    load_crawlers,
    read_crawlers,
    read_table,
)

LIMIT: Final = 64 << 20  # bytes: Apple's list has 20 MB
# What is plausible: how many rows, and for networks how many bits the widest block leaves open.
AGENTS_ROWS: Final = range(20, 20_000)
CRAWLER_ROWS: Final = range(100, 50_000)
NETWORK_ROWS: Final = range(3, 10_000)
EGRESS_ROWS: Final = range(100, 2_000_000)
WIDEST: Final = {4: 7, 6: 19}  # bits of the shortest prefix

# No table may call these machines.
PEOPLE: Final = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/141.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    " Version/18.5 Safari/605.1.15",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15"
    " (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15"
    " (KHTML, like Gecko) Mobile/15E148",
    "Mozilla/5.0 (Linux; Android 15; SM-S911B) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/141.0.0.0 Mobile Safari/537.36",
    "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; Win64; x64; Trident/7.0; Microsoft"
    " Outlook 16.0.17932; ms-office; MSOffice 16)",
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Thunderbird/128.5.0",
)
MACHINES: Final = frozenset(("robot", "library", "embedded", "probe", "prefetch"))


def sources(tables: str, egress: str, crawlers: str) -> dict[str, str]:
    """Return where each table is fetched; `tables` is the folder, or its URL, of our own two."""
    base = f"{tables.rstrip('/')}/" if tables else ""
    named = {
        AGENTS: base and base + AGENTS,
        NETWORKS: base and base + NETWORKS,
        EGRESS: egress,
        CRAWLERS: crawlers,
    }
    return {name: source for name, source in named.items() if source}


def update(
    folder: Path,
    name: str,
    source: str,
    today: date,
    progress: Progress = lambda done, of: None,  # noqa: ARG005 - told to nobody
) -> bool:
    """Fetch one table; tell whether it is another one. Raises Unfetchable, RulesError, OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetched-") as fetched:
        beside = Path(fetched)
        fresh = beside / name
        download(source, fresh, LIMIT, progress)
        if name == EGRESS:
            fresh.write_bytes(_egress_table(fresh, source, today))
        for other in FILES:
            if other != name and (folder / other).exists():
                shutil.copyfile(folder / other, beside / other)
        CHECKS[name](fresh)
        _judge_people(beside)
        return _swap(fresh, folder / name)


def _check_agents(path: Path) -> None:
    table = read_table(path, Agents)
    _within(path, "agents", len(table.agents), AGENTS_ROWS)


def _check_crawlers(path: Path) -> None:
    _within(path, "crawlers", len(read_crawlers(path)), CRAWLER_ROWS)


def _check_networks(path: Path) -> None:
    table = read_table(path, NetworkTable)
    _within(path, "networks", len(table.networks), NETWORK_ROWS)
    for network in table.networks:
        for block in map(ipaddress.ip_network, network.blocks):
            _check_width(block)
            _check_public(block)


def _check_egress(path: Path) -> None:
    read_table(path, NetworkTable)  # its rows were checked one by one


CHECKS: Final[Mapping[str, Callable[[Path], None]]] = {
    AGENTS: _check_agents,
    NETWORKS: _check_networks,
    EGRESS: _check_egress,
    CRAWLERS: _check_crawlers,
}


def _check_width(block: Block) -> None:
    if block.prefixlen <= WIDEST[block.version]:
        raise RulesError(f"{block} can't be a provider's network: it is too wide")


def _check_public(block: Block) -> None:
    if not block.is_global:
        raise RulesError(f"{block} can't be a provider's network: it is not public")


def _within(path: Path, what: str, rows: int, plausible: range) -> None:
    if rows not in plausible:
        raise RulesError(
            f"{path.name} has {rows} {what}, and {plausible.start} to {plausible.stop - 1} are"
            " plausible"
        )


def _judge_people(folder: Path) -> None:
    """Refuse tables that, together, take a person for a machine."""
    clients = Clients(load_agents(folder), load_crawlers(folder))
    for agent in PEOPLE:
        if (role := clients.of(agent).role) in MACHINES:
            raise RulesError(f"the table would call this person's agent a {role}: {agent}")


def _egress_table(path: Path, source: str, today: date) -> bytes:
    """Turn Apple's list, a line for each block and city, into a table of a few thousand blocks."""
    spans: dict[int, list[tuple[int, int]]] = {4: [], 6: []}
    rows = 0
    for block in _egress_blocks(path):
        _check_width(block)
        spans[block.version].append((int(block[0]), int(block[-1])))
        rows += 1
    _within(path, "blocks", rows, EGRESS_ROWS)
    blocks = [
        *_joined(spans[4], ipaddress.IPv4Address),
        *_joined(spans[6], ipaddress.IPv6Address),
    ]
    for block in blocks:  # not each row: it takes as long as all else
        _check_public(block)
    network = {
        "name": "apple-egress",
        "means": "apple-egress",
        "source": f"Apple: {source}, its {rows} blocks joined",
        "blocks": [str(block) for block in blocks],
    }
    return msgspec.json.encode({"updated": today, "networks": [network]})


def _egress_blocks(path: Path) -> Iterator[Block]:
    with path.open(encoding="utf-8", newline="") as file, _told(path):
        for number, row in enumerate(csv.reader(file), 1):
            if not row:
                continue
            try:
                yield ipaddress.ip_network(row[0].strip())
            except ValueError as error:
                raise RulesError(
                    f"line {number} of the list should begin with a block: {error}"
                ) from error


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except (UnicodeDecodeError, csv.Error) as error:
        raise RulesError(f"{path.name} is no CSV: {error}") from error


def _joined(
    spans: Sequence[tuple[int, int]],
    address: type[ipaddress.IPv4Address] | type[ipaddress.IPv6Address],
) -> list[Block]:
    """Join neighbours; numbers, since a network object for each row takes too much memory."""
    joined: list[list[int]] = []
    for first, last in sorted(spans):
        if joined and first <= joined[-1][1] + 1:
            joined[-1][1] = max(joined[-1][1], last)
        else:
            joined.append([first, last])
    return [
        block
        for first, last in joined
        for block in ipaddress.summarize_address_range(address(first), address(last))
    ]


def _swap(fresh: Path, target: Path) -> bool:
    content = fresh.read_bytes()
    if target.exists():
        if target.read_bytes() == content:
            return False
        shutil.copyfile(target, target.with_name(f"{target.name}.old"))
    with fresh.open("rb") as file:
        os.fsync(file.fileno())
    fresh.chmod(0o600)
    fresh.replace(target)
    return True
