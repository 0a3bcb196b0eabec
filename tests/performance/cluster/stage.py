"""A namespace with the function `lean`, behind Knative and beside it, and a Broker; it goes with the `with` block.

From the environment, beside KUBECONFIG and `kubectl`:

    HAL9_CLUSTER_IMAGES      what comes before /<image>:<version> (dev.local/hal9)
    HAL9_CLUSTER_VERSION     the tag of the images that `python -m tests.performance.cluster.images` made
    HAL9_CLUSTER_CONNECT_TO  the ingress's host:port, where no DNS has its names
"""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tests.performance.cluster.kube import apply, found, kubectl, until
from tests.performance.cluster.requesting import Way

if TYPE_CHECKING:
    from collections.abc import Iterator

IMAGES: Final = os.environ.get("HAL9_CLUSTER_IMAGES", "dev.local/hal9")
SERVICE: Final = "serving.knative.dev/service"
WINDOW_SECONDS: Final = 6
_PORT: Final = 8080
_QUEUE_PROXY_PORT: Final = 8012
_BROKER_TOKEN: Final = "/var/run/hal9/broker"


def version() -> str:
    """Give the images' tag."""
    given = os.environ.get("HAL9_CLUSTER_VERSION")
    if not given:
        raise RuntimeError("set HAL9_CLUSTER_VERSION to the tag of the images that the cluster has")
    return given


def connect_to(host: str) -> tuple[str, int]:
    """Give where a name of the ingress is reached."""
    address, _, port = os.environ.get("HAL9_CLUSTER_CONNECT_TO", f"{host}:80").rpartition(":")
    return address, int(port)


@dataclass(frozen=True)
class Stage:
    """The namespace.

    Attributes:
        namespace: Its name.
        node: An address of the node.
    """

    namespace: str
    node: str

    def way(self, service: str, path: str = "/") -> Way:
        """Give the way to a Knative Service through the ingress."""
        host = found("-n", self.namespace, "get", "ksvc", service)["status"]["url"].partition("://")[2]
        return Way(*connect_to(host), host, path)

    def way_beside(self, port: int, path: str = "/") -> Way:
        """Give the way to a port of the one instance of `lean`, past the ingress: 8080 is the function's own."""
        service = found("-n", self.namespace, "get", "service", "lean-beside")
        (node_port,) = [one["nodePort"] for one in service["spec"]["ports"] if one["port"] == port]
        return Way(self.node, node_port, f"lean.{self.namespace}", path)

    def scale(self, service: str, least: int, most: int) -> None:
        """Make a revision with other bounds, and wait until it is there."""
        self.apply(service, least=least, most=most)

    def apply(self, deployment: str, **settings: Any) -> None:
        """Apply a deployment of `lean`, and wait until it is ready."""
        apply([service_of(deployment, self.namespace, **settings)])
        self.until_ready("ksvc", deployment)

    def until_ready(self, kind: str, name: str) -> dict[str, Any]:
        """Wait until an object is ready in its newest generation; give it."""

        def ready() -> dict[str, Any] | None:
            one = found("-n", self.namespace, "get", kind, name)
            status = one.get("status", {})
            held = any(part["type"] == "Ready" and part["status"] == "True" for part in status.get("conditions", []))
            return one if held and status.get("observedGeneration") == one["metadata"]["generation"] else None

        one: dict[str, Any] = until(f"{kind}/{name}", ready, 180)
        return one

    def pods(self, service: str) -> list[dict[str, Any]]:
        """Give the pods of a Knative Service, those that leave as well."""
        found_pods: list[dict[str, Any]] = found("-n", self.namespace, "get", "pods", "-l", f"{SERVICE}={service}")[
            "items"
        ]
        return found_pods

    def until_gone(self, service: str) -> None:
        """Wait until no instance is left."""
        until(f"{service} at zero", lambda: not self.pods(service), 180, 0.5)


