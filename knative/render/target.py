"""Where manifests are for: region, environment, names of what the cluster has already."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Any, Final, Literal

Manifest = dict[str, Any]
"""One Kubernetes object."""

REGIONS: Final = ("us-west", "eu-central", "ap-south")

FEATURE_FLAGS: Final = {
    "kubernetes.podspec-topologyspreadconstraints": "instances spread over zones and nodes",
    "kubernetes.podspec-securitycontext": "the pod's own security context (fsGroup, seccomp)",
}
"""What `config-features` in knative-serving must enable, and what for."""

PORT: Final = 8080
"""The port that every function listens on."""


_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_IMAGES: Final = re.compile(r"[a-z0-9]+([._:/-][a-z0-9]+)*")
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")


def _is_cidr(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return "/" in text


@dataclass(frozen=True)
class Target:
    """What differs from one cluster to the next.

    Attributes:
        region: one of `REGIONS`.
        environment: whose overrides in function.toml count.
        namespace: where everything goes.
        images: what comes before `/<function>:<version>` in an image's name.
        version: the images' tag.
        broker: `kafka` in production, `channel` for trying out.
        broker_name: the Broker's name.
        ingress_namespaces: where the cluster's ingress runs: the way in, and from function to function.
        database_cidrs: addresses of the PostgreSQL shards, in CIDR notation.
        cache_cidrs: addresses of Valkey or Redis, in CIDR notation.
        objects: where artefacts are kept, `s3://bucket/prefix`; empty for the bucket `hal9-<region>`.

    Raises:
        ValueError: A name, tag, range or address is none; names every fault.
    """

    region: str
    environment: str = "production"
    namespace: str = "hal9"
    images: str = "registry.example/hal9"
    version: str = "0.1.0"
    broker: Literal["kafka", "channel"] = "kafka"
    broker_name: str = "default"
    ingress_namespaces: tuple[str, ...] = ("knative-serving", "kourier-system")
    database_cidrs: tuple[str, ...] = ("10.0.0.0/8",)
    cache_cidrs: tuple[str, ...] = ("10.0.0.0/8",)
    objects: str = ""

    def __post_init__(self) -> None:
        faults = [
            *([] if _LABEL.fullmatch(self.namespace) else [f"{self.namespace!r} is no name of a namespace"]),
            *([] if _IMAGES.fullmatch(self.images) else [f"{self.images!r} is no beginning of an image's name"]),
            *([] if _TAG.fullmatch(self.version) else [f"{self.version!r} is no tag of an image"]),
            *(f"{name!r} is no name of a namespace" for name in self.ingress_namespaces if not _LABEL.fullmatch(name)),
            *(
                f"{cidr!r} is no range in CIDR notation"
                for cidr in self.database_cidrs + self.cache_cidrs
                if not _is_cidr(cidr)
            ),
            *(
                []
                if not self.objects or self.objects.startswith("s3://")
                else [f"{self.objects!r} is no s3:// address"]
            ),
        ]
        if faults:
            raise ValueError("; ".join(faults))

    def metadata(self, name: str, **more: Any) -> Manifest:
        """Give the metadata of an object in the namespace, with the labels that everything of HAL9 carries."""
        labels = {"app.kubernetes.io/part-of": "hal9", "app.kubernetes.io/managed-by": "hal9", **more.pop("labels", {})}
        return {"name": name, "namespace": self.namespace, "labels": labels, **more}

    @property
    def broker_url(self) -> str:
        """Where functions send their events."""
        service = "kafka-broker-ingress" if self.broker == "kafka" else "broker-ingress"
        return f"http://{service}.knative-eventing.svc.cluster.local/{self.namespace}/{self.broker_name}"

    @property
    def function_url(self) -> str:
        """How functions reach one another."""
        return f"http://{{deployment}}.{self.namespace}.svc.cluster.local"
