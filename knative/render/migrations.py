"""The Job that brings every shard's schema up to date, once for each version, before anything of that version runs."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from knative.render import network
from knative.render.pods import CONTAINER_SECURITY, POD_SECURITY, account, secret_variable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from knative.render.target import Manifest, Target

NAME: Final = "hal9-migrations"
"""Of its account and of what its pods are called."""

SHARDS_ADMIN: Final = "hal9-shards-admin"
"""The Secret with the addresses for the role that owns the tables; no function sees it."""

LABELS: Final = {"app.kubernetes.io/name": NAME}
_DEADLINE_SECONDS: Final = 900
_AGAIN: Final = 2


def manifests(target: Target) -> list[Manifest]:
    """Give the Job with its account and the policy that lets it reach the databases."""
    return [account(NAME, target), network.migrations(LABELS, target), job(migration_name(target), ["migrate"], target)]


def migration_name(target: Target) -> str:
    """Name the Job after its version, so that each version's is another one."""
    return f"{NAME}-{hashlib.sha256(f'{target.images}:{target.version}'.encode()).hexdigest()[:10]}"


def job(name: str, arguments: Sequence[str], target: Target) -> Manifest:
    """Give a Job of the image `migrations`.

    Args:
        name: of the Job.
        arguments: what it is to do.
        target: for which cluster.
    """
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": target.metadata(name, labels=LABELS),
        "spec": {
            "backoffLimit": _AGAIN,
            "activeDeadlineSeconds": _DEADLINE_SECONDS,
            "template": {
                "metadata": {"labels": {"app.kubernetes.io/part-of": "hal9", **LABELS}},
                "spec": _pod(arguments, target),
            },
        },
    }


def _pod(arguments: Sequence[str], target: Target) -> dict[str, Any]:
    return {
        "serviceAccountName": NAME,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "restartPolicy": "Never",
        "securityContext": POD_SECURITY,
        "containers": [
            {
                "name": "migrations",
                "image": f"{target.images}/migrations:{target.version}",
                "args": list(arguments),
                "env": [secret_variable("HAL9_SHARDS_ADMIN", SHARDS_ADMIN, "value")],
                "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
                "securityContext": CONTAINER_SECURITY,
                "volumeMounts": [{"name": "temporary", "mountPath": "/tmp"}],  # noqa: S108 - the container's own
            }
        ],
        "volumes": [{"name": "temporary", "emptyDir": {"sizeLimit": "64Mi"}}],
    }
