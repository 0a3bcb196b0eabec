"""Wait until everything is ready, say what became ready, and say why what does not.

Promises: asks once in half a second for each kind, whatever the number of objects; gives up early on what waiting
cannot mend (an image that is not there), else on what has said that it failed for a while, else after the given time.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from knative.deploy import reasons
from knative.deploy.cluster import ClusterError
from knative.deploy.kinds import (
    BROKER,
    EVENT_POLICY,
    JOB,
    PING_SOURCE,
    SERVICE,
    STATEFUL_SET,
    TRIGGER,
    WORKLOAD,
    Kind,
    kind_of,
)
from knative.deploy.readiness import Readiness, readiness

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence, Set

    from knative.deploy.cluster import Cluster
    from knative.render.target import Manifest

PERIOD_SECONDS: Final = 0.5
_LOOK_SECONDS: Final = 3.0
_STUCK_SECONDS: Final = 60.0
"""How long pods may fail in a way that seldom mends itself: a database may come up meanwhile, or a registry."""

_GONE_LOOKS: Final = 120
_SETTLE_SECONDS: Final = 30.0
"""How long an object may say that it failed before it is believed: Triggers say so until their Broker is there."""

_NEEDS: Final = {
    BROKER: frozenset({SERVICE}),
    TRIGGER: frozenset({SERVICE, BROKER}),
    PING_SOURCE: frozenset({SERVICE, BROKER}),
    EVENT_POLICY: frozenset({SERVICE, BROKER, TRIGGER, PING_SOURCE}),
}
"""What Eventing's objects stand on: for as long as one of it is unready, they say that they failed."""

ON_SERVICES: Final = frozenset(_NEEDS)
"""What says that it failed for as long as a Service that it delivers to is starting, the dead-letter sink included."""


class Progress(Protocol):
    """Is told how the waiting goes."""

    def ready(self, kind: str, name: str) -> None:
        """Something became ready."""

    def waiting(self, left: Mapping[str, str]) -> None:
        """What is still waited for, with its reason, which may be empty."""


@dataclass(frozen=True, slots=True)
class Unready:
    """What did not become ready.

    Attributes:
        kind: Its kind.
        name: Its name.
        reason: In its controller's words.
        pods: Why its pods do not run.
    """

    kind: str
    name: str
    reason: str
    pods: tuple[reasons.Reason, ...] = ()


@dataclass(slots=True)
class _Waited:
    kind: Kind
    name: str
    readiness: Readiness = field(default_factory=lambda: Readiness("waiting"))
    revision: str = ""
    failed_since: float | None = None
    stuck_since: float | None = None
    hopeless: bool = False
    pending: bool = False

    @property
    def title(self) -> str:
        return f"{self.kind.name} {self.name}"


async def until_ready(
    cluster: Cluster, manifests: Iterable[Manifest], seconds: float, progress: Progress
) -> list[Unready]:
    """Wait for objects that were applied.

    Args:
        cluster: where they are.
        manifests: what was applied; kinds that are ready by being there are not asked for.
        seconds: how long at most.
        progress: is told how it goes.

    Returns:
        what did not become ready; empty when everything did.
    """
    left = [_Waited(kind_of(one), one["metadata"]["name"]) for one in manifests if _has_status(kind_of(one))]
    loop = asyncio.get_running_loop()
    end, look = loop.time() + seconds, loop.time() + _LOOK_SECONDS
    while left:
        left = await _still(cluster, left, progress)
        if left and loop.time() >= look:
            await _look_at_pods(cluster, left)
            look = loop.time() + _LOOK_SECONDS
        given_up = [one for one in left if one.hopeless or _failed_for_good(one, loop.time())]
        if given_up or (left and loop.time() >= end):
            return [await _explained(cluster, one) for one in (given_up or left)]
        if left:
            await asyncio.sleep(PERIOD_SECONDS)
    return []


