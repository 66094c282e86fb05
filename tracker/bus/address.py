"""Where a stream is, who may use it, and what it should be: a sink's URL, parsed.

    nats://one:4222,two:4222/EVENTS?replicas=3&max_bytes=200GB&creds=/etc/tracker/edge.creds

In: what follows `nats:`, the parameters, the environment. Out: an Address, or ValueError whose
message goes on after the parameter's name: "should be …". Nothing is opened and no client is
loaded: settings are read by every command.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import unquote

from tracker.size import size

PORT: Final = 4222
HOST: Final = r"(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?"
# What NATS lets a stream be called; a name of ours is also the folder of its files.
STREAM: Final = r"[A-Za-z0-9_-]{1,200}"
WRITTEN: Final = re.compile(rf"://(?:[^@/\s]+@)?{HOST}(?:,(?:[^@/,\s]+@)?{HOST})*/{STREAM}")
EXAMPLE: Final = "nats://host:4222/EVENTS"
PREFIX: Final = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
MOST_REPLICAS: Final = 5  # that a stream can have

Retention = Literal["workqueue", "limits"]


@dataclass(frozen=True, slots=True)
class Access:
    """How one is let in. Files are read at each connection: a secret may be replaced any time.

    `tls` demands it, `ca` are the roots to trust instead of the system's, `cert` and `key` what we
    show.
    """

    user: str = ""
    password: str = field(default="", repr=False)
    password_file: str = ""
    token: str = field(default="", repr=False)
    token_file: str = ""
    creds: str = ""
    tls: bool = False
    ca: str = ""
    cert: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a stream should be. 0 leaves it open: three replicas in a cluster, no bound.

    `prefix` begins its subjects. `asked` names what a person chose, which an existing stream is
    compared by. Times are in seconds.
    """

    name: str
    prefix: str
    replicas: int = 0
    retention: Retention = "workqueue"
    max_bytes: int = 0
    max_age: int = 0
    duplicates: int = 120
    asked: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Address:
    """A stream on servers, each `host:port`."""

    hosts: tuple[str, ...]
    stream: Wanted
    access: Access

    @classmethod
    def of(
        cls, place: str, options: Mapping[str, str], environment: Mapping[str, str]
    ) -> "Address":
        """Read `//host:4222/EVENTS` and its checked options."""
        told = {name: CHECKS[name](value) for name, value in options.items()}
        hosts, _, stream = place.removeprefix("//").partition("/")
        shaped = {name: told[name] for name in SHAPE if name in told}
        return cls(
            hosts=tuple(_with_port(host.rpartition("@")[2]) for host in hosts.split(",")),
            stream=Wanted(
                name=stream,
                prefix=str(told.get("subject", stream.lower())),
                asked=frozenset(shaped),
                **shaped,  # type: ignore[arg-type]  # each read as its own type
            ),
            access=_access(hosts, told, environment),
        )


def duration(text: str) -> int:
    """Read `30s`, `2m`, `12h` or `7d`, in seconds. Raises ValueError."""
    found = re.fullmatch(r"(\d{1,6})([smhd])", text, re.ASCII)
    if found is None:
        raise ValueError("should be a time such as 2m, 12h or 7d")
    return int(found[1]) * UNITS[found[2]]


def spoken(seconds: int) -> str:
    """Write a time as it is read."""
    return next(
        f"{seconds // unit}{letter}"
        for letter, unit in reversed(UNITS.items())
        if seconds % unit == 0 and (seconds or unit == 1)
    )


def _prefix(text: str) -> str:
    if not PREFIX.fullmatch(text):
        raise ValueError("should be words with dots between them, such as tracking")
    return text


def _replicas(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= MOST_REPLICAS):
        raise ValueError(f"should be a number from 1 to {MOST_REPLICAS}")
    return int(text)


def _retention(text: str) -> str:
    if text not in {"workqueue", "limits"}:
        raise ValueError("should be workqueue (until stored) or limits (until too old)")
    return text


def _switch(text: str) -> bool:
    if text not in {"on", "off"}:
        raise ValueError("should be on or off")
    return text == "on"


def _duplicates(text: str) -> int:
    if not (seconds := duration(text)):
        raise ValueError("should be a time such as 2m: without one, doubles reach the store")
    return seconds


# What a stream is made with, and what it is reached with.
SHAPE: Final[Mapping[str, Callable[[str], object]]] = {
    "replicas": _replicas,
    "retention": _retention,
    "max_bytes": size,
    "max_age": duration,
    "duplicates": _duplicates,
}
CHECKS: Final[Mapping[str, Callable[[str], object]]] = {
    "subject": _prefix,
    **SHAPE,
    "user": str,
    "password_file": str,
    "token_file": str,
    "creds": str,
    "tls": _switch,
    "ca": str,
    "cert": str,
    "key": str,
}


# What NATS' own tools read.
VARIABLES: Final = {
    "user": "NATS_USER",
    "password": "NATS_PASSWORD",
    "token": "NATS_TOKEN",
    "creds": "NATS_CREDS",
}


def _with_port(host: str) -> str:
    return host if re.search(r":\d+$", host) else f"{host}:{PORT}"


def _access(hosts: str, told: Mapping[str, object], environment: Mapping[str, str]) -> Access:
    """Take what the URL says, else the environment."""
    named, at, _ = hosts.partition(",")[0].rpartition("@")
    user, colon, password = named.partition(":")
    told = {name: value for name, value in told.items() if name in Access.__slots__}
    if at and not colon:
        told["token"] = unquote(user)  # as NATS reads nats://TOKEN@host
    elif at:
        told |= {"user": unquote(user), "password": unquote(password)}
    elif not told.keys() & {"user", "token_file", "creds"}:
        told |= {
            name: environment[variable]
            for name, variable in VARIABLES.items()
            if environment.get(variable)
        }
    elif "user" in told and "password_file" not in told:
        told["password"] = environment.get("NATS_PASSWORD", "")
    told["tls"] = bool(told.get("tls", "ca" in told or "cert" in told))
    return Access(**told)  # type: ignore[arg-type]  # each read as its own type
