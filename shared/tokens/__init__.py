"""Short-lived tokens between the parts: signed by whoever passes a request on, verified by whoever does it.

A token is a JSON Web Token (RFC 7519) in compact form, signed with Ed25519 (RFC 8037), for one audience and at most 60
seconds. It says who asks, for which organisation, with which permissions. Verification is as strict as RFC 8725 asks:
one algorithm, one form, every claim required, the key bound to its issuer.

It reads and writes this one profile itself, on `cryptography`, rather than with PyJWT: PyJWT's import costs 75 ms of
CPU, half of a lean function's cold start, and what is left after "exactly these three header members, exactly this
algorithm" is a page. PyJWT is the independent oracle of the tests.
"""

from __future__ import annotations

from shared.tokens.claims import Claims
from shared.tokens.issuer import LIFETIME_SECONDS, Issuer
from shared.tokens.verifier import Verifier

__all__ = ["LIFETIME_SECONDS", "Claims", "Issuer", "Verifier"]
