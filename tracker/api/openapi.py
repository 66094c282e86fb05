"""The API's description, as OpenAPI 3.1: written from the operations that the routes are made of.

In: operations. Out: the document that `GET /openapi.json` answers with. What an operation takes and
answers is described by the types that msgspec reads and writes it with.
"""

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Final

import msgspec

from tracker.api.operation import Operation, Parameter

PATH: Final = "/openapi.json"
IN_PATH: Final = re.compile(r"\{(\w+)(?::\w+)?\}")
COMPONENT: Final = "#/components/schemas/{name}"

# What any operation may answer besides, each in Mailgun's form.
ERRORS: Final = (400, 401, 403, 404, 405, 409, 413, 415, 429, 503)


class Error(msgspec.Struct, frozen=True):
    """What is wrong, and what would be right."""

    message: str


def document(operations: Iterable[Operation]) -> dict[str, Any]:
    """Describe the operations."""
    operations = list(operations)
    types = [Error, *{found for one in operations for found in _types(one)}]
    schemas, components = msgspec.json.schema_components(types, ref_template=COMPONENT)
    by_type = dict(zip(types, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for one in operations:
        path = IN_PATH.sub(r"{\1}", one.path)
        paths.setdefault(path, {})[one.method.lower()] = _described(one, by_type)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "tracking-edge",
            "version": version("tracking-edge"),
            "description": "Events, figures and settings; errors have Mailgun's form.",
        },
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "The user is `api`, the password an API key.",
                }
            },
        },
    }


def _described(one: Operation, schemas: Mapping[Any, dict[str, Any]]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "summary": one.summary,
        "description": f"Needs a key that opens `{one.need}`.",
        "operationId": _identifier(one),
        "parameters": [
            *(_in_path(name) for name in IN_PATH.findall(one.path)),
            *map(_in_query, one.parameters),
        ],
        "responses": {
            str(status): _response(status, holds, schemas) for status, holds in _answers(one)
        },
    }
    if one.body:
        content = {media: {"schema": _schema(holds, schemas)} for media, holds in one.body.items()}
        described["requestBody"] = {"required": True, "content": content}
    return described


def _answers(one: Operation) -> Iterable[tuple[int, Any]]:
    yield from one.answers.items()
    yield from ((status, Error) for status in ERRORS if status not in one.answers)


def _response(status: int, holds: Any, schemas: Mapping[Any, dict[str, Any]]) -> dict[str, Any]:
    media = holds if isinstance(holds, str) else "application/json"
    described: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    if holds is not bytes:
        described["content"] = {media: {"schema": _schema(holds, schemas)}}
    return described


def _schema(holds: Any, schemas: Mapping[Any, dict[str, Any]]) -> dict[str, Any]:
    """Return a type's schema; of a media type, or of bytes, nothing more is said."""
    return {} if isinstance(holds, str) or holds is bytes else schemas[holds]


def _types(one: Operation) -> set[Any]:
    held = {*one.answers.values(), *one.body.values()}
    return {found for found in held if not isinstance(found, str) and found is not bytes}


def _in_path(name: str) -> dict[str, Any]:
    schema = {"type": "string", "minLength": 1}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _in_query(one: Parameter) -> dict[str, Any]:
    schema = {"type": "array", "items": one.schema} if one.repeated else one.schema
    return {
        "name": one.name,
        "in": "query",
        "description": one.description,
        "required": one.required,
        "schema": schema,
    }


def _identifier(one: Operation) -> str:
    return "-".join(re.findall(r"\w+", f"{one.method.lower()} {one.path}"))
