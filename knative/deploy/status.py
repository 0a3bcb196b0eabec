"""What of HAL9 runs in a namespace: services with their revisions, traffic and instances, triggers, servers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from knative.deploy import applyset, traffic
from knative.deploy.kinds import (
    BROKER,
    CONFIG_MAP,
    EVENT_POLICY,
    PING_SOURCE,
    POD,
    REVISION,
    SERVICE,
    STATEFUL_SET,
    TRIGGER,
    WORKLOAD,
    Kind,
)
from knative.deploy.readiness import readiness

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from knative.deploy.cluster import Cluster
    from knative.render.target import Manifest

_OURS: Final = "app.kubernetes.io/part-of=hal9"
_OF_REVISION: Final = "serving.knative.dev/revision"
_OF_SERVICE: Final = "serving.knative.dev/service"


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision that has traffic or instances.

    Attributes:
        name: Its name.
        percent: of the traffic.
        image: What it runs.
        instances: Pods that there are.
        ready: Those of them that are ready.
        restarts: Of their containers.
    """

    name: str
    percent: int
    image: str
    instances: int
    ready: int
    restarts: int


@dataclass(frozen=True, slots=True)
class Part:
    """One object with a condition `Ready`.

    Attributes:
        kind: Its kind.
        name: Its name.
        state: ready, waiting or failed.
        reason: Why it is not ready.
        url: Where it is reached, if anywhere.
        revisions: Of a service.
        tried: Of a service: the revision that is tried, since when, and instead of which; None when none is.
    """

    kind: str
    name: str
    state: str
    reason: str = ""
    url: str = ""
    revisions: tuple[Revision, ...] = ()
    tried: traffic.Standing | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """All of it.

    Attributes:
        release: What was deployed last: region, environment, images, version; empty when nothing was.
        parts: Services first, then triggers and the rest.
    """

    release: Mapping[str, str]
    parts: tuple[Part, ...]

    @property
    def ready(self) -> bool:
        """Whether something was deployed, and all of it is ready."""
        return bool(self.release) and all(part.state == "ready" for part in self.parts)

    @property
    def gateway(self) -> str:
        """The public address; empty when there is none."""
        return next((part.url for part in self.parts if (part.kind, part.name) == ("Service", "gateway")), "")


async def status(cluster: Cluster) -> Status:
    """Look at everything once."""
    kinds = (SERVICE, STATEFUL_SET, WORKLOAD, BROKER, TRIGGER, PING_SOURCE, EVENT_POLICY)
    parent = await cluster.get(CONFIG_MAP, applyset.PARENT)
    pods, revisions, *lists = await asyncio.gather(
        cluster.listed(POD, _OURS), cluster.listed(REVISION), *(_of_kind(cluster, kind) for kind in kinds)
    )
    images = {one["metadata"]["name"]: _image(one) for one in revisions}
    parts = [_part(one, pods, images) for listed in lists for one in listed]
    return Status((parent or {}).get("data") or {}, tuple(parts))


async def _of_kind(cluster: Cluster, kind: Kind) -> list[Manifest]:
    return await cluster.listed(kind, f"{applyset.MEMBER}={applyset.set_id(cluster.namespace)}")


def _part(one: Manifest, pods: Sequence[Manifest], images: Mapping[str, str]) -> Part:
    found = readiness(one)
    about: dict[str, Any] = one.get("status") or {}
    url = about.get("url") or (about.get("address") or {}).get("url") or ""
    parts = (one["kind"], one["metadata"]["name"], found.state, found.reason, url)
    if one["apiVersion"] != SERVICE.version:
        return Part(*parts)
    shares = traffic.standing(one)
    tried = shares if shares is not None and shares.candidate else None
    return Part(*parts, tuple(_revisions(one, pods, images)), tried)


def _revisions(service: Manifest, pods: Iterable[Manifest], images: Mapping[str, str]) -> list[Revision]:
    name = service["metadata"]["name"]
    mine = [pod for pod in pods if pod["metadata"]["labels"].get(_OF_SERVICE) == name]
    percents: dict[str, int] = {}
    for share in (service.get("status") or {}).get("traffic") or []:
        revision = share.get("revisionName", "")
        percents[revision] = percents.get(revision, 0) + (share.get("percent") or 0)
    names = sorted({*percents, *(pod["metadata"]["labels"][_OF_REVISION] for pod in mine)})
    return [
        _revision(revision, percents.get(revision, 0), images.get(revision, ""), mine) for revision in names if revision
    ]


def _revision(name: str, percent: int, image: str, pods: Iterable[Manifest]) -> Revision:
    mine = [pod for pod in pods if pod["metadata"]["labels"][_OF_REVISION] == name]
    statuses = [one for pod in mine for one in (pod.get("status") or {}).get("containerStatuses") or []]
    ready = sum(_is_ready(pod) for pod in mine)
    return Revision(name, percent, image, len(mine), ready, sum(one.get("restartCount", 0) for one in statuses))


def _is_ready(pod: Manifest) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _image(revision: Manifest) -> str:
    image: str = revision["spec"]["containers"][0]["image"]
    return image