def service_of(
    deployment: str,
    namespace: str,
    *,
    least: int = 0,
    most: int = 1,
    concurrency: int = 80,
    window: int = WINDOW_SECONDS,
    temporary: bool = False,
    broker: str = "",
    audience: str = "",
) -> dict[str, Any]:
    """Give a Knative Service of the lean function, with the probes that HAL9's own have.

    Args:
        deployment: Its name.
        namespace: Where.
        least: Instances at least.
        most: Instances at most.
        concurrency: Requests at a time that one takes.
        window: The autoscaler's stable window, in seconds.
        temporary: Whether it has a volume for temporary files, as HAL9's own have; the kubelet looks but every 0.3 s
            whether a pod's volumes are mounted.
        broker: Where it publishes, empty when it does not.
        audience: That of the token that it publishes with, empty without.
    """
    sends = [
        {"name": "HAL9_BROKER_URL", "value": broker},
        *([{"name": "HAL9_BROKER_TOKEN", "value": f"{_BROKER_TOKEN}/token"}] if audience else []),
        {"name": "HAL9_PUBLISH_SECONDS", "value": "60"},
    ]
    volumes: dict[str, dict[str, Any]] = {}
    if temporary:
        volumes["/tmp"] = {"name": "temporary", "emptyDir": {}}
    token = {"serviceAccountToken": {"path": "token", "expirationSeconds": 3600, "audience": audience}}
    if audience:
        volumes[_BROKER_TOKEN] = {"name": "broker", "projected": {"sources": [token]}}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": deployment, "namespace": namespace},
        "spec": {
            "template": {
                "metadata": {
                    "annotations": {
                        "autoscaling.knative.dev/target": str(concurrency),
                        "autoscaling.knative.dev/target-utilization-percentage": "100",
                        "autoscaling.knative.dev/min-scale": str(least),
                        "autoscaling.knative.dev/max-scale": str(most),
                        "autoscaling.knative.dev/window": f"{window}s",
                        "queue.sidecar.serving.knative.dev/cpu-resource-request": "5m",
                    }
                },
                "spec": {
                    "containerConcurrency": concurrency,
                    "enableServiceLinks": False,
                    "automountServiceAccountToken": False,
                    "containers": [
                        {
                            "name": "function",
                            "image": f"{IMAGES}/lean:{version()}",
                            "args": ["--deployment", deployment],
                            "ports": [{"name": "http1", "containerPort": _PORT}],
                            "env": sends if broker else [],
                            "resources": {"requests": {"cpu": "10m", "memory": "48Mi"}, "limits": {"memory": "192Mi"}},
                            "readinessProbe": {"httpGet": {"path": "/healthz/ready", "port": 0}},
                            "volumeMounts": [
                                {"name": volume["name"], "mountPath": path} for path, volume in volumes.items()
                            ],
                        }
                    ],
                    "volumes": list(volumes.values()),
                },
            }
        },
    }


def _beside(namespace: str) -> dict[str, Any]:
    """Give a Service whose node ports lead to the function and to its queue-proxy, with nothing in between."""
    ports = [{"name": f"p{port}", "port": port, "targetPort": port} for port in (_PORT, _QUEUE_PROXY_PORT)]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "lean-beside", "namespace": namespace},
        "spec": {"type": "NodePort", "selector": {SERVICE: "lean"}, "ports": ports},
    }


@contextmanager
def staged() -> Iterator[Stage]:
    """Make the namespace; delete it at the end."""
    namespace = f"hal9-bench-{secrets.token_hex(3)}"
    kubectl("create", "namespace", namespace)
    try:
        addresses = found("get", "nodes")["items"][0]["status"]["addresses"]
        node = next(one["address"] for one in addresses if one["type"] == "InternalIP")
        stage = Stage(namespace, node)
        apply([_beside(namespace)])
        yield stage
    finally:
        kubectl("delete", "namespace", namespace, "--wait=false", check=False)
