"""HTTPS in an edge worker: the door that certificates open, with the worker's own HTTP inside."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from certs.front.alert import Outcome
from certs.front.contexts import Contexts
from certs.front.door import Door
from tracker.counters import Counter, Counters
from tracker.edge.bounded import Book
from tracker.edge.certificates import Certificates

OUTCOMES: Final = {outcome: int(Counter[f"TLS_{outcome.name}"]) for outcome in Outcome}


def door(
    certificates: Certificates,
    inside: Callable[[], asyncio.Protocol],
    connections: set[Any],
    book: Book,
    counters: Counters,
) -> Door:
    """Return what makes the protocol of each connection to the TLS port."""
    contexts = Contexts(certificates)
    cells = counters.cells
    certificates.opened()  # at leisure, rather than in the first handshake

    def tell(outcome: Outcome) -> None:
        cells[OUTCOMES[outcome]] += 1
        cells[Counter.TLS_CONTEXTS] = contexts.built

    return Door(contexts, inside, connections, lambda: book.now, tell)
