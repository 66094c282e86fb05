"""A sink's URL: what a person writes in the settings, as one frozen value.

    store
    file:/var/log/events.jsonl?rotate=100MB&events=opened,clicked
    nats://one:4222,two:4222/EVENTS?domains=news.example&name=bus

In: text. Out: a SinkUrl, or BadSink with a sentence that says what would be right. Nothing is
opened, and no module of a sink is loaded: settings are read by every command.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, get_args
from urllib.parse import unquote

from rewriter.keyring import BadDomain, canonical_domain
from tracker.event import Event, Kind
from tracker.sinks.known import KNOWN

KINDS: Final = get_args(Kind)
OF_EVERY_SINK: Final = ("name", "events", "domains")
# A name stands in tables, labels of metrics, log lines and on the command line.
NAME: Final = re.compile(r"[^\s\x00-\x1f\x7f]{1,200}")


class BadSink(ValueError):
    """The text is no sink; the message says what would be right."""


@dataclass(frozen=True, slots=True)
class SinkUrl:
    """One sink of the settings.

    `address` is what follows the scheme's colon, without parameters: `scheme:address` is a URL that
    may hold a password, as `text` does. `name` never does. No `kinds` or no `domains` means all.
    `options` are the parameters that the scheme knows, checked.
    """

    text: str
    name: str
    scheme: str
    address: str
    kinds: frozenset[str]
    domains: frozenset[str]
    options: Mapping[str, str]

    @classmethod
    def parse(cls, text: str) -> "SinkUrl":
        """Read a sink's URL. Raises BadSink."""
        text = text.strip()
        place, _, query = text.partition("?")
        scheme, colon, address = place.partition(":")
        scheme = scheme.lower()
        if scheme not in KNOWN:
            raise BadSink(f"there is no sink '{_without_secrets(place)}': it may be {_possible()}")
        _check_address(scheme, colon, address)
        parameters = _parameters(scheme, query)
        return cls(
            text=text,
            name=_name(parameters.pop("name", "") or _without_secrets(scheme + colon + address)),
            scheme=scheme,
            address=address,
            kinds=_kinds(parameters.pop("events", None)),
            domains=_domains(parameters.pop("domains", None)),
            options=_checked(scheme, parameters),
        )

    @property
    def place(self) -> str:
        """Where the sink is, without parameters and passwords."""
        return _without_secrets(f"{self.scheme}:{self.address}" if self.address else self.scheme)

    @property
    def shown(self) -> str:
        """The whole as people may see it, without passwords."""
        _, mark, parameters = self.text.partition("?")
        return f"{self.place}{mark}{parameters}"

    @property
    def wants_all(self) -> bool:
        """Whether every event goes to this sink."""
        return not self.kinds and not self.domains

    def wants(self, event: Event) -> bool:
        """Tell whether an event is one that goes to this sink."""
        return (not self.kinds or event.event in self.kinds) and (
            not self.domains or event.domain.name.lower() in self.domains
        )

    def __str__(self) -> str:
        return self.text


def listed(text: str) -> list[str]:
    """Split `store, file:a.jsonl?events=opened,clicked` at the commas between sinks."""
    return [one.strip() for one in re.split(rf",\s*(?=(?:{'|'.join(KNOWN)})(?:[:?,]|\s*$))", text)]


def distinct(urls: Sequence[SinkUrl]) -> tuple[SinkUrl, ...]:
    """Return sinks that can be told apart, one at least. Raises BadSink."""
    if not urls:
        raise BadSink("should name at least one sink, such as store")
    names = [url.name for url in urls]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise BadSink(
            f"two sinks are called {twice}: give one of them another name, with name=… behind"
            " a ? or &"
        )
    return tuple(urls)


def _possible() -> str:
    """Name what a sink may be, by an example each."""
    *most, last = dict.fromkeys(known.example for known in KNOWN.values())
    return f"{', '.join(most)} or {last}" if most else last


def _check_address(scheme: str, colon: str, address: str) -> None:
    example = KNOWN[scheme].example
    if not KNOWN[scheme].address.fullmatch(colon + address):
        raise BadSink(f"the sink '{scheme}' is written {example}")


def _parameters(scheme: str, query: str) -> dict[str, str]:
    known = (*OF_EVERY_SINK, *KNOWN[scheme].checks)
    parameters: dict[str, str] = {}
    for one in filter(None, query.split("&")):
        name, _, value = one.partition("=")
        if name not in known:
            raise BadSink(
                f"the sink '{scheme}' has no parameter '{name}': it takes {', '.join(known)}"
            )
        if name in parameters:
            raise BadSink(f"the parameter '{name}' stands there twice")
        if not value:
            raise BadSink(f"the parameter '{name}' has no value: leave it out, or write {name}=…")
        parameters[name] = unquote(value)
    return parameters


def _name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise BadSink(f"'{name}' can't be a sink's name: one word of at most 200 characters can")
    return name


def _kinds(text: str | None) -> frozenset[str]:
    kinds = _listed(text)
    if unknown := sorted(kinds.difference(KINDS)):
        raise BadSink(f"there is no event '{unknown[0]}': events may be {', '.join(KINDS)}")
    return kinds


def _domains(text: str | None) -> frozenset[str]:
    try:
        return frozenset(map(canonical_domain, _listed(text)))
    except BadDomain as error:
        raise BadSink(f"domains: {error}") from error


def _listed(text: str | None) -> frozenset[str]:
    return frozenset(one.strip() for one in text.split(",")) if text else frozenset()


def _checked(scheme: str, parameters: dict[str, str]) -> dict[str, str]:
    checks = KNOWN[scheme].checks
    for name, value in parameters.items():
        try:
            checks[name](value)
        except ValueError as error:
            raise BadSink(f"{name}={value} of the sink '{scheme}' {error}") from error
        needed = KNOWN[scheme].needs.get(name, name)
        if needed not in parameters:
            raise BadSink(f"the parameter '{name}' of the sink '{scheme}' needs '{needed}' too")
    return parameters


def _without_secrets(place: str) -> str:
    """Leave user names and passwords out of a URL."""
    scheme, slashes, rest = place.partition("://")
    hosts, slash, path = rest.partition("/")
    hosts = ",".join(host.rpartition("@")[2] for host in hosts.split(","))
    return f"{scheme}{slashes}{hosts}{slash}{path}" if slashes else place
