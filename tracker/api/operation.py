"""An operation: one method of one path, who may use it, what it takes, and what it is called.

In: the operations of the API's parts. Out: routes for Starlette; `tracker.api.openapi` writes the
same operations down as a document, so that neither can say what the other doesn't.

Promise: no endpoint runs before the request's key was found to open it, and none reads a body that
is larger than it needs.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.datastructures import Headers, QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, request_response
from starlette.types import Message, Receive, Scope, Send

from rewriter.keyring import BadDomain, canonical_domain
from tracker.api.answer import Refused
from tracker.api.grant import Grant, Need

MOST_BODY_BYTES: Final = 1 << 20
OURS: Final = "/v1/"  # all other paths are Mailgun's
DOMAIN: Final = "domain"  # the path parameter that names a sending domain

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter; `schema` is its JSON schema. A path's parameters need no mention."""

    name: str
    description: str
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})
    required: bool = False
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path.

    `answers` gives for a status what a good answer holds: a type that msgspec writes as JSON, or a
    media type. `body` gives the same for each media type that is taken. `most` is in bytes.
    One that is given twice is refused unless it may be `repeated`: the other would be passed over.
    Other parameters are refused, too: one that is misspelt would silently be answered as if it
    weren't there. Only Mailgun's own paths let these be, as Mailgun does, unless they say
    otherwise; and an operation with `more` parameters than these looks at them itself.
    `domainless` operations see to it themselves that a key for some domains shows only theirs.
    """

    method: str
    path: str
    endpoint: Endpoint
    need: Need
    summary: str
    parameters: tuple[Parameter, ...] = ()
    body: Mapping[str, Any] = field(default_factory=dict)
    answers: Mapping[int, Any] = field(default_factory=lambda: {200: dict})
    most: int = MOST_BODY_BYTES
    domainless: bool = False
    more: bool = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or raise Refused.

        That is 403 for a key that isn't for it, 404 where the path's domain can't be one, 413 for
        its size, and 400 for its query.
        """
        grant: Grant = scope["state"]["grant"]
        domain = scope["path_params"].get(DOMAIN)
        grant.check(self.need, next(iter(grant.domains), None) if self.domainless else domain)
        # Nothing has it in its name, and PostgreSQL's texts can't hold it.
        if "\0" in scope["path"] or b"%00" in scope["query_string"]:
            raise Refused("the URL holds a NUL character (%00), which nothing here has in it")
        if domain is not None and not _is_name(domain):
            raise Refused(f"Domain not found: {domain}", 404)  # in Mailgun's words
        if not self.more:
            self._refuse_unfit(QueryParams(scope["query_string"]))
        length = Headers(scope=scope).get("content-length", "0")
        if not length.isdecimal() or int(length[:16]) > self.most:
            raise Refused(too_large(self.most), 413)
        await request_response(self.endpoint)(scope, counted(receive, self.most), send)

    def _refuse_unfit(self, given: QueryParams) -> None:
        known = {one.name: one for one in self.parameters}
        for name in given:
            if name not in known:
                self._refuse_unknown(name)
            elif not known[name].repeated and len(given.getlist(name)) > 1:
                raise Refused(f"`{name}` is given more than once, and taken once")

    def _refuse_unknown(self, name: str) -> None:
        if self.path.startswith(OURS):
            there = ", ".join(one.name for one in self.parameters)
            says = f"there are {there}" if there else "this takes none"
            raise Refused(f"there is no parameter `{name}`; {says}")


class Resource:
    """Everything that can be done with one path."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        self._by_method = {one.method: one for one in operations}
        if "GET" in self._by_method:
            self._by_method["HEAD"] = self._by_method["GET"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the method's operation answer."""
        await self._by_method[scope["method"]](scope, receive, send)


def routes(operations: Sequence[Operation]) -> list[BaseRoute]:
    """Return one route for each path, in the order in which the paths first come up."""
    by_path: dict[str, list[Operation]] = {}
    for one in operations:
        by_path.setdefault(one.path, []).append(one)
    return [
        Route(path, Resource(those), methods=[one.method for one in those])
        for path, those in by_path.items()
    ]


def _is_name(domain: str) -> bool:
    """Tell whether mail could be from such a domain, of which events would then be here."""
    try:
        canonical_domain(domain)
    except BadDomain:
        return False
    return True


def too_large(most: int) -> str:
    """Say how much a body may hold."""
    return f"a request's body takes {most} bytes"


def counted(receive: Receive, most: int) -> Receive:
    """Receive a body up to its bound, whatever length it claims. Raises Refused."""
    taken = 0

    async def bounded() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > most:
            raise Refused(too_large(most), 413)
        return message

    return bounded