def excusable(unready: Set[Kind]) -> frozenset[Kind]:
    """Give the kinds whose failure says nothing yet, as what they stand on is unready; that has to fail itself."""
    return frozenset(kind for kind, needs in _NEEDS.items() if needs & unready)


async def until_gone(cluster: Cluster, kind: Kind, name: str) -> None:
    """Wait until an object that was deleted is there no more.

    Raises:
        ClusterError: It stays: something holds it by a finalizer.
    """
    for _ in range(_GONE_LOOKS):
        if await cluster.get(kind, name) is None:
            return
        await asyncio.sleep(PERIOD_SECONDS)
    raise ClusterError(f"{kind.name} {name} was deleted, but does not go: a finalizer holds it.")


def _has_status(kind: Kind) -> bool:
    return kind in {JOB, STATEFUL_SET, WORKLOAD} or kind.group.endswith("knative.dev")


async def _still(cluster: Cluster, left: Sequence[_Waited], progress: Progress) -> list[_Waited]:
    """Look at everything once; give what is not ready."""
    by_kind: dict[Kind, list[_Waited]] = defaultdict(list)
    for one in left:
        by_kind[one.kind].append(one)
    lists = await asyncio.gather(*(cluster.listed(kind) for kind in by_kind))
    now = asyncio.get_running_loop().time()
    for listed, waited in zip(lists, by_kind.values(), strict=True):
        named = {one["metadata"]["name"]: one for one in listed}
        for one in waited:
            found = named.get(one.name)
            one.readiness = Readiness("waiting", "it is not there") if found is None else readiness(found)
            one.revision = ((found or {}).get("status") or {}).get("latestCreatedRevisionName", "")
            failed = one.readiness.state == "failed"
            one.failed_since = (one.failed_since or now) if failed else None
    for one in left:
        if one.readiness.state == "ready":
            progress.ready(one.kind.name, one.name)
    unready = [one for one in left if one.readiness.state != "ready"]
    excused = excusable({one.kind for one in unready})
    for one in unready:
        one.failed_since = None if one.kind in excused else one.failed_since
    progress.waiting({one.title: one.readiness.reason for one in unready})
    return unready


def _failed_for_good(one: _Waited, now: float) -> bool:
    if one.stuck_since is not None and now - one.stuck_since >= _STUCK_SECONDS:
        return True
    if one.failed_since is None or one.pending:  # a service says that it failed while a node is being made for it
        return False
    return one.kind == JOB or now - one.failed_since >= _SETTLE_SECONDS


async def _look_at_pods(cluster: Cluster, left: Iterable[_Waited]) -> None:
    """See whose pods cannot run, or have not been able to for a while; a Job counts what failed itself."""
    now = asyncio.get_running_loop().time()
    for one in left:
        selector = _selector(one)
        found = await reasons.of_pods(cluster, selector) if selector else []
        one.hopeless = any(reason.hopeless for reason in found)
        one.pending = any(reason.pending for reason in found)
        stuck = any(reason.unstarted if one.kind == JOB else reason.stuck for reason in found)
        one.stuck_since = (one.stuck_since or now) if stuck else None


async def _explained(cluster: Cluster, one: _Waited) -> Unready:
    selector = _selector(one)
    pods = tuple(await reasons.of_pods(cluster, selector)) if selector else ()
    return Unready(one.kind.name, one.name, one.readiness.reason, pods)


def _selector(one: _Waited) -> str:
    """Select the pods of an object that has some; of a service those of its newest revision."""
    if one.kind == SERVICE:
        return f"serving.knative.dev/revision={one.revision}" if one.revision else ""
    labels = {
        STATEFUL_SET: "app.kubernetes.io/instance",
        WORKLOAD: "app.kubernetes.io/name",
        JOB: "batch.kubernetes.io/job-name",
    }
    return f"{labels[one.kind]}={one.name}" if one.kind in labels else ""
