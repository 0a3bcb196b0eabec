"""The servers of `--with-data` at a deployment that is there: what restarts them, what that costs, and how it is done.

A release must not take the databases down before its own trial has begun: a server that serves keeps its image unless
another one is asked for, and then one server after the other is replaced, before anything else, those without data
first; the first that does not become ready gets its old image back, and nothing after it is touched.

Promises: `max_connections` is never lowered; what does not serve never keeps its image, which may be what is wrong.
Does not: keep anything where only a restart for other settings is at stake, but for the connections.
"""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from knative.deploy.kinds import POD, STATEFUL_SET, kind_of
from knative.deploy.waiting import until_ready

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from knative.deploy.canary import Watcher
    from knative.deploy.changes import Change
    from knative.deploy.cluster import Cluster
    from knative.deploy.waiting import Unready
    from knative.render.target import Manifest

_CONNECTIONS: Final = re.compile(r"max_connections=(\d+)")
_TEMPLATE: Final = "spec.template."


@dataclass(frozen=True, slots=True)
class Kept:
    """A server that serves and keeps its image, though another one was rendered.

    Attributes:
        name: of the StatefulSet.
        runs: the image that it keeps.
        rendered: the image that it would get.
    """

    name: str
    runs: str
    rendered: str


async def there(cluster: Cluster) -> dict[str, Manifest]:
    """Give the namespace's StatefulSets by name, in one question."""
    return {one["metadata"]["name"]: one for one in await cluster.listed(STATEFUL_SET)}


def as_they_run(
    files: Mapping[str, Sequence[Manifest]], lives: Mapping[str, Manifest], *, images: bool
) -> tuple[dict[str, list[Manifest]], tuple[Kept, ...]]:
    """Give the manifests with what servers that run are to keep, and say which of them keep another image.

    Args:
        files: what was rendered.
        lives: the StatefulSets that are there.
        images: whether servers that serve keep their images.
    """
    kept: list[Kept] = []

    def standing(manifest: Manifest) -> Manifest:
        live = lives.get(manifest["metadata"]["name"]) if kind_of(manifest) == STATEFUL_SET else None
        if live is None:
            return manifest
        found = keeping(live, manifest, image=images)
        runs, rendered = (_container(one)["image"] for one in (found, manifest))
        if runs != rendered:
            kept.append(Kept(manifest["metadata"]["name"], runs, rendered))
        return found

    return {name: [standing(one) for one in manifests] for name, manifests in files.items()}, tuple(kept)


def keeping(live: Manifest, wanted: Manifest, *, image: bool) -> Manifest:
    """Give a manifest with what a server that is there is to keep.

    Args:
        live: the StatefulSet as it stands.
        wanted: as it was rendered.
        image: whether it keeps its image; one that does not serve never does, as its image may be what is wrong.
    """
    found = copy.deepcopy(wanted)
    old, new = _container(live), _container(found)
    if image and _serves(live):
        new["image"] = old["image"]
    if _connections(old) > _connections(new):
        new["args"] = old["args"]
        new["resources"]["limits"] = old["resources"]["limits"]  # memory goes by the connections
    return found


def restarting(changes: Iterable[Change]) -> dict[str, tuple[str, ...]]:
    """Give the servers that are there and would be restarted, by name, with the fields that do it."""
    fields = {
        one.name: tuple(field.path for field in one.fields if field.path.startswith(_TEMPLATE))
        for one in changes
        if one.kind == STATEFUL_SET.name and one.action == "change"
    }
    return {name: paths for name, paths in fields.items() if paths}


def erased(changes: Iterable[Change], manifests: Iterable[Manifest]) -> dict[str, tuple[str, ...]]:
    """Give the servers that would lose their data, by name, with the fields that restart them."""
    emptydir = {one["metadata"]["name"] for one in manifests if kind_of(one) == STATEFUL_SET and _in_emptydir(one)}
    return {name: paths for name, paths in restarting(changes).items() if name in emptydir}


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


async def replace(
    cluster: Cluster, manifests: Iterable[Manifest], lives: Mapping[str, Manifest], seconds: float, watcher: Watcher
) -> list[Unready]:
    """Restart servers as they are to be, one after the other, those that keep no data first.

    Args:
        cluster: where.
        manifests: of servers that are there.
        lives: the StatefulSets as they stand, by name.
        seconds: how long to wait for each at most.
        watcher: is told which is restarted, and which gets its old image back.

    Returns:
        the first that did not become ready; it has its old image again where it served before, and the others were not
        touched. Empty when all are ready.
    """
    for manifest in sorted(manifests, key=_keeps_data):
        name, live = manifest["metadata"]["name"], lives[manifest["metadata"]["name"]]
        watcher.note(f"{name} is restarted with {_container(manifest)['image']}.")
        await cluster.apply(manifest)
        unready = await until_ready(cluster, [manifest], seconds, watcher)
        if unready and _serves(live):
            await _put_back(cluster, manifest, live, seconds, watcher)
        if unready:
            return unready
    return []


async def _put_back(cluster: Cluster, wanted: Manifest, live: Manifest, seconds: float, watcher: Watcher) -> None:
    before = copy.deepcopy(wanted)
    old, new = _container(live), _container(before)
    new.update({name: copy.deepcopy(old[name]) for name in ("image", "args", "resources") if name in old})
    await cluster.apply(before)
    failed = await until_ready(cluster, [before], seconds, watcher)
    outcome = f"it does not become ready with it either: {failed[0].reason}" if failed else "it serves again"
    watcher.note(f"{live['metadata']['name']} has its old image {old['image']} back: {outcome}.")


def _serves(live: Manifest) -> bool:
    return bool((live.get("status") or {}).get("readyReplicas"))


def _container(manifest: Manifest) -> dict[str, Any]:
    found: dict[str, Any] = manifest["spec"]["template"]["spec"]["containers"][0]
    return found


def _connections(container: Mapping[str, Any]) -> int:
    found = (_CONNECTIONS.fullmatch(one) for one in container.get("args") or ())
    return max((int(one[1]) for one in found if one), default=0)


def _keeps_data(manifest: Manifest) -> bool:
    return _in_emptydir(manifest) or bool(manifest["spec"].get("volumeClaimTemplates"))


def _in_emptydir(manifest: Manifest) -> bool:
    volumes = manifest["spec"]["template"]["spec"].get("volumes") or ()
    return any(one["name"] == "data" and "emptyDir" in one for one in volumes)
