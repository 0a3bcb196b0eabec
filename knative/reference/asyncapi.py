"""The AsyncAPI 3.0 document and the JSON Schemas of HAL9's events, from the catalogue and the function.toml files.

One channel and one message for each type; an operation for each function that sends or receives it. The schemas stand
beside the catalogue, one file a type, for those who check events without Python.
"""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic.json_schema import models_json_schema

from events import catalogue, filters
from events.cloudevent import CloudEvent
from knative import description
from knative.reference import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from events.catalogue import EventType
    from knative.description import FunctionDescription

SCHEMAS: Final = Path("events/catalogue/schemas")
DOCUMENT: Final = Path("docs/reference/asyncapi.json")
FUNCTIONS: Final = ROOT / "functions"

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_COMPONENT: Final = "#/components/schemas/{model}"
_TEXT: Final = {"type": "string", "minLength": 1}
_ATTRIBUTES: Final[dict[str, dict[str, Any]]] = {
    "specversion": {"const": "1.0"},
    "id": {**_TEXT, "description": "Unique within `source`; the same when the event is sent again."},
    "source": {
        **_TEXT,
        "format": "uri-reference",
        "description": "`/regions/<region>/functions/<function>`, whoever says so.",
        "examples": ["/regions/us-west/functions/neuron"],
    },
    "subject": {**_TEXT, "description": "The thing that the event is about."},
    "time": {"type": "string", "format": "date-time", "description": "When it happened (RFC 3339)."},
    "datacontenttype": {"const": "application/json"},
    "traceparent": {**_TEXT, "description": "W3C Trace Context of what caused the event."},
    "partitionkey": {**_TEXT, "description": "Events with the same one are delivered in order."},
    "causationid": {**_TEXT, "description": "The `id` of the event that led to this one."},
    "correlationid": {**_TEXT, "description": "The `id` of the first event of the chain."},
    "expirytime": {"type": "string", "format": "date-time", "description": "After this moment nobody acts on it."},
    "executor": {**_TEXT, "description": "The deployment that does a step."},
    "process": {**_TEXT, "description": "The process of a step whose request carries all that it needs."},
}
_ORGANISATION: Final = {
    "type": "string",
    "format": "uuid",
    "description": "The organisation; stamped from the credentials of whoever published the event, never believed.",
}
_ABOUT: Final = """The events of HAL9: CloudEvents 1.0.2 over HTTP, binary mode by default.

Delivery is at least once, and in order only within a `partitionkey`. A receiver answers 202 and nothing, or 200 and one
CloudEvent; 400 and 422 say "never", 429 and 503 with Retry-After "not yet". What nobody could take becomes a dead
letter. Types that begin with `ai.hal9.` are HAL9's own; those with `x-hal9-permission` can be published by customers
through `POST /v1/events`, beside any types of their own."""


def files() -> dict[Path, bytes]:
    """Give the AsyncAPI document and a JSON Schema for each type."""
    made = {SCHEMAS / f"{known.name}.json": _bytes(schema(known)) for known in catalogue.types().values()}
    made[DOCUMENT] = _bytes(document())
    return made


def _bytes(value: Any) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()


def schema(known: EventType) -> dict[str, Any]:
    """Give the JSON Schema (2020-12) of a type's data."""
    made = known.model.model_json_schema(mode="validation")
    return {"$schema": _DIALECT, "$id": f"urn:hal9:event:{known.name}", **made}


def document(folder: Path = FUNCTIONS) -> dict[str, Any]:
    """Make the AsyncAPI document.

    Args:
        folder: The functions' folders, for who sends and receives what.
    """
    known = catalogue.types()
    payloads, models = models_json_schema(
        [(one.model, "validation") for one in known.values()], ref_template=_COMPONENT
    )
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "HAL9 events",
            "version": "1",
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {name: _channel(name) for name in known},
        "operations": dict(_operations(known, folder)),
        "components": {
            "messages": {name: _message(one, payloads[one.model, "validation"]) for name, one in known.items()},
            "schemas": dict(sorted(models["$defs"].items())),
        },
    }


def _channel(name: str) -> dict[str, Any]:
    return {
        "address": None,
        "title": name,
        "messages": {"event": {"$ref": f"#/components/messages/{name}"}},
    }


def _message(known: EventType, payload: dict[str, Any]) -> dict[str, Any]:
    about = inspect.getdoc(known.model) or ""
    properties = {"type": {"const": known.name}, **_ATTRIBUTES, **({"orgid": _ORGANISATION} if known.tenant else {})}
    required = ["specversion", "id", "source", "type", "datacontenttype", *(["orgid"] if known.tenant else [])]
    message: dict[str, Any] = {
        "name": known.name,
        "summary": about.partition("\n")[0],
        "contentType": "application/json",
        "headers": {
            "type": "object",
            "description": "The context attributes; in binary mode each is the header `ce-<name>`.",
            "required": required,
            "properties": dict(sorted(properties.items())),
        },
        "payload": payload,
    }
    if known.permission is not None:
        message["x-hal9-permission"] = known.permission
    return message


def _operations(known: Mapping[str, EventType], folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for function in sorted(description.load_all(folder), key=lambda one: one.name):
        for name in sorted(set(function.sends) | {one.type for one in function.schedules}):
            if name in known:
                yield f"{function.name}-sends-{name}", _operation("send", name, function)
        for name in known:
            if _receives(function, name):
                yield f"{function.name}-receives-{name}", _operation("receive", name, function)


def _operation(action: str, name: str, function: FunctionDescription) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{name}"},
        "summary": f"The function {function.name} {'sends' if action == 'send' else 'receives'} it.",
        "messages": [{"$ref": f"#/channels/{name}/messages/event"}],
    }


def _receives(function: FunctionDescription, name: str) -> bool:
    """Tell whether a subscription of a deployment lets some event of the type through."""
    for deployment in function.deployments():
        probe = CloudEvent(id="-", source="-", type=name, extensions={"executor": deployment.name})
        for subscription in deployment.subscriptions:
            if filters.compile_filters(list(subscription.filters))(probe):
                return True
    return False
