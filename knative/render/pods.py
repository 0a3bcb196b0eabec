"""What all pods have in common: an account of their own, no rights, a file system that cannot be written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from knative.render.target import Manifest, Target

NOBODY: Final = 65532
"""The user and the group of every image."""

POD_SECURITY: Final = {
    "runAsNonRoot": True,
    "runAsUser": NOBODY,
    "runAsGroup": NOBODY,
    "fsGroup": NOBODY,
    "seccompProfile": {"type": "RuntimeDefault"},
}
CONTAINER_SECURITY: Final = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def account(name: str, target: Target) -> Manifest:
    """Give an account with no token of the Kubernetes API."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": target.metadata(name),
        "automountServiceAccountToken": False,
    }


def secret_variable(name: str, secret: str, key: str, *, optional: bool = False) -> dict[str, Any]:
    """Give an environment variable that comes from a Secret."""
    reference = {"name": secret, "key": key, **({"optional": True} if optional else {})}
    return {"name": name, "valueFrom": {"secretKeyRef": reference}}
