"""The OpenAPI 3.1 document of all public routes, from the functions' own declarations.

Every `functions/<name>/api.py` with `OPERATIONS` is read, beside the routes of its function.toml; models become
components, every answer that a route can give is listed, faults with the problems that they can be. The gateway routes
by this document (`x-hal9-function`, `-deployment`, `-permission`, `-streaming`).
"""

from __future__ import annotations

import importlib
import json
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic.json_schema import models_json_schema

from functions.gateway.eventschema import SCHEMAS as EVENT_SCHEMAS
from knative import description
from knative.reference import ROOT
from shared.permissions import OF_PERSONS, PERMISSIONS
from shared.problems import MEDIA_TYPE, Problem, registered
from shared.sessions import COOKIE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pydantic import BaseModel

    from knative.description import FunctionDescription
    from shared.function import Operation

FUNCTIONS: Final = ROOT / "functions"
_GATEWAY: Final = "gateway"
_COMPONENT: Final = "#/components/schemas/{model}"
_ALWAYS: Final = (400, 405, 408, 414, 431, 500, 503)
_IDENTIFIED: Final = (401, 403, 421, 429, 504)
_PASSED_ON: Final = (502, 504)
_WITH_BODY: Final = (413, 415, 422)
_TAGS: Final = {
    "projects": "Ask for software in plain English; get a tested project.",
    "artefacts": "What projects made.",
    "runs": "Runs of neurons: start, watch, cancel, replay.",
    "events": "Publish CloudEvents; look after those that could not be delivered.",
    "keys": "The API keys that your programs use.",
    "identity": "Who you are, and where you are signed in.",
    "reference": "This description.",
    "health": "Whether the gateway runs; for load balancers.",
}
_NO_NUL: Final = "^[^\\u0000]*$"
_BOUND: Final = frozenset({"pattern", "format", "enum", "const"})
_SESSION: Final[dict[str, list[str]]] = {"session": []}
_VALUES: Final = frozenset({"const", "default", "enum", "examples", "example"})
_HEADERS: Final[dict[str, dict[str, Any]]] = {
    "Retry-After": {
        "description": "Seconds to wait before the next try (RFC 9110 section 10.2.3).",
        "schema": {"type": "integer", "minimum": 0},
    },
    "RateLimit": {
        "description": "What is left of each limit: `r` requests, whole again in `t` seconds "
        "(draft-ietf-httpapi-ratelimit-headers-10).",
        "schema": {"type": "string"},
    },
    "RateLimit-Policy": {
        "description": "The limits: `q` requests at once, in a window of `w` seconds.",
        "schema": {"type": "string"},
    },
    "WWW-Authenticate": {"description": "How to authenticate (RFC 9110).", "schema": {"type": "string"}},
    "Allow": {"description": "The methods that the path takes.", "schema": {"type": "string"}},
    "X-Trace-Id": {
        "description": "The request's trace: tell us this one when something is wrong.",
        "schema": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
    },
}
_OF_STATUS: Final[dict[int, tuple[str, ...]]] = {
    401: ("WWW-Authenticate",),
    405: ("Allow",),
    429: ("Retry-After", "RateLimit", "RateLimit-Policy"),
    503: ("Retry-After",),
}
_ABOUT: Final = """\
The HTTP API of HAL9. Everything but the reference itself needs an API key, sent as `Authorization: Bearer hal9_…`, or
a session's cookie; everything that is done belongs to the key's or the session's organisation, and another
organisation's things are not there (404). What changes something is taken with a cookie only from a page of this site
(403 `cross-site-request`).

**Faults** are problem documents (RFC 9457, `application/problem+json`): `type` is stable, `detail` says what to do,
`errors` names every fault of what was sent by JSON pointer.

**Limits** hold for each key or person and each organisation; every answer says in `RateLimit` what is left, a 429 in
`Retry-After` how long to wait.

**Trying again** is safe for what reads, and for what makes something when it carries an `Idempotency-Key`, or an
event's `id`: the same one again has its effect once.

**Pages** are followed by giving `next_cursor` as `cursor`, until it is null. Times are RFC 3339 in UTC, money is
whole micro-dollars, ids are UUIDs."""


@dataclass(frozen=True, slots=True)
class Route:
    """A public route: an operation and where it is served.

    Attributes:
        operation: What it does.
        function: The function that does it.
        deployment: Which of the function's deployments serves it.
        body_limit_bytes: The longest body that it takes.
    """

    operation: Operation
    function: str
    deployment: str
    body_limit_bytes: int


_REGISTERING: Final = ("knative.host.application", "shared.cache", "shared.ratelimits", "shared.shards")
"""Modules whose problems any function can answer with; the functions' own come with their `api`."""


