"""Jobs that reach the databases, each named after what it does: that of another version is another Job."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from knative.render.pods import CONTAINER_SECURITY, POD_SECURITY, secret_variable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from knative.render.target import Manifest, Target

SHARDS_ADMIN: Final = "hal9-shards-admin"
"""The Secret with the addresses for the role that owns the tables; no function sees it."""

_DIGITS: Final = 10


@dataclass(frozen=True, slots=True)
class Work:
    """What a Job does.

    Attributes:
        name: of its account, and of what its pods are called.
        image: the last part of its name, and the container's name.
        command: instead of the image's own; empty for that.
        arguments: behind the command.
        variables: beside HAL9_SHARDS_ADMIN.
        volumes: beside /tmp, with where they are mounted.
        again: how many times it is tried again at most.
        seconds: how long it may take, all tries together.
        at_once: exit codes that are no better at the second try.
    """

    name: str
    image: str = "migrations"
    command: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    volumes: Sequence[tuple[dict[str, Any], str]] = ()
    again: int = 2
    seconds: int = 900
    at_once: tuple[int, ...] = (2,)


def job(work: Work, target: Target) -> Manifest:
    """Give the Job."""
    labels = {"app.kubernetes.io/name": work.name}
    at_once = {"action": "FailJob", "onExitCodes": {"operator": "In", "values": list(work.at_once)}}
    spec = {
        "backoffLimit": work.again,
        "activeDeadlineSeconds": work.seconds,
        "podFailurePolicy": {"rules": [at_once]},
        "template": {
            "metadata": {"labels": {"app.kubernetes.io/part-of": "hal9", **labels}},
            "spec": _pod(work, target),
        },
    }
    digest = hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()[:_DIGITS]
    metadata = target.metadata(f"{work.name}-{digest}", labels=labels)
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}


def _pod(work: Work, target: Target) -> dict[str, Any]:
    return {
        "serviceAccountName": work.name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "restartPolicy": "Never",
        "securityContext": POD_SECURITY,
        "containers": [
            {
                "name": work.image,
                "image": f"{target.images}/{work.image}:{target.version}",
                **({"command": list(work.command)} if work.command else {}),
                **({"args": list(work.arguments)} if work.arguments else {}),
                "env": [
                    secret_variable("HAL9_SHARDS_ADMIN", SHARDS_ADMIN, "value"),
                    *({"name": name, "value": value} for name, value in work.variables.items()),
                ],
                "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
                "securityContext": CONTAINER_SECURITY,
                "volumeMounts": [
                    {"name": "temporary", "mountPath": "/tmp"},  # noqa: S108 - the container's own
                    *({"name": one["name"], "mountPath": path, "readOnly": True} for one, path in work.volumes),
                ],
            }
        ],
        "volumes": [{"name": "temporary", "emptyDir": {"sizeLimit": "64Mi"}}, *(one for one, _ in work.volumes)],
    }
