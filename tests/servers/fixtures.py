"""The servers as pytest fixtures. A conftest says `from tests.servers.fixtures import *`.

`zone` answers for nothing until the test adds to it; `resolver` serves it, `answers` stands at the
names' ports, and `pebbles` starts CAs that use both, with the modes that it is given. A test skips,
and says how to bring Pebble, where that is missing.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.servers import dns, pebble
from tests.servers.answers import Answers, answering
from tests.servers.dns import Resolver, Zone
from tests.servers.pebble import Missing, Pebble

__all__ = ["Pebbles", "answers", "pebbles", "resolver", "zone"]

Pebbles = Callable[..., Pebble]


@pytest.fixture
def zone() -> Zone:
    return Zone()


@pytest.fixture
def resolver(zone: Zone) -> Iterator[Resolver]:
    with dns.serving(zone) as serving:
        yield serving


@pytest.fixture
def answers() -> Iterator[Answers]:
    with answering() as answers:
        yield answers


@pytest.fixture
def pebbles(tmp_path: Path, resolver: Resolver, answers: Answers) -> Iterator[Pebbles]:
    with starting(tmp_path, resolver, answers) as start:
        yield start


@contextmanager
def starting(folder: Path, resolver: Resolver, answers: Answers) -> Iterator[Pebbles]:
    """Start CAs, each in a folder of its own, that run until the block ends."""
    ports = {"http_port": answers.http_port, "tls_port": answers.tls_port}
    numbers = count(1)
    with ExitStack() as running:

        def start(**modes: Any) -> Pebble:
            home = folder / f"pebble-{next(numbers)}"
            try:
                return running.enter_context(
                    pebble.running(home, resolver.address, **ports | modes)
                )
            except Missing as error:
                pytest.skip(f"NO CA TO TEST WITH: {error}")

        yield start
