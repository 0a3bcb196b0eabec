"""Base64url without padding (RFC 4648 section 5, RFC 7515 appendix C), strict: one text for each value.

The standard library's decoder skips foreign characters and ignores left-over bits, so that many texts decode to the
same bytes; a signed token must have one form only.
"""

from __future__ import annotations

import base64
import re
from typing import Final

_ALPHABET: Final = re.compile(rb"[A-Za-z0-9_-]*\Z")


def encode(raw: bytes) -> str:
    """Write bytes as base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def decode(text: str | bytes) -> bytes:
    """Read base64url without padding.

    Raises:
        ValueError: A foreign character, padding, an impossible length, or bits that are left over.
    """
    raw = text.encode("ascii") if isinstance(text, str) else text
    if not _ALPHABET.match(raw):
        raise ValueError("not base64url")
    decoded = base64.urlsafe_b64decode(raw + b"=" * (-len(raw) % 4))
    if base64.urlsafe_b64encode(decoded).rstrip(b"=") != raw:
        raise ValueError("not canonical base64url")
    return decoded
