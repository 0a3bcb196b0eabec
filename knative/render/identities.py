"""Who the functions are on a cluster: a Secret with the key of each, and one ConfigMap with what may be believed.

Promises: the ConfigMap holds public halves only. Does not: choose where keys are kept (`hal9 deploy` keeps them in the
cluster, `hal9 identities create` in a folder), or rotate them.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Final

from shared.keys import PrivateKey, base64url, trust_document
from shared.keys.trust import PublicKey

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from knative.description import FunctionDescription
    from knative.render.target import Manifest, Target

TRUST: Final = "hal9-trust"
KEY_FILE: Final = "key.json"
KEPT_LABEL: Final = "hal9.ai/kept"
"""On what outlives a removal that keeps the data: without it nobody could read what the volumes hold."""

_TRUST_FILE: Final = "jwks.json"
_GATEWAY: Final = "gateway"


def secret_of(function: FunctionDescription) -> str:
    """Name the Secret that holds a function's key."""
    return f"hal9-identity-{function.name}"


def new_key(function: FunctionDescription) -> bytes:
    """Make a key for a function: a JWK with its issuer."""
    issuer = _GATEWAY if function.name == _GATEWAY else f"function:{function.name}"
    return PrivateKey.generate(issuer).document()


def public(key: bytes) -> PublicKey:
    """Give a key's public half.

    Raises:
        ValueError, KeyError: It is no key.
    """
    document = json.loads(key)
    return PublicKey.of(PrivateKey.from_seed(base64url.decode(document["d"]), document["iss"]))


def trust(keys: Iterable[bytes], target: Target) -> Manifest:
    """Give the ConfigMap of the public halves of keys."""
    text = trust_document(sorted(map(public, keys), key=lambda one: one.issuer)).decode("ascii")
    metadata = target.metadata(TRUST, labels={KEPT_LABEL: "true"})
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {_TRUST_FILE: text}}


def secret(name: str, values: Mapping[str, bytes], target: Target) -> Manifest:
    """Give a Secret that outlives the removal of what reads it."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": target.metadata(name, labels={KEPT_LABEL: "true"}),
        "type": "Opaque",
        "data": {key: base64.b64encode(value).decode("ascii") for key, value in values.items()},
    }


def values_of(secret: Manifest) -> dict[str, bytes]:
    """Give what a Secret holds."""
    return {name: base64.b64decode(value) for name, value in (secret.get("data") or {}).items()}
