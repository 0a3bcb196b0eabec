"""The Job that brings every shard's schema up to date, once for each version, before anything of that version runs."""

from __future__ import annotations

import hashlib
import json
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
_AT_ONCE: Final = {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [2, 3]}}
"""A wrong setting, or an organisation that has its key, is no better at the second try."""

_DIGITS: Final = 10


def manifests(target: Target) -> list[Manifest]:
    """Give the Job with its account and the policy that lets it reach the databases."""
    return [account(NAME, target), network.migrations(LABELS, target), job([], target)]


def job(arguments: Sequence[str], target: Target) -> Manifest:
    """Give a Job of the image `migrations`, named after what it does: that of another version is another Job.

    Args:
        arguments: what it is to do besides, such as make an organisation.
        target: for which cluster.
    """
    spec = {
        "backoffLimit": _AGAIN,
        "activeDeadlineSeconds": _DEADLINE_SECONDS,
        "podFailurePolicy": {"rules": [_AT_ONCE]},
        "template": {
            "metadata": {"labels": {"app.kubernetes.io/part-of": "hal9", **LABELS}},
            "spec": _pod(arguments, target),
        },
    }
    digest = hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()[:_DIGITS]
    metadata = target.metadata(f"{NAME}-{digest}", labels=LABELS)
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}


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
                **({"args": list(arguments)} if arguments else {}),
                "env": [secret_variable("HAL9_SHARDS_ADMIN", SHARDS_ADMIN, "value")],
                "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
                "securityContext": CONTAINER_SECURITY,
                "volumeMounts": [{"name": "temporary", "mountPath": "/tmp"}],  # noqa: S108 - the container's own
            }
        ],
        "volumes": [{"name": "temporary", "emptyDir": {"sizeLimit": "64Mi"}}],
    }
