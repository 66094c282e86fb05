"""What holds for every test."""

import os
from collections.abc import Iterator
from functools import cache
from ssl import SSLContext
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, settings

from tests.servers.session import *  # noqa: F403 - fixtures, as __all__ there has them

# No test asserts on time: a machine that is busy isn't a fault.
# A build tries the examples that it tried before, so that a change is judged and not the dice;
# everywhere else each run tries new ones.
settings.register_profile(
    "untimed",
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("untimed")


@pytest.fixture
def anyio_backend() -> str:
    """Run coroutines in asyncio: the tracker has no other loop."""
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def _trust_read_once() -> Iterator[None]:
    """Have httpx read the CAs that it trusts once: 50 ms of each of thousands of clients."""

    @cache
    def made(_file: str | None, **given: Any) -> SSLContext:
        return httpx.create_ssl_context(**given)

    def shared(**given: Any) -> SSLContext:
        return made(os.environ.get("SSL_CERT_FILE"), **given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("httpx._transports.default.create_ssl_context", shared)
        yield


@pytest.fixture(autouse=True)
def _umask() -> Iterator[None]:
    """Put the umask back: a command that is run in this process makes all that it writes private.

    Postfix, which some tests start, would find its queue closed to itself.
    """
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)
