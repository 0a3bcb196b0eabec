"""Ed25519 keys: what a process signs with, and whose signatures it believes.

Every process has one private key, bound to one issuer name (`gateway`, `broker`, `platform`, `function:<name>`), and
one trust file: a JSON Web Key Set (RFC 7517, RFC 8037) whose keys each carry the issuer that they may speak for.
Promises that a key never verifies for an issuer that it is not bound to, and that private keys are written readable by
their owner only. It knows no tokens: see `shared.tokens`.
"""

from __future__ import annotations

from shared.keys.private import KeyFileError, PrivateKey
from shared.keys.trust import PublicKey, Trust, TrustSettings, trust_document, write_trust

__all__ = ["KeyFileError", "PrivateKey", "PublicKey", "Trust", "TrustSettings", "trust_document", "write_trust"]
