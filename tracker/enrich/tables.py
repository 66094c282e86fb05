"""The rule tables: which agents and networks there are, and what each means.

In: the tables that ship with the code, and a folder whose files replace them, so that rules can be
newer than the release. Out: frozen rows, checked. Raises `RulesError` for a file that is no table.
"""

import ipaddress
import re
from datetime import date
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

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

    def __post_init__(self) -> None:
        re.compile(self.match)


class Agents(Row, frozen=True):
    """The ordered agents, and which patterns of the crawler list not to use."""

    source: str
    updated: date
    agents: tuple[AgentRule, ...]
    robots: tuple[AgentRule, ...] = ()
    crawlers_except: tuple[str, ...] = ()


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


_Table = TypeVar("_Table", Agents, NetworkTable)


def load_agents(folder: Path | None = None) -> Agents:
    """Return the agents, from `folder` where it has such a file. Raises RulesError."""
    return _load("agents.toml", Agents, folder)


def load_networks(folder: Path | None = None) -> NetworkTable:
    """Return the networks, from `folder` where it has such a file. Raises RulesError."""
    return _load("networks.toml", NetworkTable, folder)


def _load(name: str, table: type[_Table], folder: Path | None) -> _Table:
    file: Traversable = resources.files("tracker.enrich") / "rules" / name
    if folder is not None and (folder / name).exists():
        file = folder / name
    try:
        return msgspec.toml.decode(file.read_bytes(), type=table)
    except OSError as error:
        raise RulesError(f"the rules in {file} can't be read: {error.strerror}") from error
    except (msgspec.DecodeError, ValueError, re.error) as error:
        raise RulesError(f"the rules in {file} aren't valid: {error}") from error
