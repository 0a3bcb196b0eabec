"""Where manifests are for: region, environment, names of what the cluster has already."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Any, Final, Literal

Manifest = dict[str, Any]
"""One Kubernetes object."""

REGIONS: Final = ("us-west", "eu-central", "ap-south")

_FLAGS: Final = {
    "kubernetes.podspec-topologyspreadconstraints": "instances spread over zones and nodes",
    "kubernetes.podspec-securitycontext": "the pod's own security context (fsGroup, seccomp)",
}
_VOLUME_FLAGS: Final = {
    "kubernetes.podspec-persistent-volume-claim": "codegen keeps its artefacts in a volume",
    "kubernetes.podspec-persistent-volume-write": "codegen writes into that volume",
}

OBJECTS: Final = "/var/lib/hal9/objects"
"""Where the volume of the artefacts is mounted."""

OBJECTS_CLAIM: Final = "hal9-objects"
"""The claim of that volume."""

PORT: Final = 8080
"""The port that every function listens on."""


_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_IMAGES: Final = re.compile(r"[a-z0-9]+([._:/-][a-z0-9]+)*")
_SUBDOMAIN: Final = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_QUANTITY: Final = re.compile(r"\d+(Mi|Gi|Ti)")
_OBJECTS: Final = re.compile(r"s3://[^/\s]+(/\S*)?")
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")


def _data_faults(data: Data) -> list[str]:
    return [
        *(f"{tag!r} is no tag of an image" for tag in (data.postgres, data.valkey) if not _TAG.fullmatch(tag)),
        *(
            []
            if not data.storage_class or _SUBDOMAIN.fullmatch(data.storage_class)
            else [f"{data.storage_class!r} is no name of a StorageClass"]
        ),
        *([] if _QUANTITY.fullmatch(data.size) else [f"{data.size!r} is no size such as 1Gi"]),
    ]


def _backup_faults(target: Target) -> list[str]:
    if not target.backups:
        return []
    storage_class = target.backups_storage_class
    return [
        *(
            []
            if _OBJECTS.fullmatch(target.backups)
            else [f"{target.backups!r} is no address of a bucket, s3://bucket/prefix"]
        ),
        *([] if _QUANTITY.fullmatch(target.backups_size) else [f"{target.backups_size!r} is no size such as 50Gi"]),
        *(
            []
            if not storage_class or _SUBDOMAIN.fullmatch(storage_class)
            else [f"{storage_class!r} is no name of a StorageClass"]
        ),
    ]


def _cidr_faults(text: str) -> list[str]:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        network = None
    if network is None or "/" not in text:
        return [f"{text!r} is no range in CIDR notation"]
    if network.network_address != ipaddress.ip_address(text.partition("/")[0]):
        return [f"{text!r} is an address within a range: the range is {network}"]
    return []


@dataclass(frozen=True, kw_only=True)
class Data:
    """Servers for trying out, beside the functions: one PostgreSQL a shard, one Valkey, none of them replicated.

    Attributes:
        postgres: the tag of PostgreSQL's image, which is not HAL9's version: a release that brings the same server
            leaves those that run alone. `knative.images.versions` gives it.
        valkey: the tag of Valkey's image.
        storage: `volume` for a claim for each, `emptydir` for what goes when a pod goes.
        storage_class: of the claims; empty for the cluster's default.
        size: of each claim, a Kubernetes quantity.
    """

    postgres: str
    valkey: str
    storage: Literal["volume", "emptydir"] = "volume"
    storage_class: str = ""
    size: str = "1Gi"


@dataclass(frozen=True)
class Target:
    """What differs from one cluster to the next.

    Attributes:
        region: one of `REGIONS`.
        environment: whose overrides in function.toml count.
        namespace: where everything goes.
        images: what comes before `/<function>:<version>` in an image's name.
        version: the images' tag; the servers' images have their own (`Data`).
        broker: `kafka` in production, `channel` for trying out.
        broker_name: the Broker's name.
        ingress_namespaces: where the cluster's ingress runs: the way in, and from function to function.
        database_cidrs: addresses of the PostgreSQL shards, in CIDR notation.
        cache_cidrs: addresses of Valkey or Redis, in CIDR notation.
        oidc: whether the broker and the functions prove themselves to each other by the cluster's tokens; without, the
            broker does by a shared secret, and functions not at all.
        api_cidrs: addresses of the API server behind the service `kubernetes`, in CIDR notation: functions get the
            cluster's keys from there.
        api_port: the API server's port there.
        objects: where artefacts are kept, `s3://bucket/prefix`; empty for the bucket `hal9-<region>`, or a volume with
            `data`.
        data: servers for trying out; None where PostgreSQL and Valkey are elsewhere, which is the rule.
        pool_size: connections of an instance to each shard, as `hal9 pools plan` gives them; 0 for what function.toml
            says.
        backups: where the archiver puts backups and WAL, `s3://bucket/prefix`; empty for no archiver.
        backups_size: of its volume, a Kubernetes quantity: WAL on its way, and all shards' data folders twice.
        backups_storage_class: of that volume; empty for the cluster's default.

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
    oidc: bool = True
    api_cidrs: tuple[str, ...] = ("10.0.0.0/8",)
    api_port: int = 6443
    objects: str = ""
    data: Data | None = None
    pool_size: int = 0
    backups: str = ""
    backups_size: str = "50Gi"
    backups_storage_class: str = ""

    def __post_init__(self) -> None:
        faults = [
            *([] if _LABEL.fullmatch(self.namespace) else [f"{self.namespace!r} is no name of a namespace"]),
            *([] if _IMAGES.fullmatch(self.images) else [f"{self.images!r} is no beginning of an image's name"]),
            *([] if _TAG.fullmatch(self.version) else [f"{self.version!r} is no tag of an image"]),
            *(f"{name!r} is no name of a namespace" for name in self.ingress_namespaces if not _LABEL.fullmatch(name)),
            *(
                fault
                for cidr in self.database_cidrs + self.cache_cidrs + self.api_cidrs
                for fault in _cidr_faults(cidr)
            ),
            *(
                []
                if not self.objects or _OBJECTS.fullmatch(self.objects)
                else [f"{self.objects!r} is no address of a bucket, s3://bucket/prefix"]
            ),
            *(_data_faults(self.data) if self.data is not None else []),
            *_backup_faults(self),
            *([] if 0 <= self.pool_size <= 100 else [f"{self.pool_size} is no size of a pool: 1 to 100"]),
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
    def broker_configuration(self) -> str:
        """The ConfigMap in knative-eventing that comes with the Broker's class."""
        return "kafka-broker-config" if self.broker == "kafka" else "config-br-default-channel"

    @property
    def function_url(self) -> str:
        """How functions reach one another."""
        return f"http://{{deployment}}.{self.namespace}.svc.cluster.local"

    @property
    def objects_url(self) -> str:
        """Where artefacts are kept, as HAL9_OBJECTS says it."""
        if self.objects or self.data is None:
            return self.objects or f"s3://hal9-{self.region}"
        return f"file://{OBJECTS}"

    @property
    def objects_claim(self) -> bool:
        """Whether artefacts are kept in a volume of the cluster."""
        return self.data is not None and not self.objects and self.data.storage == "volume"

    @property
    def feature_flags(self) -> dict[str, str]:
        """What `config-features` in knative-serving must enable, and what for."""
        return {**_FLAGS, **(_VOLUME_FLAGS if self.objects_claim else {})}
