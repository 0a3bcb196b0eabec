"""Mint tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from shared.clock import SystemClock
from shared.identifiers import new_id
from shared.keys import PrivateKey, TrustSettings, base64url
from shared.settings import load
from shared.tokens.claims import Claims

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from uuid import UUID

    from shared.clock import Clock
    from shared.permissions import Principal

LIFETIME_SECONDS: Final = 60
"""The longest life of a token; a verifier refuses a longer one."""


class Issuer:
    """Mints tokens with one key, for the issuer that the key is bound to.

    Args:
        key: This process's private key.
        clock: Gives the time of issue.
        token_id: Gives each token its id.
    """

    def __init__(self, key: PrivateKey, clock: Clock | None = None, token_id: Callable[[], UUID] = new_id) -> None:
        self._key = key
        self._clock = clock or SystemClock()
        self._token_id = token_id
        self._header = base64url.encode(f'{{"alg":"EdDSA","kid":"{key.kid}","typ":"JWT"}}'.encode())

    @classmethod
    def own(cls, clock: Clock | None = None) -> Issuer:
        """Give the issuer that signs as this process, with the key that HAL9_IDENTITY_KEY names.

        Raises:
            RuntimeError: The variable is not set.
        """
        identity = load(TrustSettings).identity_key
        if identity is None:
            raise RuntimeError("HAL9_IDENTITY_KEY is not set: without its key a function can sign no token")
        return cls(PrivateKey.load(identity), clock)

    @property
    def name(self) -> str:
        """The issuer that the tokens name."""
        return self._key.issuer

    def mint(self, audience: str, principal: Principal | None = None, scope: Iterable[str] = ()) -> str:
        """Make a token.

        Args:
            audience: Whom it is for: a function's (deployment's) name, or `broker`.
            principal: For whom the request is done; None when the parts speak for themselves.
            scope: The permissions that were checked and granted: only what this request needs.
        """
        now = int(self._clock.now().timestamp())
        claims = Claims(
            self._key.issuer, audience, self._key.issuer, now, now + LIFETIME_SECONDS, str(self._token_id())
        )
        if principal is not None:
            claims = Claims(
                claims.issuer,
                audience,
                principal.subject,
                now,
                claims.expires_at,
                claims.token_id,
                principal.org_id,
                principal.roles,
                frozenset(scope),
                principal.key_id,
                principal.region,
                principal.user_id,
            )
        signed = f"{self._header}.{base64url.encode(claims.payload())}"
        return f"{signed}.{base64url.encode(self._key.sign(signed.encode('ascii')))}"
