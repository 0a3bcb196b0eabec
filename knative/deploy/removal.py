"""Take away what deployments made in a namespace; the namespace stays, and unless they are named, the data.

Volumes, passwords, identities and trust outlive a removal: a later deployment takes them up again. Promises: no pod is
ever without its network policies, nor a function without its databases and its way to them: what pods need goes after
the last of them has ended.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from knative.deploy import applyset
from knative.deploy.changes import Change
from knative.deploy.cluster import ClusterError
from knative.deploy.kinds import (
    CONFIG_MAP,
    DISRUPTION_BUDGET,
    JOB,
    PING_SOURCE,
    POD,
    REVISION,
    SECRET,
    SERVICE,
    STATEFUL_SET,
    TRIGGER,
    VOLUME_CLAIM,
    WORKLOAD,
    kind_of,
)
from knative.deploy.waiting import PERIOD_SECONDS, until_gone
from knative.render.identities import KEPT_LABEL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from knative.deploy.canary import Watcher
    from knative.deploy.cluster import Cluster
    from knative.render.target import Manifest

_OURS: Final = "app.kubernetes.io/managed-by=hal9,app.kubernetes.io/part-of=hal9"
_SECRETS: Final = f"{_OURS},{KEPT_LABEL}=true"
_PART: Final = "app.kubernetes.io/part-of=hal9"
_SERVERS: Final = "app.kubernetes.io/name in (hal9-postgres, hal9-valkey)"
_OTHERS: Final = _SERVERS.replace(" in ", " notin ")
_PODS_OF: Final = (
    ({PING_SOURCE, TRIGGER, DISRUPTION_BUDGET, SERVICE, WORKLOAD, JOB}, f"{_PART},{_OTHERS}"),
    ({STATEFUL_SET}, f"{_PART},{_SERVERS}"),
)
"""What goes first, in this order, and the labels of its pods (and revisions): the rest waits until they have ended."""


async def removable(cluster: Cluster, *, with_data: bool) -> list[Manifest]:
    """Give what a removal would delete, in its order.

    Args:
        cluster: where.
        with_data: whether volumes, Secrets and trust are meant as well.
    """
    found = await applyset.members(cluster, await applyset.contained(cluster))
    parent = await cluster.get(CONFIG_MAP, applyset.PARENT)
    kept = (VOLUME_CLAIM, CONFIG_MAP, SECRET) if with_data else ()  # what stays needs no right to be read
    data = [one for kind in kept for one in await cluster.listed(kind, _label(kind))]
    return [*found, *data, *([parent] if parent else [])]


def _label(kind: object) -> str:
    return _OURS if kind == VOLUME_CLAIM else _SECRETS


def as_changes(found: Sequence[Manifest]) -> list[Change]:
    """Name them."""
    return [Change("delete", kind_of(one).title, one["metadata"]["name"]) for one in found]


async def remove(cluster: Cluster, found: Sequence[Manifest], *, seconds: float, watcher: Watcher) -> None:
    """Delete: first what delivers and serves, then the servers, and when no pod is left what kept the pods apart.

    Args:
        cluster: where.
        found: of `removable`.
        seconds: how long to wait for the pods' end at most, of the functions and of the servers each: an instance ends
            what it has begun.
        watcher: is told how it goes.

    Raises:
        ClusterError: Pods did not end in time (policies, accounts and Secrets are as they were), or something stays.
    """
    left = list(found)
    for kinds, selector in _PODS_OF:
        stage = [one for one in left if kind_of(one) in kinds]
        left = [one for one in left if one not in stage]
        await _delete(cluster, stage)
        if left:
            await _until_ended(cluster, selector, seconds, watcher)
    await _delete(cluster, left)


async def _delete(cluster: Cluster, found: Sequence[Manifest]) -> None:
    for one in found:
        await cluster.delete(kind_of(one), one["metadata"]["name"], uid=one["metadata"]["uid"])
    for one in found:
        await until_gone(cluster, kind_of(one), one["metadata"]["name"])


async def _until_ended(cluster: Cluster, selector: str, seconds: float, watcher: Watcher) -> None:
    """Wait until pods are gone, and what would make new ones."""
    loop = asyncio.get_running_loop()
    end, told = loop.time() + seconds, False
    while left := await _running(cluster, selector):
        if loop.time() >= end:
            raise ClusterError(
                f"Still there after {seconds:.0f} s: {', '.join(left)}. The network policies that keep them apart, and "
                "what they use, were left as they are: the same command goes on from there. An instance ends when it "
                "has done what it has begun; `kubectl delete pod` has it end sooner."
            )
        if not told:
            watcher.note(f"Waiting until {len(left)} pods and revisions are gone, for {seconds:.0f} s at most.")
            told = True
        watcher.waiting(left)
        await asyncio.sleep(PERIOD_SECONDS)


async def _running(cluster: Cluster, selector: str) -> dict[str, str]:
    """Name the pods of a selector, and the revisions that may still make some, each with how it stands."""
    pods = {f"Pod {one['metadata']['name']}": _phase(one) for one in await cluster.listed(POD, selector)}
    revisions = await cluster.listed(REVISION, selector) if await cluster.served(REVISION.version) else []
    return pods | {f"Revision {one['metadata']['name']}": "is there" for one in revisions}


def _phase(pod: Manifest) -> str:
    if "deletionTimestamp" in pod["metadata"]:
        return "is ending"
    return str((pod.get("status") or {}).get("phase", ""))
