"""What comes in: strict JSON (RFC 8259, I-JSON's rules of RFC 7493 where it leaves a choice), then the models.

Promises: malformed JSON is a 400 that says where; a body that breaks the model is a 422 that names every fault by JSON
pointer (RFC 6901). What was refused is never echoed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, get_origin

import msgspec

from shared import strictjson
from shared.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel, ValidationError
    from starlette.requests import Request

MAXIMUM_FAULTS: Final = 100
_EXACT: Final = 2**53
_FRACTION: Final = re.compile(rb"[0-9][.eE]")
_MANY_DIGITS: Final = re.compile(rb"[0-9]{19}")
_LEAST_INTEGER: Final = -(2**63)
_GREATEST_INTEGER: Final = 2**63 - 1
_JSON_TYPE: Final = re.compile(r'application/(?:json|[\w.+-]+\+json)\s*(?:;\s*charset="?utf-8"?\s*)?', re.IGNORECASE)
_MISSING: Final = frozenset({"missing", "missing_argument", "missing_keyword_only_argument"})


def decode(body: bytes) -> Any:
    """Read one JSON text; a number without a fraction is an integer, however it is written (59.0), as in JSON Schema.

    Args:
        body: UTF-8, no byte order mark.

    Raises:
        Problem: 400 `body-malformed`: what `shared.strictjson` refuses, and what no database can hold: an integer
            beyond 64 bits with its sign, U+0000 in a string.
    """
    try:
        value = strictjson.read(body)
    except strictjson.NotStrictJson as error:
        raise _malformed(f"The body {error}.") from None
    if _FRACTION.search(body) or _MANY_DIGITS.search(body):
        value = _with_whole_numbers(value)
    if strictjson.holds_nul(body, value):
        raise _malformed("A string holds U+0000.")
    return value


def _malformed(detail: str) -> Problem:
    return Problem("body-malformed", 400, detail)


def _with_whole_numbers(value: Any) -> Any:
    """Put integers where numbers have no fraction. It recurses as deep as the reader lets arrays and objects nest."""
    kind = type(value)
    if kind is dict:
        return {name: _with_whole_numbers(part) for name, part in value.items()}
    if kind is list:
        return [_with_whole_numbers(part) for part in value]
    if kind is float and value.is_integer() and abs(value) < _EXACT:
        return int(value)
    if kind is int and not _LEAST_INTEGER <= value <= _GREATEST_INTEGER:
        raise _malformed("An integer does not fit into 64 bits.")
    return value


def refuse_coded(request: Request) -> None:
    """Refuse a body that says it is compressed: nothing here would undo that (RFC 9110, section 15.5.16).

    Raises:
        Problem: 415.
    """
    coding = request.headers.get("content-encoding")
    if coding is not None and coding.strip().lower() not in {"", "identity"}:
        raise Problem(
            "media-type-unsupported",
            415,
            "Send the body as it is, without Content-Encoding.",
            headers={"Accept-Encoding": "identity"},
        )


async def body_of(request: Request, model: type[BaseModel]) -> BaseModel:
    """Read the request's JSON body as a model.

    Raises:
        Problem: 415 for another media type or a content coding, 400 for malformed JSON, 422 with every fault.
    """
    refuse_coded(request)
    media_type = request.headers.get("content-type", "")
    if _JSON_TYPE.fullmatch(media_type) is None:
        raise Problem(
            "media-type-unsupported", 415, "Send the body as application/json.", headers={"Accept": "application/json"}
        )
    body = await request.body()
    document = decode(body)
    if _FRACTION.search(body):
        body = msgspec.json.encode(document)
    from pydantic import ValidationError

    try:
        # Strict: a number in quotes is a text, as the model's JSON Schema says.
        return model.model_validate_json(body, strict=True)
    except ValidationError as error:
        raise _invalid("body-invalid", error, document) from None


def query_of(request: Request, model: type[BaseModel]) -> BaseModel:
    """Read the request's query as a model.

    Raises:
        Problem: 422 with every fault; a parameter that is given twice and is no list is one.
    """
    document: dict[str, Any] = {}
    faults: list[dict[str, str]] = []
    for name in request.query_params:
        values = request.query_params.getlist(name)
        if _takes_many(model, name):
            document[name] = values
        elif len(values) > 1:
            faults.append({"pointer": _pointer([name]), "detail": "Give this parameter once."})
        else:
            document[name] = values[0]
        if any("\0" in value for value in values):
            faults.append({"pointer": _pointer([name]), "detail": "The value holds U+0000."})
    from pydantic import ValidationError

    try:
        found = model.model_validate(document)
    except ValidationError as error:
        raise _invalid("query-invalid", error, document, faults) from None
    if faults:
        raise _refusal("query-invalid", faults)
    return found


def _takes_many(model: type[BaseModel], name: str) -> bool:
    for field_name, field in model.model_fields.items():
        if name in {field_name, field.alias}:
            return get_origin(field.annotation) in {list, tuple, set, frozenset}
    return False


def _invalid(slug: str, error: ValidationError, document: Any, faults: list[dict[str, str]] | None = None) -> Problem:
    found = list(faults or [])
    for fault in error.errors(include_url=False, include_context=False, include_input=False):
        place = _place(fault["loc"], document, missing=fault["type"] in _MISSING)
        entry = {"pointer": _pointer(place), "detail": fault["msg"].removeprefix("Value error, ")}
        if entry not in found[-10:]:
            found.append(entry)
    return _refusal(slug, found)


def _refusal(slug: str, faults: list[dict[str, str]]) -> Problem:
    count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
    members: Mapping[str, Any] = {"errors": faults[:MAXIMUM_FAULTS]}
    return Problem(slug, 422, f"There is {count}." if len(faults) == 1 else f"There are {count}.", **members)


def _place(loc: tuple[int | str, ...], document: Any, *, missing: bool) -> list[int | str]:
    """Turn pydantic's location into one in the document: it also names branches of unions, which are not in there."""
    place: list[int | str] = []
    here = document
    for index, part in enumerate(loc):
        if _has(here, part):
            here = here[part]
        elif not (missing and index == len(loc) - 1):
            continue
        place.append(part)
    return place


def _has(value: Any, part: int | str) -> bool:
    if isinstance(value, dict):
        return part in value
    return isinstance(value, list) and isinstance(part, int) and part < len(value)


def _pointer(place: list[int | str]) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in place)
