"""A crowd: recipients who open, click and unsubscribe, eight at a time, each of them once.

A visit whose connection breaks is not repeated: it wasn't answered, so nothing was promised.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from rewriter.keyring import Keyring
from rewriter.tokens import Context, Link, Tokens

DOMAIN = "click.example.com"
AT_ONCE = 8
METHODS = {"o": "GET", "c": "GET", "u": "POST"}
DONE = {"o": 200, "c": 302, "u": 200}


@dataclass(frozen=True, slots=True, order=True)
class Visit:
    """One recipient's one request; `kind` as it stands in the path."""

    number: int
    kind: str

    @property
    def recipient(self) -> str:
        """Name whom the event will be of."""
        return f"r{self.number}@example.net"


def visits(count: int, kinds: str = "ocu", first: int = 0) -> list[Visit]:
    """Return visits of the kinds in turn."""
    return [Visit(number, kinds[number % len(kinds)]) for number in range(first, first + count)]


@dataclass
class Crowd:
    """Everyone, and how they fared: the status of each visit that was answered.

    Where they `stay`, one in four leaves the connection open for whoever comes next.
    """

    edge: str
    tokens: Tokens
    stay: bool = True
    answers: dict[Visit, int] = field(default_factory=dict)
    cut_off: set[Visit] = field(default_factory=set)

    @classmethod
    def at(cls, edge: str, keyring: Path, *, stay: bool = True) -> "Crowd":
        """Prepare a crowd with links that the keyring signs."""
        return cls(edge, Tokens(Keyring.load(keyring).for_domain(DOMAIN)), stay)

    def come(
        self,
        expected: Iterable[Visit],
        meanwhile: Mapping[Visit, Callable[[], object]] | None = None,
    ) -> None:
        """Return once all have been; `meanwhile` says what happens just before a visit.

        Eight threads ask for the next one, which a list's iterator bears and a generator doesn't.
        """
        queue = iter(expected)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for visitor in [
                pool.submit(self._some, queue, meanwhile or {}) for _ in range(AT_ONCE)
            ]:
                visitor.result()

    def done(self) -> set[Visit]:
        """Return the visits whose answer says that all went well."""
        return {visit for visit, status in self.answers.items() if status == DONE[visit.kind]}

    def _some(
        self, queue: Iterator[Visit], meanwhile: Mapping[Visit, Callable[[], object]]
    ) -> None:
        host, _, port = self.edge.rpartition(":")
        with closing(HTTPConnection(host, int(port), timeout=60)) as connection:
            for visit in queue:
                if happens := meanwhile.get(visit):
                    happens()
                try:
                    self.answers[visit] = self._status(connection, visit)
                except (OSError, HTTPException):
                    self.cut_off.add(visit)
                    connection.close()

    def _status(self, connection: HTTPConnection, visit: Visit) -> int:
        close = {} if self.stay and visit.number % 4 == 0 else {"Connection": "close"}
        body = b"List-Unsubscribe=One-Click" if visit.kind == "u" else None
        connection.request(METHODS[visit.kind], self._path(visit), body, {"Host": DOMAIN, **close})
        response = connection.getresponse()
        response.read()
        return response.status

    def _path(self, visit: Visit) -> str:
        link = Link("https://shop.example.com/offer" if visit.kind == "c" else "")
        context = Context(
            f"{visit.number}@shop.example.com", visit.recipient, "shop.example.com", 1
        )
        token = self.tokens.mint(
            visit.kind.encode(), self.tokens.seal_link(link), self.tokens.seal_context(context)
        )
        return f"/{visit.kind}/{token.decode()}"