def files() -> dict[Path, bytes]:
    """Give the document, for the gateway and for the docs."""
    content = (json.dumps(document(), indent=1, ensure_ascii=False) + "\n").encode()
    return {Path("functions/gateway/openapi.json"): content, Path("docs/reference/openapi.json"): content}


def document(folder: Path = FUNCTIONS) -> dict[str, Any]:
    """Make the document of all functions in a folder."""
    for module in _REGISTERING:
        importlib.import_module(module)
    found = sorted(routes(folder), key=_order)
    schemas = _Schemas(found)
    paths: dict[str, dict[str, Any]] = {}
    for route in found:
        paths.setdefault(route.operation.path, {})[route.operation.method.lower()] = _operation(route, schemas)
    paths.update(_HEALTH)
    used = {"health", *(tag for route in found for tag in route.operation.tags)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "HAL9",
            "version": "1",
            "summary": "Hierarchical AI agents for business customers.",
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "The gateway that answers this."}],
        "security": [{"apiKey": []}, _SESSION],
        "tags": [{"name": tag, "description": about} for tag, about in _TAGS.items() if tag in used],
        "paths": paths,
        "components": {
            "schemas": {**schemas.components, **EVENT_SCHEMAS, "Problem": _PROBLEM},
            "responses": {str(status): _problem(status) for status in _statuses(found)},
            "headers": _HEADERS,
            "securitySchemes": {
                "apiKey": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "hal9_<12 characters>_<43 characters>",
                    "description": "An API key, made with `hal9 keys create` or `POST /v1/keys`.",
                },
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": COOKIE,
                    "description": "The session of who is signed in, in a browser.",
                },
            },
        },
    }


def routes(folder: Path) -> Iterator[Route]:
    """Give every public route of every function in a folder.

    Raises:
        ValueError: A function's routes and its function.toml do not say the same.
    """
    for api in sorted(folder.glob("*/api.py")):
        yield from _routes_of(description.load(api.parent))


def _routes_of(function: FunctionDescription) -> Iterator[Route]:
    operations: Iterable[Operation] = importlib.import_module(f"functions.{function.name}.api").OPERATIONS
    serving = [one.name for one in function.deployments() if one.routes]
    offered = {(one.method, one.path): one for one in operations}
    for route in function.routes:
        operation = offered.get((route.method, route.path))
        if operation is None or operation.permission != route.permission:
            raise ValueError(
                f"{function.name}: {route.method} {route.path} is not the same in function.toml and api.py"
            )
        yield Route(operation, function.name, serving[0], route.body_limit_bytes)


def _order(route: Route) -> tuple[int, str, str]:
    tags = list(_TAGS)
    first = route.operation.tags[0] if route.operation.tags else ""
    return (tags.index(first) if first in tags else len(tags), route.operation.path, route.operation.method)


class _Schemas:
    """The models of all routes as components, and references to them."""

    def __init__(self, found: list[Route]) -> None:
        inputs = [model for route in found for model in _models(route.operation)]
        outputs = [model for route in found for model in route.operation.responses.values() if model]
        wanted = {(model, "validation"): None for model in inputs} | {
            (model, "serialization"): None for model in outputs
        }
        self._references, made = models_json_schema(list(wanted), ref_template=_COMPONENT)  # type: ignore[arg-type]
        self._definitions: dict[str, Any] = made.get("$defs", {})
        for model in inputs:
            self._definitions[self._name(model)] = _without_nul(self._definitions[self._name(model)])
        queries = {
            self.input(route.operation.query)["$ref"].rsplit("/", 1)[1] for route in found if route.operation.query
        }
        self.components = {name: schema for name, schema in self._definitions.items() if name not in queries}

    def input(self, model: type[BaseModel]) -> dict[str, Any]:
        """Give the reference to what comes in."""
        return self._references[model, "validation"]

    def output(self, model: type[BaseModel]) -> dict[str, Any]:
        """Give the reference to what goes out."""
        return self._references[model, "serialization"]

    def properties(self, model: type[BaseModel]) -> tuple[dict[str, Any], set[str]]:
        """Give a model's properties, and which of them are required."""
        schema = self._definitions[self._name(model)]
        return schema.get("properties", {}), set(schema.get("required", ()))

    def _name(self, model: type[BaseModel]) -> str:
        reference: str = self.input(model)["$ref"]
        return reference.rsplit("/", 1)[1]


def _models(operation: Operation) -> Iterator[type[BaseModel]]:
    if operation.request is not None and not operation.consumes:
        yield operation.request
    if operation.query is not None:
        yield operation.query


