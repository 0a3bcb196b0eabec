"""The header Idempotency-Key: what it may be, for every operation that takes one.

Source: draft-ietf-httpapi-idempotency-key-header-07. Does not: say what a key stands for, or for how long: that the
operation does, in its description.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from shared.problems import Problem, register

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.function.operation import Call

NAME: Final = "Idempotency-Key"
_PATTERN: Final = "[!-~]{1,255}"
_KEY: Final = re.compile(_PATTERN)

register("idempotency-key-invalid", 422, f"The {NAME} is not usable", "Send 1 to 255 visible ASCII characters.")


def idempotency_header(thing: str) -> Mapping[str, Mapping[str, Any]]:
    """Describe the header for an operation that makes a `thing`: what `Operation.headers` takes."""
    description = f"The same key gives the same {thing}, however often the request is sent."
    return {NAME: {"type": "string", "pattern": f"^{_PATTERN}$", "description": description}}


def idempotency_key(call: Call) -> str | None:
    """Give a request's key; None when it has none.

    Raises:
        Problem: 422 `idempotency-key-invalid`.
    """
    key: str | None = call.request.headers.get(NAME)
    if key is not None and _KEY.fullmatch(key) is None:
        raise Problem("idempotency-key-invalid")
    return key
