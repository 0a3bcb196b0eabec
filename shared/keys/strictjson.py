"""JSON objects from outside, read strictly (RFC 8259): one value for each name, nothing that JSON does not have."""

from __future__ import annotations

import json
from typing import Any


def strict_object(raw: bytes) -> dict[str, Any]:
    """Read one JSON object, refusing duplicate keys and the constants that JSON does not have.

    Raises:
        ValueError: Anything else.
    """
    try:
        document = json.loads(raw.decode("utf-8"), object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    if not isinstance(document, dict):
        raise ValueError("not an object")  # noqa: TRY004 - a fault of the data, like every other one here
    return document


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("duplicate key")
    return document


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
