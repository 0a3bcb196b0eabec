"""Keys of objects: `<organisation>/<part>/<part>…`.

Promises: a key has letters, digits, `.`, `_` and `-` only, and no part begins with a dot: none is a path to elsewhere.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from uuid import UUID

MAX_BYTES: Final = 512
# A part does not begin with a dot: no `..`, no hidden file, and none of the store's own temporary files.
_PART: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")
_ORGANISATION: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def key(org_id: UUID, *parts: str) -> str:
    """The key of an organisation's object.

    Raises:
        ValueError: a part is empty, too long, or has characters that a key may not have.
    """
    return validated("/".join((str(org_id), *parts)))


def validated(text: str) -> str:
    """The key, when it is one.

    Raises:
        ValueError: it is not; the text says why.
    """
    organisation, *parts = text.split("/")
    if not _ORGANISATION.fullmatch(organisation):
        raise ValueError("an object's key begins with the organisation's id")
    if not parts or not all(_PART.fullmatch(part) for part in parts):
        raise ValueError(
            "an object's key has parts of 1 to 128 letters, digits, '.', '_' and '-', that do not begin with a dot"
        )
    if len(text) > MAX_BYTES:
        raise ValueError(f"an object's key has at most {MAX_BYTES} characters")
    return text
