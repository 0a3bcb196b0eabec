"""The servers of `--with-data` at a deployment that is there: what restarts them, and what that costs.

With `emptydir` the data goes with the pod, so that a new version of HAL9 must not replace one that serves.

Promises: `max_connections` is never lowered; with `emptydir` a server that serves keeps its image. Writes nothing.
Does not: keep anything where the data lies in volumes and only a restart is at stake, but for the connections.
"""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any, Final

from knative.deploy.kinds import POD, STATEFUL_SET, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from knative.deploy.changes import Change
    from knative.deploy.cluster import Cluster
    from knative.render.target import Manifest

_CONNECTIONS: Final = re.compile(r"max_connections=(\d+)")
_TEMPLATE: Final = "spec.template."


async def as_they_run(
    cluster: Cluster, files: Mapping[str, Sequence[Manifest]], *, emptydir: bool
) -> dict[str, list[Manifest]]:
    """Give the manifests, with what servers that run are to keep.

    Args:
        cluster: where they run.
        files: what was rendered.
        emptydir: whether the servers' data goes with their pods, and is to be kept.
    """
    kept: dict[str, list[Manifest]] = {}
    for name, manifests in files.items():
        kept[name] = []
        for manifest in manifests:
            live = None
            if kind_of(manifest) == STATEFUL_SET:
                live = await cluster.get(STATEFUL_SET, manifest["metadata"]["name"])
            kept[name].append(manifest if live is None else keeping(live, manifest, image=emptydir))
    return kept


def keeping(live: Manifest, wanted: Manifest, *, image: bool) -> Manifest:
    """Give a manifest with what a server that is there is to keep.

    Args:
        live: the StatefulSet as it stands.
        wanted: as it was rendered.
        image: whether it keeps its image; one that does not serve never does, as its image may be what is wrong.
    """
    found = copy.deepcopy(wanted)
    old, new = _container(live), _container(found)
    if image and (live.get("status") or {}).get("readyReplicas"):
        new["image"] = old["image"]
    if _connections(old) > _connections(new):
        new["args"] = old["args"]
        new["resources"]["limits"] = old["resources"]["limits"]  # memory goes by the connections
    return found


def erased(changes: Iterable[Change], manifests: Iterable[Manifest]) -> dict[str, tuple[str, ...]]:
    """Give the servers that would lose their data, by name, with the fields that restart them."""
    emptydir = {one["metadata"]["name"] for one in manifests if kind_of(one) == STATEFUL_SET and _in_emptydir(one)}
    fields = {
        one.name: tuple(field.path for field in one.fields if field.path.startswith(_TEMPLATE))
        for one in changes
        if one.kind == STATEFUL_SET.name and one.action == "change" and one.name in emptydir
    }
    return {name: paths for name, paths in fields.items() if paths}


async def losing(
    cluster: Cluster, changes: Iterable[Change], manifests: Iterable[Manifest]
) -> dict[str, tuple[str, ...]]:
    """Give of those that would lose their data the ones that have begun to have any."""
    found = erased(changes, manifests)
    pods = {name: await cluster.listed(POD, f"app.kubernetes.io/instance={name}") for name in found}
    return {name: fields for name, fields in found.items() if any(map(begun, pods[name]))}


def begun(pod: Manifest) -> bool:
    """Whether a container of a pod was ever started: where an image cannot be had, nothing was written."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return any(one.get("containerID") or one.get("lastState") for one in statuses)


def _container(manifest: Manifest) -> dict[str, Any]:
    found: dict[str, Any] = manifest["spec"]["template"]["spec"]["containers"][0]
    return found


def _connections(container: Mapping[str, Any]) -> int:
    found = (_CONNECTIONS.fullmatch(one) for one in container.get("args") or ())
    return max((int(one[1]) for one in found if one), default=0)


def _in_emptydir(manifest: Manifest) -> bool:
    volumes = manifest["spec"]["template"]["spec"].get("volumes") or ()
    return any(one["name"] == "data" and "emptyDir" in one for one in volumes)
