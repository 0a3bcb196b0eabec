"""The archiver: one pod that receives every shard's WAL, makes the backups and tests restores, by its own clock.

A Deployment of one, `Recreate`, with a volume: WAL lies there until the store has it, and restore tests have room
there. So it needs no CronJobs: what is due is known from the store (HAL9_BACKUP_EVERY_HOURS, HAL9_BACKUP_TEST_HOURS),
also after a pod that was away, and a backup that must follow a promotion at once waits for no schedule. It is ready
once it has archived every shard, so that a role without the rights is seen when it is deployed, not when it is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from knative.render import network
from knative.render.jobs import SHARDS_ADMIN
from knative.render.pods import CONTAINER_SECURITY, POD_SECURITY, account, secret_variable
from knative.render.services import SETTINGS, secret_name
from knative.render.target import PORT

if TYPE_CHECKING:
    from knative.render.target import Manifest, Target

NAME: Final = "hal9-archiver"
"""Of everything that belongs to it."""

STORE: Final = "hal9-backup-store"
"""A Secret of the operator's own with what boto3 takes from the environment (AWS_ACCESS_KEY_ID, …); it need not be."""

SECRETS: Final = ("HAL9_BACKUP_SHARDS", "HAL9_DATA_KEYS", "HAL9_DATA_KEYS_MAC")
"""What it must be given, beside HAL9_SHARDS_ADMIN: keys of KMS are not taken without those of the MACs."""

LABELS: Final = {"app.kubernetes.io/name": NAME}
"""Of its pod."""

_FOLDER: Final = "/var/lib/hal9"
_ENDING_SECONDS: Final = 60
"""WAL that was received is put into the store first."""

_READY: Final = {"httpGet": {"path": "/healthz/ready", "port": PORT}, "periodSeconds": 2, "failureThreshold": 3}
_ALIVE: Final = {"httpGet": {"path": "/healthz/live", "port": PORT}, "periodSeconds": 10, "failureThreshold": 6}


def manifests(target: Target) -> list[Manifest]:
    """Give the Deployment with its account, its volume, its policy, and the Service that metrics are read from."""
    policy = network.of_archiver(NAME, LABELS, target)
    return [account(NAME, target), policy, _claim(target), _service(target), _deployment(target)]


def _claim(target: Target) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": target.metadata(NAME),
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": target.backups_size}},
            **({"storageClassName": target.backups_storage_class} if target.backups_storage_class else {}),
        },
    }


def _service(target: Target) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": target.metadata(NAME),
        "spec": {
            "selector": LABELS,
            "ports": [{"name": "metrics", "port": PORT, "targetPort": PORT, "protocol": "TCP"}],
        },
    }


def _deployment(target: Target) -> Manifest:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": target.metadata(NAME),
        "spec": {
            "replicas": 1,
            "strategy": {"type": "Recreate"},  # a server's slot is one's, as the volume is
            "selector": {"matchLabels": LABELS},
            "template": {
                "metadata": {"labels": {"app.kubernetes.io/part-of": "hal9", **LABELS}, "annotations": {}},
                "spec": _pod(target),
            },
        },
    }


def _pod(target: Target) -> dict[str, Any]:
    return {
        "serviceAccountName": NAME,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": _ENDING_SECONDS,
        "securityContext": POD_SECURITY,
        "containers": [
            {
                "name": "archiver",
                "image": f"{target.images}/archiver:{target.version}",
                "envFrom": [
                    {"configMapRef": {"name": SETTINGS, "optional": True}},
                    {"secretRef": {"name": STORE, "optional": True}},
                ],
                "env": [
                    *({"name": name, "value": value} for name, value in sorted(_variables(target).items())),
                    secret_variable("HAL9_SHARDS_ADMIN", SHARDS_ADMIN, "value"),
                    *(secret_variable(name, secret_name(name), "value") for name in SECRETS),
                ],
                "ports": [{"name": "metrics", "containerPort": PORT, "protocol": "TCP"}],
                "readinessProbe": _READY,
                "livenessProbe": _ALIVE,
                "resources": {"requests": {"cpu": "50m", "memory": "192Mi"}, "limits": {"memory": "1Gi"}},
                "securityContext": CONTAINER_SECURITY,
                "volumeMounts": [
                    {"name": "data", "mountPath": _FOLDER},
                    {"name": "temporary", "mountPath": "/tmp"},  # noqa: S108 - the container's own
                ],
            }
        ],
        "volumes": [
            {"name": "data", "persistentVolumeClaim": {"claimName": NAME}},
            {"name": "temporary", "emptyDir": {"sizeLimit": "64Mi"}},
        ],
    }


def _variables(target: Target) -> dict[str, str]:
    return {
        "HAL9_BACKUPS": target.backups,
        "HAL9_BACKUP_PORT": str(PORT),
        "HAL9_HOME": _FOLDER,
        "HAL9_REGION": target.region,
        "HAL9_RELEASE": target.version,
        "TMPDIR": f"{_FOLDER}/scratch",
    }
