"""The JSON Schema of what `POST /v1/events` takes, as strict as the codec: for the reference, and to generate clients.

Source: CloudEvents 1.0.2, JSON event format; the rules for characters of its type system. The codec is the judge
(`events.codec`); a test holds the two together.
"""

from __future__ import annotations

from typing import Any, Final

from events import codec
from functions.gateway.eventlimits import MAX_ID_LENGTH, MAX_SOURCE_LENGTH

_NONCHARACTERS: Final = "".join(chr(plane << 16 | low) for plane in range(17) for low in (0xFFFE, 0xFFFF))
_STRING: Final = f"^[^\x00-\x1f\x7f-\x9f\ufdd0-\ufdef{_NONCHARACTERS}]*$"
_BASE64: Final = "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$"
_EXTENSION: Final = "^(?!data$)[a-z0-9]{1,64}$"
_JSON_TYPE: Final = r"^application/(?:[a-z0-9.-]+\+)?json$"
_TEXT_TYPE: Final = r"^text/(?!json$)[a-z0-9.-]+$"
_ANY_TYPE: Final = r"^[a-z]+/[a-z0-9.+-]+$"

EXAMPLE: Final[dict[str, Any]] = {
    "specversion": "1.0",
    "id": "order-4711-paid",
    "source": "/shop/orders",
    "type": "com.example.order.paid",
    "subject": "orders/4711",
    "time": "2026-01-05T09:30:00Z",
    "datacontenttype": "application/json",
    "data": {"order": 4711, "amount": "19.90"},
}


def _text(description: str, *, optional: bool = False, **more: Any) -> dict[str, Any]:
    kind = ["string", "null"] if optional else "string"
    return {"type": kind, "minLength": 1, "pattern": _STRING, "description": description, **more}


def _attributes(media_type: str, *, optional: bool = True) -> dict[str, Any]:
    return {
        "specversion": {"const": "1.0", "description": "The version of CloudEvents."},
        "id": _text(
            "Unique within `source`. The same id again is the same event: it has its effect once.",
            maxLength=MAX_ID_LENGTH,
        ),
        "source": _text("Who says so; not under `/regions/`.", format="uri-reference", maxLength=MAX_SOURCE_LENGTH),
        "type": _text("What happened, for example `com.example.order.paid`; not `ai.hal9.…`."),
        "subject": _text("What it happened to.", optional=True),
        "time": {"type": ["string", "null"], "format": "date-time", "description": "When it happened (RFC 3339)."},
        "datacontenttype": {
            "type": ["string", "null"] if optional else "string",
            "pattern": media_type,
            "description": "The media type of the data.",
        },
        "dataschema": {
            "type": ["string", "null"],
            "format": "uri",
            "pattern": "^[^#]+$",
            "description": "An absolute URI (RFC 3986 section 4.3) of the data's schema.",
        },
    }


def _event(title: str, attributes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "title": title,
        "type": "object",
        "required": ["specversion", "id", "source", "type", *more.pop("required", ())],
        "properties": {**attributes, **more},
        "patternProperties": {
            _EXTENSION: {
                "type": ["string", "boolean", "integer", "null"],
                "pattern": _STRING,
                "minimum": -(2**31),
                "maximum": 2**31 - 1,
                "description": "An extension attribute. `orgid` is overwritten with your organisation.",
            }
        },
        "additionalProperties": {"type": "null"},
    }


_BYTES: Final = {
    "type": "string",
    "contentEncoding": "base64",
    "pattern": _BASE64,
    "description": "The data as base64 (RFC 4648), padded, in its one canonical form.",
}

SCHEMAS: Final[dict[str, dict[str, Any]]] = {
    "CloudEvent": {
        "description": "A CloudEvent 1.0 in the JSON event format.",
        "examples": [EXAMPLE],
        "anyOf": [
            _event("with JSON data", _attributes(_JSON_TYPE), data={"description": "Any JSON value."}),
            _event(
                "with text",
                _attributes(_TEXT_TYPE, optional=False),
                required=["datacontenttype"],
                data={"type": "string", "description": "Text of that media type."},
            ),
            _event(
                "with bytes, or no data",
                _attributes(_ANY_TYPE),
                data=False,
                data_base64=_BYTES,
            ),
        ],
    },
}

CONSUMES: Final[dict[str, dict[str, Any]]] = {
    codec.STRUCTURED: {"$ref": "#/components/schemas/CloudEvent"},
    codec.BATCH: {
        "type": "array",
        "items": {"$ref": "#/components/schemas/CloudEvent"},
        "maxItems": codec.MAX_BATCH_EVENTS,
        "examples": [[EXAMPLE, {**EXAMPLE, "id": "order-4712-paid", "subject": "orders/4712"}]],
    },
}
