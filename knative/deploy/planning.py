"""What a deployment would change, asked of the server: every manifest is applied with dry run, nothing is kept."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from knative.deploy import applyset
from knative.deploy.changes import Change, change
from knative.deploy.cluster import ClusterError
from knative.deploy.kinds import NAMESPACE, kind_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from knative.deploy.cluster import Cluster
    from knative.deploy.kinds import Kind
    from knative.render.target import Manifest

_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True)
class Plan:
    """What would happen.

    Attributes:
        changes: one for each manifest, in their order, then what would be pruned.
        faults: what the server refuses, and its warnings, each with the object that it is about.
        checked: whether the server looked at the manifests: it cannot before their namespace is there.
        obsolete: what would be pruned, as it stands in the cluster.
    """

    changes: tuple[Change, ...]
    faults: tuple[str, ...] = ()
    checked: bool = True
    obsolete: tuple[Manifest, ...] = field(default=(), repr=False)

    @property
    def unchanged(self) -> bool:
        """Whether nothing would be made, changed or deleted."""
        return all(one.action == "unchanged" for one in self.changes)


async def plan(
    cluster: Cluster, manifests: Sequence[Manifest], known: Mapping[Kind, Mapping[str, Manifest]] | None = None
) -> Plan:
    """Ask the server what it would make of the manifests, and what would be pruned.

    Args:
        cluster: where to.
        manifests: as they are to be applied.
        known: what is there, of the kinds that were read just now, by name: it is not read again.
    """
    if await cluster.get(NAMESPACE, cluster.namespace) is None:
        creations = (change(None, one) for one in manifests)
        return Plan(tuple(creations), checked=False)
    turn = asyncio.Semaphore(_AT_ONCE)

    async def judged(manifest: Manifest) -> tuple[Change | None, list[str]]:
        async with turn:
            return await _judged(cluster, manifest, known or {})

    found = await asyncio.gather(*(judged(manifest) for manifest in manifests))
    kinds = {*await applyset.contained(cluster), *applyset.kinds_of(manifests)}
    old = applyset.obsolete(await applyset.members(cluster, kinds), manifests)
    return Plan(
        (
            *(one for one, _ in found if one is not None),
            *(Change("delete", kind_of(one).title, one["metadata"]["name"]) for one in old),
        ),
        tuple(fault for _, faults in found for fault in faults),
        obsolete=tuple(old),
    )


async def _judged(
    cluster: Cluster, manifest: Manifest, known: Mapping[Kind, Mapping[str, Manifest]]
) -> tuple[Change | None, list[str]]:
    kind, name = kind_of(manifest), manifest["metadata"]["name"]
    try:
        live = known[kind].get(name) if kind in known else await cluster.get(kind, name)
        applied = await cluster.apply(manifest, dry_run=True)
    except ClusterError as error:
        if error.passing:
            raise
        return None, [f"{kind.title} {name}: {error}"]
    warnings = [f"{kind.title} {name}: the server warns: {text}" for text in applied.warnings]
    return change(live, applied.object), warnings
