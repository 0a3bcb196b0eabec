"""What HAL9 made in a namespace: an ApplySet (Kubernetes enhancement 3659), so that other tools understand it as well.

Its parent is the ConfigMap `hal9`, which names the kinds that members are of and the release that was applied; each
member carries a label with the set's id. Pruning looks at these kinds and this label only: what others made, or what
controllers made of our objects, is never touched.
"""

from __future__ import annotations

import base64
import copy
import hashlib
from typing import TYPE_CHECKING, Any, Final

from knative.deploy.kinds import APPLIED, CONFIG_MAP, KEPT, Kind, kind_of, qualified

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from knative.deploy.cluster import Cluster
    from knative.render.target import Manifest, Target

PARENT: Final = "hal9"
_ID: Final = "applyset.kubernetes.io/id"
MEMBER: Final = "applyset.kubernetes.io/part-of"
_TOOLING: Final = "applyset.kubernetes.io/tooling"
_KINDS: Final = "applyset.kubernetes.io/contains-group-kinds"


def set_id(namespace: str) -> str:
    """Give the id of the set in a namespace."""
    digest = hashlib.sha256(f"{PARENT}.{namespace}.{CONFIG_MAP.name}.{CONFIG_MAP.group}".encode()).digest()
    return f"applyset-{base64.urlsafe_b64encode(digest).decode('ascii').rstrip('=')}-v1"


def member(manifest: Manifest, namespace: str) -> Manifest:
    """Give a manifest as a member of the set; what is never pruned is none."""
    if kind_of(manifest) in KEPT:
        return manifest
    marked = copy.deepcopy(manifest)
    marked["metadata"].setdefault("labels", {})[MEMBER] = set_id(namespace)
    return marked


def kinds_of(manifests: Iterable[Manifest]) -> set[Kind]:
    """Give the kinds that the members among manifests are of."""
    return {kind_of(one) for one in manifests if MEMBER in one["metadata"].get("labels", {})}


def parent(kinds: Iterable[Kind], target: Target) -> Manifest:
    """Give the parent, which says as well what was applied.

    Args:
        kinds: that members are of.
        target: what is applied.
    """
    names = sorted({kind.qualified for kind in kinds})
    metadata = target.metadata(PARENT, labels={_ID: set_id(target.namespace)})
    metadata["annotations"] = {_TOOLING: "hal9/v1", _KINDS: ",".join(names)}
    data = {
        "region": target.region,
        "environment": target.environment,
        "images": target.images,
        "version": target.version,
    }
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


async def contained(cluster: Cluster) -> tuple[Kind, ...]:
    """Give the kinds that members are of; none when nothing was applied here."""
    found = await cluster.get(CONFIG_MAP, PARENT)
    names: str = (found or {}).get("metadata", {}).get("annotations", {}).get(_KINDS, "")
    return tuple(kind for name in names.split(",") if (kind := qualified(name)) is not None)


async def members(cluster: Cluster, kinds: Iterable[Kind]) -> list[Manifest]:
    """Give every member of these kinds, the last applied first.

    What a controller made is none, though Knative copies a Service's labels to the objects that it makes for it.
    """
    ordered = sorted(set(kinds) - KEPT, key=APPLIED.index, reverse=True)
    selector = f"{MEMBER}={set_id(cluster.namespace)}"
    found = [one for kind in ordered for one in await cluster.listed(kind, selector)]
    return [one for one in found if not one["metadata"].get("ownerReferences")]


def obsolete(found: Sequence[Manifest], wanted: Sequence[Manifest]) -> list[Manifest]:
    """Give the members that no manifest names any more."""
    named = {_name(manifest) for manifest in wanted}
    return [one for one in found if _name(one) not in named and not one["metadata"].get("deletionTimestamp")]


def _name(manifest: Manifest) -> tuple[Any, ...]:
    return manifest["apiVersion"], manifest["kind"], manifest["metadata"]["name"]
