"""Take away what deployments made in a namespace; the namespace stays, and unless they are named, the data.

Volumes, passwords, identities and trust outlive a removal: a later deployment takes them up again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from knative.deploy import applyset
from knative.deploy.changes import Change
from knative.deploy.kinds import CONFIG_MAP, SECRET, VOLUME_CLAIM, kind_of
from knative.deploy.waiting import until_gone
from knative.render.identities import KEPT_LABEL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from knative.deploy.cluster import Cluster
    from knative.render.target import Manifest

_OURS: Final = "app.kubernetes.io/managed-by=hal9,app.kubernetes.io/part-of=hal9"
_SECRETS: Final = f"{_OURS},{KEPT_LABEL}=true"


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
    return [Change("delete", one["kind"], one["metadata"]["name"]) for one in found]


async def remove(cluster: Cluster, found: Sequence[Manifest]) -> None:
    """Delete, and wait until all of it is gone."""
    for one in found:
        await cluster.delete(kind_of(one), one["metadata"]["name"], uid=one["metadata"]["uid"])
    for one in found:
        await until_gone(cluster, kind_of(one), one["metadata"]["name"])