def _operation(route: Route, schemas: _Schemas) -> dict[str, Any]:
    operation = route.operation
    made: dict[str, Any] = {
        "operationId": "_".join([*operation.tags[:1], operation.handler.__name__]).replace("-", "_"),
        "summary": operation.summary,
        "description": _described(operation),
        "tags": list(operation.tags),
        "parameters": [*_path_parameters(operation), *_query_parameters(operation, schemas), *_headers(operation)],
        "requestBody": _body(route, schemas),
        "responses": _responses(route, schemas),
        "security": _security(operation),
        "x-hal9-function": route.function,
        "x-hal9-deployment": route.deployment,
        "x-hal9-permission": operation.permission,
        "x-hal9-streaming": operation.streaming or None,
    }
    keep = {"security", "tags"}
    return {name: value for name, value in made.items() if value or (name in keep and value is not None)}


def _security(operation: Operation) -> list[dict[str, list[str]]] | None:
    """Give what an operation wants to be shown, where that is not what all do."""
    if operation.public:
        return []
    return [_SESSION] if operation.permission in OF_PERSONS else None


def _described(operation: Operation) -> str:
    if operation.permission is None:
        return operation.description
    about = PERMISSIONS.get(operation.permission, "")
    needs = f"Needs the permission `{operation.permission}`: {about[:1].lower()}{about[1:]}"
    return f"{operation.description}\n\n{needs}".strip()


def _path_parameters(operation: Operation) -> Iterator[dict[str, Any]]:
    for name in operation.parameters:
        schema = {"type": "string", "format": "uuid"} if name.endswith("id") else {"type": "string", "minLength": 1}
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def _query_parameters(operation: Operation, schemas: _Schemas) -> Iterator[dict[str, Any]]:
    if operation.query is None:
        return
    properties, required = schemas.properties(operation.query)
    for name, schema in properties.items():
        about = schema.get("description", "")
        yield {
            "name": name,
            "in": "query",
            "required": name in required,
            "description": about,
            "schema": _sendable({key: value for key, value in schema.items() if key not in {"description", "title"}}),
        }


def _sendable(schema: dict[str, Any]) -> dict[str, Any]:
    """Take null out of a query parameter's schema: there is no way to send it but to leave the parameter out."""
    choices = [choice for choice in schema.get("anyOf", ()) if choice.get("type") != "null"]
    kept = {key: value for key, value in schema.items() if key != "anyOf" and not (key == "default" and value is None)}
    return {**kept, **choices[0]} if len(choices) == 1 else {**kept, **({"anyOf": choices} if choices else {})}


def _headers(operation: Operation) -> Iterator[dict[str, Any]]:
    for name, schema in operation.headers.items():
        rest = {key: value for key, value in schema.items() if key != "description"}
        yield {"name": name, "in": "header", "description": schema.get("description", ""), "schema": rest}


def _body(route: Route, schemas: _Schemas) -> dict[str, Any] | None:
    operation = route.operation
    most = {"description": f"At most {route.body_limit_bytes} bytes.", "required": True}
    consumes = operation.consumes() if callable(operation.consumes) else operation.consumes
    if consumes:
        content = {
            media_type: {"schema": _without_nul(_inlined(dict(schema)))} for media_type, schema in consumes.items()
        }
        return {**most, "content": content}
    if operation.request is not None:
        return {**most, "content": {"application/json": {"schema": schemas.input(operation.request)}}}
    return None


def _inlined(schema: Any, definitions: Mapping[str, Any] | None = None) -> Any:
    """Put each local definition (`#/$defs/…`) where it is used, as a document has one place for components only."""
    if isinstance(schema, list):
        return [_inlined(part, definitions) for part in schema]
    if not isinstance(schema, dict):
        return schema
    known = {**(definitions or {}), **schema.get("$defs", {})}
    reference = schema.get("$ref", "")
    if reference.startswith("#/$defs/"):
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        return _inlined({**known[reference.removeprefix("#/$defs/")], **rest}, known)
    return {key: _inlined(value, known) for key, value in schema.items() if key != "$defs"}


