"""What the API says of itself; whether it keeps to it is tried by `python -m tests.openapi`."""

from pathlib import Path

import httpx
import pytest
import schemathesis
from starlette.routing import Route

from tests.openapi.live import live
from tests.patience import PATIENCE
from tracker.api.app import OPERATIONS
from tracker.api.openapi import document
from tracker.api.operation import routes

pytestmark = pytest.mark.anyio


async def test_the_description_is_there_without_a_key(tmp_path: Path) -> None:
    async with live(tmp_path) as api, httpx.AsyncClient(timeout=PATIENCE) as client:
        answer = await client.get(f"{api.url}/openapi.json")
    assert answer.status_code == 200
    described = schemathesis.openapi.from_dict(answer.json())
    described.validate()
    assert "/v1/rewrite" in answer.json()["paths"]


def test_every_route_is_described_and_nothing_else() -> None:
    described = {
        (method.upper(), path)
        for path, methods in document(OPERATIONS)["paths"].items()
        for method in methods
    }
    routed = {
        (method, route.path)
        for route in routes(OPERATIONS)
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert described == routed


def test_no_two_operations_have_one_name() -> None:
    names = [
        operation["operationId"]
        for methods in document(OPERATIONS)["paths"].values()
        for operation in methods.values()
    ]
    assert len(names) == len(set(names)) == len(OPERATIONS)
