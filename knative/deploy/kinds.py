"""The kinds of objects that are read or written here, and how their paths in the API are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from knative.render.target import Manifest


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind.

    Attributes:
        version: its apiVersion.
        name: as in `kind`.
        plural: as in the API's paths, and in roles.
        namespaced: whether it lies in a namespace.
    """

    version: str
    name: str
    plural: str
    namespaced: bool = True

    @property
    def group(self) -> str:
        """The API group; empty for the core."""
        return self.version.rpartition("/")[0]

    @property
    def qualified(self) -> str:
        """`Kind.group`, as ApplySets name group-kinds."""
        return f"{self.name}.{self.group}" if self.group else self.name

    @property
    def title(self) -> str:
        """What it is called where somebody reads it: `Kind.group` where HAL9 applies two kinds of one name."""
        same = [kind for kind in APPLIED if kind.name == self.name]
        return self.qualified if len(same) > 1 else self.name

    def path(self, namespace: str, name: str = "") -> str:
        """Give the path of a list, or of one object."""
        root = f"/apis/{self.version}" if self.group else f"/api/{self.version}"
        parts = [root, *(["namespaces", namespace] if self.namespaced else []), self.plural, *([name] if name else [])]
        return "/".join(parts)


NAMESPACE: Final = Kind("v1", "Namespace", "namespaces", namespaced=False)
CONFIG_MAP: Final = Kind("v1", "ConfigMap", "configmaps")
SECRET: Final = Kind("v1", "Secret", "secrets")
ACCOUNT: Final = Kind("v1", "ServiceAccount", "serviceaccounts")
POD: Final = Kind("v1", "Pod", "pods")
EVENT: Final = Kind("v1", "Event", "events")
CORE_SERVICE: Final = Kind("v1", "Service", "services")
VOLUME_CLAIM: Final = Kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims")
STATEFUL_SET: Final = Kind("apps/v1", "StatefulSet", "statefulsets")
WORKLOAD: Final = Kind("apps/v1", "Deployment", "deployments")
JOB: Final = Kind("batch/v1", "Job", "jobs")
DISRUPTION_BUDGET: Final = Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets")
NETWORK_POLICY: Final = Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies")
ENDPOINT_SLICE: Final = Kind("discovery.k8s.io/v1", "EndpointSlice", "endpointslices")
STORAGE_CLASS: Final = Kind("storage.k8s.io/v1", "StorageClass", "storageclasses", namespaced=False)
SERVICE: Final = Kind("serving.knative.dev/v1", "Service", "services")
REVISION: Final = Kind("serving.knative.dev/v1", "Revision", "revisions")
BROKER: Final = Kind("eventing.knative.dev/v1", "Broker", "brokers")
TRIGGER: Final = Kind("eventing.knative.dev/v1", "Trigger", "triggers")
EVENT_POLICY: Final = Kind("eventing.knative.dev/v1alpha1", "EventPolicy", "eventpolicies")
PING_SOURCE: Final = Kind("sources.knative.dev/v1", "PingSource", "pingsources")

APPLIED: Final = (
    NAMESPACE,
    ACCOUNT,
    CONFIG_MAP,
    NETWORK_POLICY,
    VOLUME_CLAIM,
    CORE_SERVICE,
    STATEFUL_SET,
    WORKLOAD,
    JOB,
    BROKER,
    SERVICE,
    DISRUPTION_BUDGET,
    EVENT_POLICY,
    TRIGGER,
    PING_SOURCE,
)
"""What manifests may be of, in the order in which they are applied; they are removed in the reverse order."""

KEPT: Final = frozenset({NAMESPACE, VOLUME_CLAIM})
"""What is never pruned: others may live in the namespace, and what lies in a volume cannot be made again."""

_BY_NAME: Final = {(kind.version, kind.name): kind for kind in (*APPLIED, SECRET)}
_BY_QUALIFIED: Final = {kind.qualified: kind for kind in APPLIED}


def kind_of(manifest: Manifest) -> Kind:
    """Give a manifest's kind.

    Raises:
        LookupError: It is of no kind that HAL9 applies.
    """
    named = manifest["apiVersion"], manifest["kind"]
    if named not in _BY_NAME:
        raise LookupError(f"HAL9 applies no {named[1]} of {named[0]}")
    return _BY_NAME[named]


def qualified(name: str) -> Kind | None:
    """Give the kind of an ApplySet's `Kind.group`; None for one that this release does not apply."""
    return _BY_QUALIFIED.get(name)