def _without_nul(schema: Any) -> Any:
    """Say of every text that comes in that it holds no U+0000, which no text in PostgreSQL can."""
    if isinstance(schema, list):
        return [_without_nul(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: value if key in _VALUES else _without_nul(value) for key, value in schema.items()}
    kinds = made.get("type")
    if (kinds == "string" or (isinstance(kinds, list) and "string" in kinds)) and not made.keys() & _BOUND:
        made["pattern"] = _NO_NUL
    return made


def _responses(route: Route, schemas: _Schemas) -> dict[str, Any]:
    operation = route.operation
    good = {status: model for status, model in operation.responses.items() if status < HTTPStatus.BAD_REQUEST}
    made = {str(status): _success(operation, status, model, schemas) for status, model in good.items()}
    for status in _faults(route):
        made[str(status)] = {"$ref": f"#/components/responses/{status}"}
    return dict(sorted(made.items()))


def _success(operation: Operation, status: int, model: type[BaseModel] | None, schemas: _Schemas) -> dict[str, Any]:
    names = ["X-Trace-Id"] if operation.public else ["RateLimit", "RateLimit-Policy", "X-Trace-Id"]
    made: dict[str, Any] = {"description": HTTPStatus(status).phrase, "headers": _named(names)}
    if status == HTTPStatus.NO_CONTENT:
        return made
    if operation.produces != "application/json":
        made["content"] = {operation.produces: {"schema": _other_than_json(operation.produces, model, schemas)}}
    elif model is not None:
        made["content"] = {"application/json": {"schema": schemas.output(model)}}
    return made


def _other_than_json(media_type: str, model: type[BaseModel] | None, schemas: _Schemas) -> dict[str, Any]:
    """Describe text, bytes, or a stream of server-sent events whose data is a model."""
    if model is not None:
        data = {"type": "string", "contentMediaType": "application/json", "contentSchema": schemas.output(model)}
        return {
            "type": "object",
            "description": "One server-sent event of the stream.",
            "required": ["id", "event", "data"],
            "properties": {"id": {"type": "string"}, "event": {"type": "string"}, "data": data},
        }
    return {"type": "string"} if media_type.startswith("text/") else {"contentMediaType": media_type}


def _faults(route: Route) -> list[int]:
    """Give every status above 399 that a route can answer with."""
    operation = route.operation
    found = {*_ALWAYS, *(status for status in operation.responses if status >= HTTPStatus.BAD_REQUEST)}
    found.update(() if operation.public else _IDENTIFIED)
    found.update(() if route.function == _GATEWAY else _PASSED_ON)
    found.update(_WITH_BODY if operation.request or operation.consumes else ())
    found.update([404] if operation.parameters else ())
    found.update([409] if "Idempotency-Key" in operation.headers else ())
    found.update([422] if operation.query or operation.headers else ())
    return sorted(found)


def _statuses(found: list[Route]) -> list[int]:
    return sorted({status for route in found for status in _faults(route)})


def _named(names: Iterable[str]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


_PROBLEM: Final[dict[str, Any]] = {
    "description": "What went wrong (RFC 9457).",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri", "description": "Stable: what kind of problem it is."},
        "title": {"type": "string", "description": "The same for every problem of the type."},
        "status": {"type": "integer", "description": "The HTTP status."},
        "detail": {"type": "string", "description": "What went wrong this time, and what to do."},
        "trace_id": {"type": "string", "description": "Tell us this one when it goes on."},
        "errors": {
            "type": "array",
            "description": "Every fault of what was sent.",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {
                    "pointer": {"type": "string", "description": "Where: a JSON pointer (RFC 6901)."},
                    "detail": {"type": "string", "description": "What is wrong there."},
                },
            },
        },
    },
}


def _health(name: str, summary: str, description: str) -> dict[str, Any]:
    """Describe one of the routes that the host answers itself, at the gateway's own address as well."""
    ok = {"description": "OK", "content": {"text/plain": {"schema": {"type": "string", "const": "ok\n"}}}}
    faults = {str(status): {"$ref": f"#/components/responses/{status}"} for status in _ALWAYS}
    operation = {
        "operationId": name,
        "summary": summary,
        "description": description,
        "tags": ["health"],
        "responses": {"200": ok, **faults},
        "security": [],
        "x-hal9-function": _GATEWAY,
        "x-hal9-deployment": _GATEWAY,
    }
    return {"get": operation}


_HEALTH: Final = {
    "/healthz/live": _health("health_live", "Whether the gateway runs", "Needs nothing but the process itself."),
    "/healthz/ready": _health(
        "health_ready", "Whether the gateway is ready", "503 while it drains, or what it needs does not answer."
    ),
}


def _problem(status: int) -> dict[str, Any]:
    kinds = sorted((kind for kind in registered().values() if kind.status == status), key=lambda kind: kind.slug)
    lines = "\n".join(f"- `{kind.slug}`: {kind.title}. {kind.remedy}" for kind in kinds)
    examples = {kind.slug: {"summary": kind.title, "value": Problem(kind.slug).document()} for kind in kinds}
    phrase = HTTPStatus(status).phrase
    content: dict[str, Any] = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {
        "description": f"{phrase}.\n\n{lines}".strip(),
        "headers": _named([*_OF_STATUS.get(status, ()), "X-Trace-Id"]),
        "content": {MEDIA_TYPE: {**content, **({"examples": examples} if examples else {})}},
    }
