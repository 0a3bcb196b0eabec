"""Knative Services: one for each deployment, with its account and its disruption budget."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Final

import msgspec

from knative.render import proofs
from knative.render.pods import CONTAINER_SECURITY, POD_SECURITY, secret_variable
from knative.render.target import OBJECTS, OBJECTS_CLAIM, PORT

if TYPE_CHECKING:
    from knative.description import Deployment, Secret
    from knative.render.proofs import Deliverers
    from knative.render.target import Manifest, Target

TICK_SECONDS: Final = 60.0
"""The least time between two ticks of a PingSource."""

SETTINGS: Final = "hal9-settings"
"""A ConfigMap of the operator's own, with further settings for all functions; it need not be there."""

_PUBLIC: Final = "gateway"
_IDENTITY: Final = "/var/run/hal9/identity"
_TRUST: Final = "/var/run/hal9/trust"
_SPREAD: Final = ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
_READY: Final = {"httpGet": {"path": "/healthz/ready", "port": 0}}
"""With no period the queue-proxy probes every 25 ms; the webhook then admits no further field."""
_ALIVE: Final = {"httpGet": {"path": "/healthz/live", "port": 0}, "periodSeconds": 10, "failureThreshold": 6}
_AUTOSCALING: Final = "autoscaling.knative.dev"
_SIDECAR_CPU: Final = "queue.sidecar.serving.knative.dev/cpu-resource-request"
_STAGGER_SECONDS: Final = 0.005
"""For each instance that there may be: about what a server takes to make a connection, its process and the password."""

_LONGEST_STAGGER_SECONDS: Final = 0.25
_DELAY_SECONDS: Final = 60
"""The longest time for which a smaller need must last before instances go, where some stay anyway."""


def service(deployment: Deployment, allowed: Deliverers, target: Target) -> Manifest:
    """Give the Knative Service of a deployment, which `allowed` may deliver to."""
    labels = {} if deployment.name == _PUBLIC else {"networking.knative.dev/visibility": "cluster-local"}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": target.metadata(deployment.name, labels=labels),
        "spec": {
            "template": {
                "metadata": {
                    "annotations": autoscaling(deployment, target),
                    "labels": {"app.kubernetes.io/part-of": "hal9"},
                },
                "spec": _pod(deployment, allowed, target),
            }
        },
    }


def autoscaling(deployment: Deployment, target: Target) -> dict[str, str]:
    """Give the autoscaler's annotations. Values are strings: Knative's webhook refuses numbers.

    The target is `containerConcurrency`, the hard limit; the autoscaler aims for the function's `utilisation` of it.
    """
    scale = deployment.scale
    if _keeps_objects(deployment, target) and not target.objects_claim:
        scale = msgspec.structs.replace(
            scale, min=1, max=1
        )  # the artefacts go with the instance: it stays, and is the only one
    return {
        f"{_AUTOSCALING}/class": "kpa.autoscaling.knative.dev",
        f"{_AUTOSCALING}/metric": "concurrency",
        f"{_AUTOSCALING}/target": str(scale.concurrency),
        f"{_AUTOSCALING}/target-utilization-percentage": str(scale.utilisation),
        f"{_AUTOSCALING}/min-scale": str(scale.min),
        f"{_AUTOSCALING}/max-scale": str(scale.max),
        f"{_AUTOSCALING}/initial-scale": str(max(1, scale.min)),
        f"{_AUTOSCALING}/window": f"{min(3600, max(6, round(scale.idle_seconds)))}s",
        f"{_AUTOSCALING}/scale-down-delay": f"{min(_DELAY_SECONDS, round(scale.idle_seconds)) if scale.min else 0}s",
        **({_SIDECAR_CPU: deployment.resources.sidecar_cpu} if deployment.resources.sidecar_cpu else {}),
    }


def _pod(deployment: Deployment, allowed: Deliverers, target: Target) -> Manifest:
    return {
        "serviceAccountName": deployment.name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "containerConcurrency": deployment.scale.concurrency,
        "timeoutSeconds": round(deployment.function.timeout_seconds),
        "securityContext": POD_SECURITY,
        "topologySpreadConstraints": [_spread(deployment, key) for key in _SPREAD],
        "containers": [_container(deployment, allowed, target)],
        "volumes": [
            {
                "name": "identity",
                "secret": {"secretName": f"hal9-identity-{deployment.function.name}", "defaultMode": 0o440},
            },
            {"name": "trust", "configMap": {"name": "hal9-trust"}},
            {"name": "temporary", "emptyDir": {"sizeLimit": "512Mi"}},
            *proofs.volumes(deployment, allowed, target),
            *([_objects(target)] if _keeps_objects(deployment, target) else []),
        ],
    }


