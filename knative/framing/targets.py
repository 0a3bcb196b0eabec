"""Request targets (RFC 9112 section 3.2): whatever form of an address comes in, functions see the path."""

from __future__ import annotations

import re
from typing import Final

HOST: Final = re.compile(rb"(?:\[[0-9A-Za-z:.%_~-]+\]|[0-9A-Za-z._~!$&'()*+,;=%-]*)(?::[0-9]*)?")
"""A host with or without a port (RFC 3986 section 3.2, without a user)."""


def origin_form(target: bytes) -> tuple[bytes, bytes]:
    """Turn the absolute form of a request target into the origin form.

    Returns:
        The target as path and query, and the host that it names, with its port, if it does; that one goes before a
        Host header.

    Raises:
        ValueError: It has neither form.
    """
    if target.startswith(b"/"):
        return target, b""
    scheme, separator, rest = target.partition(b"://")
    if not separator or scheme.lower() not in {b"http", b"https"}:
        raise ValueError("The request target is not a path.")
    end = min((place for place in (rest.find(b"/"), rest.find(b"?")) if place >= 0), default=len(rest))
    authority, path = rest[:end], rest[end:]
    if not authority or HOST.fullmatch(authority) is None:
        raise ValueError("The request target names no host.")
    return path if path.startswith(b"/") else b"/" + path, authority
