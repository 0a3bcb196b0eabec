"""The keys that a cluster's API server signs its accounts' tokens with, as it publishes them (a JSON Web Key Set).

Promises: the set is fetched once before it is needed, again when it is old or a token names a key that is not in it,
never twice at once, and never more often than once in `REFETCH_SECONDS` (`RETRY_SECONDS` after a failure), however many
unknown keys are named; while the API server is away, the keys that are known stay good.
Does not: know how to reach the API server (whoever makes it gives a function that does), or read tokens.
"""

from __future__ import annotations

import asyncio
from contextvars import Context
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from shared.clock import SystemClock
from shared.keys import base64url
from shared.strictjson import read_object

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    from shared.clock import Clock

ALGORITHM: Final = "RS256"
REFETCH_SECONDS: Final = 10.0
"""The least time between two fetches, after one that succeeded."""

RETRY_SECONDS: Final = 1.0
"""The same, after one that failed."""

OLD_SECONDS: Final = 300.0
"""A set of this age is fetched again, so that a key that was withdrawn is believed no longer than that."""

_LONGEST_SET: Final = 256 << 10
_LONGEST_KID: Final = 256
_MODULUS_BITS: Final = range(2048, 8193)
_EXPONENTS: Final = range(3, 1 << 33)


class KeysUnavailableError(Exception):
    """The keys could not be fetched, so that it is not known whether a token is genuine; the text says why."""


@dataclass(frozen=True, slots=True)
class PublishedKey:
    """An RSA key of the cluster.

    Attributes:
        kid: The key's id, the API server's choice.
    """

    kid: str
    _key: RSAPublicKey = field(repr=False)

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Say whether the signature is this key's over the message: RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518, 3.3)."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.hashes import SHA256

        try:
            self._key.verify(signature, message, PKCS1v15(), SHA256())
        except InvalidSignature:
            return False
        return True


class PublishedKeys:
    """The keys that a cluster publishes, fetched when they are needed.

    Args:
        fetch: Gives the JSON Web Key Set as it was served. May raise OSError or TimeoutError.
        clock: Says how old the set is.

    Attributes:
        generation: Counts the sets that were taken; what was verified with an earlier one is to be verified again.
    """

    def __init__(self, fetch: Callable[[], Awaitable[bytes]], clock: Clock | None = None) -> None:
        self._fetch = fetch
        self._clock = clock or SystemClock()
        self._keys: Mapping[str, PublishedKey] = {}
        self._tried: float | None = None
        self._taken: float | None = None
        self._trouble: str | None = None
        self._fetching: asyncio.Task[None] | None = None
        self.generation = 0

    async def warm(self) -> None:
        """Return when there is a set: fetches one if there never was.

        Raises:
            KeysUnavailableError: There is none, and it cannot be fetched now.
        """
        if self._taken is None:
            await self._refetched()
            if self._taken is None:
                raise KeysUnavailableError(self._trouble)

    async def find(self, kid: str) -> PublishedKey | None:
        """Give the key of that id; None when the cluster publishes none.

        Raises:
            KeysUnavailableError: It is not known here, and the cluster cannot be asked now.
        """
        self.refresh()
        if kid not in self._keys:
            await self._refetched()
            if kid not in self._keys and self._trouble is not None:
                raise KeysUnavailableError(self._trouble)
        return self._keys.get(kid)

    def refresh(self) -> None:
        """Begin to fetch the set again if it is old; nobody waits, since its keys are good meanwhile."""
        if self._taken is not None and self._clock.monotonic() - self._taken >= OLD_SECONDS:
            self._start()

    async def _refetched(self) -> None:
        """Wait for the fetch that is under way, or for a new one if it is not too soon."""
        fetching = self._start()
        if fetching is not None:
            await asyncio.shield(fetching)

    def _start(self) -> asyncio.Task[None] | None:
        if self._fetching is None and self._may_try():
            self._tried = self._clock.monotonic()
            # In a context of its own: the deadline of whichever request came first is not the fetch's.
            self._fetching = asyncio.get_running_loop().create_task(self._take(), context=Context())
        return self._fetching

    def _may_try(self) -> bool:
        pause = REFETCH_SECONDS if self._trouble is None else RETRY_SECONDS
        return self._tried is None or self._clock.monotonic() - self._tried >= pause

    async def _take(self) -> None:
        """Fetch a set and keep it; what goes wrong is remembered, and the set that is here stays."""
        try:
            keys = read_published(await self._fetch())
        except (OSError, TimeoutError, ValueError) as error:
            self._trouble = f"the cluster's keys cannot be fetched: {type(error).__name__}: {error}"
        else:
            if keys != self._keys:
                self._keys = keys
                self.generation += 1
            self._taken, self._trouble = self._clock.monotonic(), None
        finally:
            self._fetching = None


def read_published(raw: bytes) -> dict[str, PublishedKey]:
    """Read a JSON Web Key Set (RFC 7517): its RSA keys for signatures, by key id.

    Keys of other kinds are left out, as RFC 7517 section 5 asks.

    Raises:
        ValueError: It is no such set, two keys have the same id, an RSA key is malformed or weak, or there is none.
    """
    if len(raw) > _LONGEST_SET:
        raise ValueError("a key set that is too long")
    members = read_object(raw).get("keys")
    if not isinstance(members, list) or not all(isinstance(member, dict) for member in members):
        raise ValueError("no JSON Web Key Set")
    ours = [_read_key(member) for member in members if _is_ours(member)]
    keys = {key.kid: key for key in ours}
    if len(keys) != len(ours):
        raise ValueError("two keys have the same id")
    if not keys:
        raise ValueError(f"no key for {ALGORITHM}")
    return keys


def _is_ours(member: Mapping[str, Any]) -> bool:
    return (
        member.get("kty") == "RSA"
        and member.get("use", "sig") == "sig"
        and member.get("alg", ALGORITHM) == ALGORITHM
        and "verify" in member.get("key_ops", ["verify"])
    )


def _read_key(member: Mapping[str, Any]) -> PublishedKey:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

    kid = member.get("kid")
    if not isinstance(kid, str) or not 0 < len(kid) <= _LONGEST_KID:
        raise ValueError("a key without an id")
    modulus, exponent = _number(member.get("n")), _number(member.get("e"))
    if modulus.bit_length() not in _MODULUS_BITS or exponent not in _EXPONENTS or not exponent % 2:
        raise ValueError("an RSA key that is too weak or too large")
    return PublishedKey(kid, RSAPublicNumbers(exponent, modulus).public_key())


def _number(value: object) -> int:
    if not isinstance(value, str):
        raise ValueError("an RSA key without its numbers")  # noqa: TRY004 - a fault of the data
    return int.from_bytes(base64url.decode(value), "big")