def _spread(deployment: Deployment, key: str) -> Manifest:
    return {
        "maxSkew": 1,
        "topologyKey": key,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": {"serving.knative.dev/service": deployment.name}},
    }


def _container(deployment: Deployment, allowed: Deliverers, target: Target) -> Manifest:
    function, resources = deployment.function, deployment.resources
    return {
        "name": "function",
        "image": f"{target.images}/{function.name}:{target.version}",
        "args": ["--deployment", deployment.name],  # behind the image's own: the host, the function's folder, the port
        "ports": [{"name": "http1", "containerPort": PORT, "protocol": "TCP"}],
        "envFrom": [{"configMapRef": {"name": SETTINGS, "optional": True}}],  # what the operator adds; ours come first
        "env": [
            *_environment(deployment, target),
            *proofs.variables(deployment, allowed, target),
            *(_secret(secret) for secret in function.secrets),
        ],
        "resources": {
            "requests": {"cpu": resources.cpu, "memory": resources.memory},
            "limits": {"memory": resources.memory},
        },
        "readinessProbe": copy.deepcopy(_READY),
        "livenessProbe": copy.deepcopy(_ALIVE),
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [
            {"name": "identity", "mountPath": _IDENTITY, "readOnly": True},
            {"name": "trust", "mountPath": _TRUST, "readOnly": True},
            {"name": "temporary", "mountPath": "/tmp"},  # noqa: S108 - the container's own
            *proofs.mounts(deployment, allowed, target),
            *([{"name": "objects", "mountPath": OBJECTS}] if _keeps_objects(deployment, target) else []),
        ],
    }


def _keeps_objects(deployment: Deployment, target: Target) -> bool:
    """Whether it keeps artefacts in a volume of its own pods, instead of in a bucket."""
    return "objects" in deployment.function.needs and target.objects_url.startswith("file:")


def _objects(target: Target) -> dict[str, Any]:
    if target.objects_claim:
        return {"name": "objects", "persistentVolumeClaim": {"claimName": OBJECTS_CLAIM}}
    return {"name": "objects", "emptyDir": {}}


def _environment(deployment: Deployment, target: Target) -> list[dict[str, Any]]:
    """Give the variables: in the revision itself, so that an older one keeps its own while two run side by side."""
    pool = _pool(deployment, target) if deployment.connections else {}
    # Knative's clock ticks once a minute at most: a function that has a faster schedule goes on by itself in between.
    fast = [schedule.every_seconds for schedule in deployment.schedules if schedule.every_seconds < TICK_SECONDS]
    values = {
        **pool,
        **({"HAL9_REPEAT_SECONDS": f"{min(fast):g}"} if fast else {}),
        "HAL9_REGION": target.region,
        "HAL9_BROKER_URL": target.broker_url,
        "HAL9_FUNCTION_URL": target.function_url,
        **({"HAL9_OBJECTS": target.objects_url} if "objects" in deployment.function.needs else {}),
        "HAL9_IDENTITY_KEY": f"{_IDENTITY}/key.json",
        "HAL9_TRUST": f"{_TRUST}/jwks.json",
        **deployment.environment,
    }
    return [{"name": name, "value": value} for name, value in sorted(values.items())]


def _pool(deployment: Deployment, target: Target) -> dict[str, str]:
    """Give the size of an instance's pools, and over how long those that start together spread their first connections.

    Where there are never many, nobody waits: a start from zero is one that somebody waits for.
    """
    stagger = min(_LONGEST_STAGGER_SECONDS, _STAGGER_SECONDS * deployment.scale.max)
    return {
        "HAL9_POOL_SIZE": str(target.pool_size or deployment.connections),
        "HAL9_POOL_STAGGER_SECONDS": f"{stagger:g}",
    }


def secret_name(variable: str) -> str:
    """Name the Secret whose entry `value` an environment variable is, such as `hal9-shards` for HAL9_SHARDS."""
    return "hal9-" + variable.removeprefix("HAL9_").lower().replace("_", "-")


def _secret(secret: Secret) -> dict[str, Any]:
    return secret_variable(secret.env, secret_name(secret.env), "value", optional=secret.optional)


def disruption_budget(deployment: Deployment, target: Target) -> Manifest:
    """Give the budget that keeps a node's drain from taking more than one instance at a time."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": target.metadata(deployment.name),
        "spec": {
            "maxUnavailable": 1,
            "selector": {"matchLabels": {"serving.knative.dev/service": deployment.name}},
        },
    }
