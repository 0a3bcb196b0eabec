"""Verify tokens."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from shared.clock import SystemClock
from shared.keys import base64url
from shared.problems import Problem
from shared.strictjson import read_object
from shared.tokens.claims import Claims
from shared.tokens.issuer import LIFETIME_SECONDS

if TYPE_CHECKING:
    from collections.abc import Collection

    from shared.clock import Clock
    from shared.keys import PublicKey, Trust

SKEW_SECONDS: Final = 5
"""How far the clocks of two machines may differ."""

_LONGEST_TOKEN: Final = 8192
_LONGEST_HEADER: Final = 512
_SIGNATURE_BYTES: Final = 64


class Verifier:
    """Verifies tokens against the believed keys; remembers a bounded number of those that it verified.

    Args:
        trust: The believed keys.
        clock: Says what is expired.
        remembered: How many verified tokens are kept, so that the next request with the same token costs no signature
            check.
    """

    def __init__(self, trust: Trust, clock: Clock | None = None, remembered: int = 4096) -> None:
        self._trust = trust
        self._clock = clock or SystemClock()
        self._remembered: OrderedDict[str, Claims] = OrderedDict()
        self._most = remembered
        self._generation = trust.generation

    def verify(self, token: str, audience: str, issuers: Collection[str]) -> Claims:
        """Give the claims of a token that is genuine, current and meant for us.

        Args:
            token: The compact form (RFC 7515 section 7.1).
            audience: Our name; the token must be for it alone.
            issuers: Who may speak to us; `function:*` stands for every function.

        Raises:
            Problem: 401 `credentials-invalid`, with the same text whatever is wrong.
        """
        try:
            claims = self._genuine(token)
            self._check(claims, audience, issuers)
        except (ValueError, KeyError) as error:
            raise Problem(
                "credentials-invalid",
                401,
                "The token is not valid for this function.",
                headers={"WWW-Authenticate": "Bearer"},
            ) from error
        return claims

    def _genuine(self, token: str) -> Claims:
        if self._trust.refresh() != self._generation:
            self._generation = self._trust.generation
            self._remembered.clear()
        known = self._remembered.get(token)
        if known is not None:
            return known
        claims = _open(token, self._trust)
        self._remembered[token] = claims
        if len(self._remembered) > self._most:
            self._remembered.popitem(last=False)
        return claims

    def _check(self, claims: Claims, audience: str, issuers: Collection[str]) -> None:
        now = self._clock.now().timestamp()
        if claims.audience != audience:
            raise ValueError("for someone else")
        if claims.issuer not in issuers and not (claims.issuer.startswith("function:") and "function:*" in issuers):
            raise ValueError("from someone who may not speak to us")
        if not 0 < claims.expires_at - claims.issued_at <= LIFETIME_SECONDS:
            raise ValueError("a life that is too long")
        if claims.issued_at > now + SKEW_SECONDS or claims.expires_at <= now - SKEW_SECONDS:
            raise ValueError("not current")


def _open(token: str, trust: Trust) -> Claims:
    """Check form and signature, in this order: nothing of the payload is looked at before its signature is."""
    if len(token) > _LONGEST_TOKEN or not token.isascii():
        raise ValueError("not a token")
    head, payload, signature = token.split(".")
    key = _signer(head, trust)
    signed_by = base64url.decode(signature)
    if len(signed_by) != _SIGNATURE_BYTES or not key.verifies(signed_by, f"{head}.{payload}".encode("ascii")):
        raise ValueError("not signed by that key")
    claims = Claims.read(base64url.decode(payload))
    if claims.issuer != key.issuer:
        raise ValueError("the key may not speak for that issuer")
    return claims


def _signer(head: str, trust: Trust) -> PublicKey:
    """Find the key that the header names.

    Exactly three members are taken, so `crit`, `b64`, `jwk`, `jku`, `x5u` and their like are refused by not being
    there.
    """
    if len(head) > _LONGEST_HEADER:
        raise ValueError("a header that is too long")
    header = read_object(base64url.decode(head))
    if header.keys() != {"alg", "kid", "typ"} or header["alg"] != "EdDSA" or header["typ"] != "JWT":
        raise ValueError("not our kind of token")
    key = trust.find(header["kid"]) if isinstance(header["kid"], str) else None
    if key is None:
        raise ValueError("an unknown key")
    return key
