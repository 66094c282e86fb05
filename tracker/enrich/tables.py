"""The rule tables: which agents and networks there are, and what each means.

In: the tables that ship with the code, and a folder whose files replace them, so that rules can be
newer than the release. Out: frozen rows, checked. Raises `RulesError` for a file that is no table.
"""

import contextlib
import ipaddress
import re
from collections.abc import Iterator
from datetime import date
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final, Literal, TypeVar

import msgspec
from crawleruseragents import CRAWLER_USER_AGENTS_DATA

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Block = ipaddress.IPv4Network | ipaddress.IPv6Network

# Mailgun's words.
ClientType = Literal[
    "browser",
    "mobile browser",
    "email client",
    "library",
    "robot",
    "feed reader",
    "other",
    "unknown",
]
Device = Literal["desktop", "mobile", "tablet", "other", "unknown"]
# Ours; each table says what they mean.
Role = Literal["mail", "browser", "proxy", "prefetch", "probe", "embedded", "library", "robot"]
Meaning = Literal["certain", "near-delivery", "apple-egress", "renders"]


class RulesError(Exception):
    """A table of rules can't be used; the sentence names the file and what is wrong with it."""


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A frozen row; unknown columns are refused."""


class AgentRule(Row, frozen=True):
    """One agent: the pattern that finds it and what it then is."""

    match: str
    name: str
    role: Role
    type: ClientType | None = None
    os: str = ""
    device: Device = "unknown"
    bot: str = ""


class Agents(Row, frozen=True):
    """The ordered agents, and which patterns of the crawler list not to use."""

    source: str
    updated: date
    agents: tuple[AgentRule, ...]
    robots: tuple[AgentRule, ...] = ()
    crawlers_except: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for rule in (*self.agents, *self.robots):
            re.compile(rule.match)


class NetworkRule(Row, frozen=True):
    """One network: its blocks and AS numbers, and what it means to come from there."""

    name: str
    means: Meaning
    source: str
    asns: tuple[int, ...] = ()
    blocks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for block in self.blocks:
            ipaddress.ip_network(block)


class NetworkTable(Row, frozen=True):
    """All networks."""

    updated: date
    networks: tuple[NetworkRule, ...]


class Crawler(msgspec.Struct, frozen=True):
    """One pattern of the crawler-user-agents list; its further columns aren't ours."""

    pattern: str
    tags: tuple[str, ...] = ()


AGENTS: Final = "agents.toml"
NETWORKS: Final = "networks.toml"
# Stands in for the network of that meaning in the table above: it changes weekly, and by itself.
EGRESS: Final = "apple-egress.json"
CRAWLERS: Final = "crawlers.json"
FILES: Final = (AGENTS, NETWORKS, EGRESS, CRAWLERS)

_Table = TypeVar("_Table", Agents, NetworkTable)


def load_agents(folder: Path | None = None) -> Agents:
    """Return the agents, from `folder` where it has such a file. Raises RulesError."""
    return read_table(_file(AGENTS, folder), Agents)


def load_networks(folder: Path | None = None) -> NetworkTable:
    """Return the networks, from `folder` where it has such files. Raises RulesError."""
    table = read_table(_file(NETWORKS, folder), NetworkTable)
    if folder is None or not (folder / EGRESS).exists():
        return table
    egress = read_table(folder / EGRESS, NetworkTable)
    others = (network for network in table.networks if network.means != "apple-egress")
    return NetworkTable(table.updated, (*others, *egress.networks))


def load_crawlers(folder: Path | None = None) -> tuple[Crawler, ...]:
    """Return the crawler list, from `folder` where it has one. Raises RulesError."""
    if folder is None or not (folder / CRAWLERS).exists():
        return msgspec.convert(CRAWLER_USER_AGENTS_DATA, tuple[Crawler, ...])
    return read_crawlers(folder / CRAWLERS)


def versions(folder: Path | None) -> tuple[tuple[int, int, int] | None, ...]:
    """Tell one state of a folder of tables from another."""
    if folder is None:
        return ()
    return tuple(_version(folder / name) for name in FILES)


def read_table(file: Traversable, table: type[_Table]) -> _Table:
    """Read a table. Raises RulesError."""
    with _told(file):
        content = file.read_bytes()
        if file.name.endswith(".json"):
            return msgspec.json.decode(content, type=table)
        return msgspec.toml.decode(content, type=table)


def read_crawlers(file: Traversable) -> tuple[Crawler, ...]:
    """Read a list of crawlers. Raises RulesError."""
    with _told(file):
        crawlers = msgspec.json.decode(file.read_bytes(), type=tuple[Crawler, ...])
        for crawler in crawlers:
            re.compile(crawler.pattern)
        return crawlers


def _version(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _file(name: str, folder: Path | None) -> Traversable:
    if folder is not None and (folder / name).exists():
        return folder / name
    return resources.files("tracker.enrich") / "rules" / name


@contextlib.contextmanager
def _told(file: Traversable) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RulesError(f"the rules in {file} can't be read: {error.strerror}") from error
    except (msgspec.MsgspecError, ValueError, re.error) as error:
        raise RulesError(f"the rules in {file} aren't valid: {error}") from error
