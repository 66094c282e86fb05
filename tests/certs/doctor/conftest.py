"""What the doctor looks at, for real: a resolver, and servers on several addresses of loopback."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.certs.doctor.world import World
from tests.servers.dns import Resolver
from tests.servers.fixtures import resolver, zone

__all__ = ["resolver", "world", "zone"]


@pytest.fixture
def world(tmp_path: Path, resolver: Resolver) -> Iterator[World]:
    with World(tmp_path, resolver) as made:
        yield made
