"""The text of a key: make one, read one, compare one."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from shared.keys import base64url

if TYPE_CHECKING:
    from shared.randomness import Randomness

_FORM: Final = re.compile(r"hal9_([a-z2-7]{12})_([A-Za-z0-9_-]{43})\Z")
_PREFIX_BYTES: Final = 10
_PREFIX_LENGTH: Final = 12
_SECRET_BYTES: Final = 32
_NO_HASH: Final = bytes(32)
"""What a secret is compared with when its prefix is unknown: nothing hashes to it that anyone could find."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made.

    Attributes:
        text: The whole key, to be shown once and kept nowhere.
        prefix: What finds it.
        secret_hash: SHA-256 of the secret, to be kept.
    """

    text: str = field(repr=False)
    prefix: str
    secret_hash: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class PresentedKey:
    """A key that someone presents.

    Attributes:
        prefix: What finds its row.
    """

    prefix: str
    _hash: bytes = field(repr=False)

    def matches(self, secret_hash: bytes | None) -> bool:
        """Compare with a kept hash, in the same time whatever it is.

        None stands for an unknown prefix and never matches.
        """
        same = hmac.compare_digest(self._hash, _NO_HASH if secret_hash is None else secret_hash)
        return same and secret_hash is not None


def generate(randomness: Randomness) -> NewKey:
    """Make a key.

    Args:
        randomness: Must be fit for secrets.
    """
    prefix = base64.b32encode(randomness.bytes(_PREFIX_BYTES)).decode("ascii").lower()[:_PREFIX_LENGTH]
    secret = base64url.encode(randomness.bytes(_SECRET_BYTES))
    return NewKey(f"hal9_{prefix}_{secret}", prefix, _hash(secret))


def present(text: str) -> PresentedKey | None:
    """Read a key; None when the text has not the form of one."""
    match = _FORM.match(text)
    return None if match is None else PresentedKey(match[1], _hash(match[2]))


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("ascii")).digest()
