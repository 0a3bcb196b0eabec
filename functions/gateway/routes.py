"""The routes that are passed on, from the generated OpenAPI document.

It is the table of routes, so that what is described is what there is.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from functions.gateway.forwarding import forward_to
from shared.function import Operation

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCUMENT: Final = Path(__file__).parent / "openapi.json"
_OWN: Final = "gateway"
_METHODS: Final = ("get", "put", "post", "delete", "patch")


@cache
def document() -> bytes:
    """Give the OpenAPI document as it is answered at `/openapi.json`."""
    return DOCUMENT.read_bytes()


def passed_on() -> Iterator[Operation]:
    """Give an operation for each route of another function."""
    paths: dict[str, dict[str, Any]] = json.loads(document())["paths"]
    for path, item in paths.items():
        for method in _METHODS:
            route = item.get(method)
            if route is not None and route["x-hal9-function"] != _OWN:
                yield Operation(
                    method.upper(),
                    path,
                    route["x-hal9-permission"],
                    forward_to(route["x-hal9-deployment"], route["x-hal9-function"]),
                    route["summary"],
                    raw_body=True,
                    streaming=route.get("x-hal9-streaming", False),
                )
