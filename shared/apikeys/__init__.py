"""API keys: `hal9_<prefix>_<secret>`, shown once, kept as a hash.

The prefix (12 characters, 60 bits) finds the row and may be shown; the secret (32 random bytes as base64url, 43
characters) is kept as its SHA-256, which is enough for 256 bits of entropy: there is nothing to guess, so there is
nothing to slow down. Comparison takes the same time for an unknown prefix, a wrong secret, a revoked and an expired
key. The table lives in the directory (`shared/database/migrations/directory`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.apikeys.key import NewKey, PresentedKey, generate, present

if TYPE_CHECKING:
    from shared.apikeys.rows import (
        OPERATOR,
        ApiKey,
        LastOwnerKeyError,
        create,
        end,
        find,
        get,
        list_keys,
        revoke,
        touch,
    )

__all__ = [
    "OPERATOR",
    "ApiKey",
    "LastOwnerKeyError",
    "NewKey",
    "PresentedKey",
    "create",
    "end",
    "find",
    "generate",
    "get",
    "list_keys",
    "present",
    "revoke",
    "touch",
]


def __getattr__(name: str) -> Any:
    """Import the rows, and so the database's driver, only when they are used: the SDK shares this package."""
    if name in __all__:
        from shared.apikeys import rows

        return getattr(rows, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
