"""One recipient's data: `GET` and `DELETE /v1/recipients/{address}`.

For what a person may ask of whoever keeps data about them: to be told of it, and to have it erased
(GDPR, articles 15 and 17).
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from tracker.api.answer import HEADERS, Answer, Refused, answered
from tracker.api.grant import Grant
from tracker.api.operation import Operation
from tracker.forwarding.ledger import LedgerUnavailable
from tracker.recipients import Erased, Recipients
from tracker.store.row import exact

PATH: Final = "/v1/recipients/{address}"
LINES: Final = "application/x-ndjson"


@dataclass(frozen=True, slots=True)
class RecipientApi:
    """The endpoints, with what they look through."""

    recipients: Recipients

    def operations(self) -> tuple[Operation, ...]:
        """Return what the API does with it."""
        return (
            Operation(
                "GET",
                PATH,
                self.documents,
                "read",
                "Get all events of one recipient",
                answers={200: LINES},
                domainless=True,
            ),
            Operation(
                "DELETE",
                PATH,
                self.erase,
                "write",
                "Erase what is kept of one recipient, but for suppressions",
                answers={200: Erased},
                domainless=True,
            ),
        )

    async def documents(self, request: Request) -> Response:
        """Answer with events as JSON lines; none, where there are none.

        A store that fails meanwhile breaks the connection: a part never looks like the whole.
        """
        grant: Grant = request.state.grant
        address = _address(request)

        async def lines() -> AsyncIterator[bytes]:
            async for document in self.recipients.documents(address, grant.domains):
                yield document + b"\n"

        return StreamingResponse(lines(), headers=HEADERS, media_type=LINES)

    async def erase(self, request: Request) -> Answer:
        """Answer once all of it is gone; a 503 says to do it again, for it may be half done."""
        grant: Grant = request.state.grant
        try:
            erased = await self.recipients.erase(_address(request), grant.who, grant.domains)
        except LedgerUnavailable as error:
            raise Refused(str(error), 503) from error
        return answered(erased)


def _address(request: Request) -> str:
    address = exact(request.path_params["address"])
    if not address:
        raise Refused("a recipient is an address, such as ann@example.com")
    return address
