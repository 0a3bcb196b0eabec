"""Verify the tokens that a Kubernetes cluster mints for its accounts: what Knative's broker proves itself with.

A token is a JSON Web Token in compact form, signed with RS256 by the API server, as the TokenRequest API mints it. Any
pod may ask for one with any audience, for its own account: the audience alone proves nothing, the subject does.

Promises, as RFC 8725 asks: one algorithm, one form, every claim required; signature, issuer, audience (ours alone),
subject (one of those that may speak to us), `nbf`, `iat` and `exp`; keys come from the cluster only, never from the
token (`jku`, `x5u`, `jwk` and their like are refused); nothing of the payload is looked at before its signature is.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from shared.clock import SystemClock
from shared.keys import base64url
from shared.keys.published import ALGORITHM
from shared.strictjson import read_object
from shared.tokens.verifier import SKEW_SECONDS

if TYPE_CHECKING:
    from collections.abc import Collection

    from shared.clock import Clock
    from shared.keys.published import PublishedKey, PublishedKeys

_LONGEST_TOKEN: Final = 8192
_LONGEST_HEADER: Final = 512
_LONGEST_TEXT: Final = 512
_HEADERS: Final = ({"alg", "kid"}, {"alg", "kid", "typ"})


class NotGenuineError(ValueError):
    """The token is not one that we take; the text says why, for tests and never for whoever sent it."""


@dataclass(frozen=True, slots=True)
class AccountClaims:
    """What a genuine token of an account says.

    Attributes:
        issuer: The cluster's.
        audience: Whom it is for; one.
        subject: `system:serviceaccount:<namespace>:<name>`.
        issued_at: Seconds since 1970.
        not_before: Seconds since 1970.
        expires_at: Seconds since 1970.
        token_id: Unique; empty where the cluster gives none.
    """

    issuer: str
    audience: str
    subject: str
    issued_at: int
    not_before: int
    expires_at: int
    token_id: str

    @classmethod
    def read(cls, payload: bytes) -> AccountClaims:
        """Read a payload whose signature was verified; claims that are not named above are left alone.

        Raises:
            ValueError: No JSON object, a name twice, or a claim is missing or of the wrong shape.
        """
        document = read_object(payload)
        issued_at = _seconds(document.get("iat"))
        return cls(
            _text(document.get("iss")),
            _only(document.get("aud")),
            _text(document.get("sub")),
            issued_at,
            _seconds(document.get("nbf", issued_at)),
            _seconds(document.get("exp")),
            _text(document["jti"]) if "jti" in document else "",
        )


class AccountVerifier:
    """Verifies tokens of accounts; remembers a bounded number of those that it verified.

    Args:
        keys: The cluster's.
        issuer: The cluster's, as its tokens name it.
        audience: Our name; a token must be for it alone.
        clock: Says what is current.
        remembered: How many verified tokens are kept: the broker uses each for the better part of an hour.
    """

    def __init__(
        self, keys: PublishedKeys, issuer: str, audience: str, clock: Clock | None = None, remembered: int = 256
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._clock = clock or SystemClock()
        self._remembered: OrderedDict[str, AccountClaims] = OrderedDict()
        self._most = remembered
        self._generation = keys.generation

    async def warm(self) -> None:
        """Return when the cluster's keys are here. Raises KeysUnavailableError."""
        await self._keys.warm()

    async def verify(self, token: str, subjects: Collection[str]) -> AccountClaims:
        """Give the claims of a token that is genuine, current, meant for us, and of an account that may speak to us.

        Args:
            token: The compact form (RFC 7515 section 7.1).
            subjects: The accounts.

        Raises:
            NotGenuineError: It is anything else.
            KeysUnavailableError: It names a key that is not known here, and the cluster cannot be asked now.
        """
        try:
            claims = await self._genuine(token)
            self._check(claims, subjects)
        except NotGenuineError:
            raise
        except (ValueError, KeyError) as error:
            raise NotGenuineError(str(error)) from error
        return claims

    async def _genuine(self, token: str) -> AccountClaims:
        self._keys.refresh()
        known = self._remembered.get(token) if self._generation == self._keys.generation else None
        if known is not None:
            return known
        claims = await self._open(token)
        if self._generation != self._keys.generation:
            self._generation = self._keys.generation
            self._remembered.clear()
        self._remembered[token] = claims
        if len(self._remembered) > self._most:
            self._remembered.popitem(last=False)
        return claims

    async def _open(self, token: str) -> AccountClaims:
        if len(token) > _LONGEST_TOKEN or not token.isascii():
            raise ValueError("not a token")
        head, payload, signature = token.split(".")
        signed_by = base64url.decode(signature)
        key = await self._signer(head)
        if not key.verifies(signed_by, f"{head}.{payload}".encode("ascii")):
            raise ValueError("not signed by that key")
        return AccountClaims.read(base64url.decode(payload))

    async def _signer(self, head: str) -> PublishedKey:
        """Find the key that the header names; exactly the members that Kubernetes writes are taken, and `typ`."""
        if len(head) > _LONGEST_HEADER:
            raise ValueError("a header that is too long")
        header = read_object(base64url.decode(head))
        if header.keys() not in _HEADERS or header["alg"] != ALGORITHM or header.get("typ", "JWT") != "JWT":
            raise ValueError("not a token of an account")
        key = await self._keys.find(_text(header["kid"]))
        if key is None:
            raise ValueError("a key that the cluster does not publish")
        return key

    def _check(self, claims: AccountClaims, subjects: Collection[str]) -> None:
        now = self._clock.now().timestamp()
        if claims.issuer != self._issuer:
            raise ValueError("from another cluster")
        if claims.audience != self._audience:
            raise ValueError("for someone else")
        if claims.subject not in subjects:
            raise ValueError("from someone who may not speak to us")
        if max(claims.not_before, claims.issued_at) > now + SKEW_SECONDS or claims.expires_at <= now - SKEW_SECONDS:
            raise ValueError("not current")


def issuer_of(token: str) -> str:
    """Give the issuer that a token names, unverified: for a token that is our own, which the kubelet gave us.

    Raises:
        ValueError: It is no token.
    """
    parts = token.strip().split(".")
    if len(parts) != 3:
        raise ValueError("not a token in compact form")
    return _text(read_object(base64url.decode(parts[1])).get("iss"))


def _only(value: object) -> str:
    """Read an audience; one that is shared with others is none: whoever they are could send the token on to us."""
    audiences: list[Any] = value if isinstance(value, list) else [value]
    if len(audiences) != 1:
        raise ValueError("not for exactly one audience")
    return _text(audiences[0])


def _text(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_TEXT:
        raise ValueError("not a text of a sensible length")
    return value


def _seconds(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("not a time in whole seconds")
    return value
