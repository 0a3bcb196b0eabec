"""What comes in: strict JSON (RFC 8259, I-JSON's rules of RFC 7493 where it leaves a choice), then the models.

Promises: malformed JSON is a 400 that says where; a body that breaks the model is a 422 that names every fault by JSON
pointer (RFC 6901). What was refused is never echoed.
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any, Final, get_origin

from shared.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import BaseModel, ValidationError
    from starlette.requests import Request

MAXIMUM_DEPTH: Final = 64
MAXIMUM_FAULTS: Final = 100
_EXACT: Final = 2**53
_FRACTION: Final = re.compile(rb"[0-9][.eE]")
_MAXIMUM_DIGITS: Final = 20
_LEAST_INTEGER: Final = -(2**63)
_GREATEST_INTEGER: Final = 2**63 - 1
_STRUCTURE: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
_ESCAPED_SURROGATE_OR_NUL: Final = re.compile(rb"\\u(?:[dD][89a-fA-F]|0000)")
_JSON_TYPE: Final = re.compile(r'application/(?:json|[\w.+-]+\+json)\s*(?:;\s*charset="?utf-8"?\s*)?', re.IGNORECASE)
_MISSING: Final = frozenset({"missing", "missing_argument", "missing_keyword_only_argument"})


def decode(body: bytes) -> Any:
    """Read one JSON text.

    Args:
        body: UTF-8, no byte order mark.

    Raises:
        Problem: 400 `body-malformed`: not UTF-8, not JSON, a duplicate member name, NaN or Infinity, nested deeper than
            64, an integer beyond 64 bits, a number beyond a double, a lone surrogate or U+0000 in a string.
    """
    _check_depth(body)
    try:
        value = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_int=_integer,
            parse_float=_double,
        )
    except UnicodeDecodeError as error:
        raise _malformed(f"The body is not UTF-8: see the byte at {error.start}.") from None
    except json.JSONDecodeError as error:
        raise _malformed(f"{error.msg} at line {error.lineno}, column {error.colno}.") from None
    except RecursionError:
        raise _malformed(f"The body is nested deeper than {MAXIMUM_DEPTH}.") from None
    if _ESCAPED_SURROGATE_OR_NUL.search(body) is not None:
        _check_texts(value)
    return value


def _malformed(detail: str) -> Problem:
    return Problem("body-malformed", 400, detail)


def _check_depth(body: bytes) -> None:
    """Refuse what is nested too deep before a parser recurses into it."""
    if body.count(b"[") + body.count(b"{") <= MAXIMUM_DEPTH:
        return
    depth = 0
    for token in _STRUCTURE.finditer(body):
        first = token[0][:1]
        if first in b"[{":
            depth += 1
            if depth > MAXIMUM_DEPTH:
                raise _malformed(f"The body is nested deeper than {MAXIMUM_DEPTH}.")
        elif first in b"]}":
            depth -= 1


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _malformed("An object has the same member name twice.")
    return members


def _no_constant(name: str) -> None:
    raise _malformed(f"{name} is not JSON.")


def _integer(digits: str) -> int:
    value = int(digits) if len(digits) <= _MAXIMUM_DIGITS else _GREATEST_INTEGER + 1
    if not _LEAST_INTEGER <= value <= _GREATEST_INTEGER:
        raise _malformed("An integer does not fit into 64 bits.")
    return value


def _double(digits: str) -> float:
    """Read a number with a fraction or an exponent; 59.0 is the integer 59, as JSON Schema has it."""
    value = float(digits)
    if not math.isfinite(value):
        raise _malformed("A number does not fit into a double.")
    return int(value) if value.is_integer() and abs(value) < _EXACT else value


def _check_texts(value: Any) -> None:
    """Refuse texts that no UTF-8 document and no database can hold."""
    for text in _texts(value):
        if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
            raise _malformed("A string holds U+0000 or half of a surrogate pair.")


def _texts(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        now = waiting.pop()
        if isinstance(now, str):
            yield now
        elif isinstance(now, dict):
            waiting += [*now, *now.values()]
        elif isinstance(now, list):
            waiting += now


async def body_of(request: Request, model: type[BaseModel]) -> BaseModel:
    """Read the request's JSON body as a model.

    Raises:
        Problem: 415 for another media type, 400 for malformed JSON, 422 with every fault.
    """
    media_type = request.headers.get("content-type", "")
    if _JSON_TYPE.fullmatch(media_type) is None:
        raise Problem(
            "media-type-unsupported", 415, "Send the body as application/json.", headers={"Accept": "application/json"}
        )
    body = await request.body()
    document = decode(body)
    if _FRACTION.search(body):
        body = json.dumps(document).encode()
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
