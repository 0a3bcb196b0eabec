"""What servers for trying out keep when they are deployed again, when their data would go, how they are replaced."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from knative.cli.progress import Silent
from knative.deploy import waiting
from knative.deploy.changes import change
from knative.deploy.cluster import connect
from knative.deploy.dataservers import as_they_run, begun, erased, keeping, losing, replace, there
from knative.deploy.kinds import STATEFUL_SET
from knative.deploy.planning import plan
from knative.description import load_all
from knative.render import Data, Target, render
from tests.unit.deploy.apiserver import api_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from knative.render.target import Manifest

FUNCTIONS = load_all(Path(__file__).parents[3] / "functions")
NAME = "hal9-postgres-0"


def servers(storage: Any = "emptydir", version: str = "1.0.0", pool_size: int = 0) -> dict[str, Manifest]:
    data = Data(postgres=version, valkey=version, storage=storage)
    files = render(FUNCTIONS, Target("us-west", "trial", data=data, pool_size=pool_size))
    return {one["metadata"]["name"]: one for one in files["10-data.yaml"] if one["kind"] == "StatefulSet"}


def server(storage: Any = "emptydir", version: str = "1.0.0", pool_size: int = 0) -> Manifest:
    return servers(storage, version, pool_size)[NAME]


def serving(manifest: Manifest) -> Manifest:
    return {**copy.deepcopy(manifest), "status": {"readyReplicas": 1}}


def lost(live: Manifest, wanted: Manifest) -> dict[str, tuple[str, ...]]:
    return erased([change(live, wanted)], [wanted])


IMAGE = "spec.template.spec.containers[0].image"
ARGUMENT = "spec.template.spec.containers[0].args[1]"


def test_a_new_version_does_not_restart_a_server_whose_data_would_go() -> None:
    live, wanted = serving(server()), server(version="2.0.0")
    assert lost(live, wanted) == {NAME: (IMAGE,)}
    assert keeping(live, wanted, image=True) == server()


def test_one_that_may_go_or_does_not_serve_gets_the_new_image() -> None:
    wanted = server(version="2.0.0")
    assert keeping(serving(server()), wanted, image=False) == wanted
    assert keeping({**server(), "status": {"replicas": 1}}, wanted, image=True) == wanted


@pytest.mark.parametrize("storage", ["emptydir", "volume"])
def test_connections_are_never_lowered(storage: str) -> None:
    large, small = server(storage, pool_size=9), server(storage, pool_size=1)
    assert keeping(serving(large), small, image=True) == large


def test_more_of_them_are_a_restart() -> None:
    large, small = server(pool_size=9), server(pool_size=1)
    assert keeping(serving(small), large, image=True) == large
    assert ARGUMENT in lost(serving(small), large)[NAME]


def test_a_restart_with_a_volume_loses_nothing() -> None:
    assert lost(serving(server("volume")), server("volume", version="2.0.0")) == {}


def test_labels_of_the_set_alone_restart_nothing() -> None:
    wanted = server()
    wanted["metadata"]["labels"]["one"] = "more"
    assert lost(serving(server()), wanted) == {}


def test_what_is_made_for_the_first_time_loses_nothing() -> None:
    wanted = server()
    assert erased([change(None, wanted)], [wanted]) == {}


def test_where_no_container_was_started_nothing_can_be_lost() -> None:
    waiting = {"state": {"waiting": {"reason": "ImagePullBackOff"}}, "lastState": {}, "containerID": ""}
    ended = {**waiting, "lastState": {"terminated": {"exitCode": 1}}}
    pods = [{"status": {"containerStatuses": [one]}} for one in (waiting, ended, {"containerID": "containerd://1"})]
    assert [begun(pod) for pod in [{}, *pods]] == [False, False, True, True]


def image_of(manifest: Manifest) -> str:
    return str(manifest["spec"]["template"]["spec"]["containers"][0]["image"])


class Namespace:
    """StatefulSets, and a kubelet that knows the images of version 1.0.0 and those of `known`."""

    def __init__(self, lives: dict[str, Manifest]) -> None:
        self.known: tuple[str, ...] = ("1.0.0",)
        self.lives = lives
        self.applied: list[tuple[str, str]] = []
        self.asked: list[tuple[str, str]] = []

    def __call__(self, method: str, path: str, given: Any) -> tuple[int, Any]:
        self.asked.append((method, path))
        kind, _, name = path.partition("/namespaces/data/")[2].partition("/")
        if method == "PATCH":
            self.applied.append((name, image_of(given)))
            return 200, self.stands(name, given)
        if kind == "statefulsets" and not name:
            return 200, {"metadata": {}, "items": list(self.lives.values())}
        if kind == "pods":
            return 200, {"metadata": {}, "items": [self.pod(one) for one in self.lives]}
        return (200, {"metadata": {}, "items": []}) if kind == "events" else (404, {"message": "not found"})

    def stands(self, name: str, given: Manifest) -> Manifest:
        ready = image_of(given).endswith(self.known)
        status = {"observedGeneration": 1, "readyReplicas": int(ready), "updateRevision": "a", "currentRevision": "a"}
        metadata = {**given["metadata"], "generation": 1}
        self.lives[name] = {**copy.deepcopy(given), "metadata": metadata, "status": status}
        return self.lives[name]

    def pod(self, name: str) -> Manifest:
        works = image_of(self.lives[name]).endswith(self.known)
        stuck = {"waiting": {"reason": "ErrImageNeverPull", "message": "is not present"}}
        about = {"name": "c", "containerID": "containerd://1", "ready": works, "state": {} if works else stuck}
        return {"metadata": {"name": f"{name}-0", "uid": name}, "status": {"containerStatuses": [about]}}


@pytest.fixture
def namespace() -> Namespace:
    """All of them run."""
    return Namespace({name: serving(one) for name, one in servers().items()})


@pytest.fixture
def context(namespace: Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Of a server that listens; whoever waits looks again at once."""
    monkeypatch.setattr(waiting, "_LOOK_SECONDS", 0.0)
    with api_server(namespace, tmp_path, monkeypatch) as name:
        yield name


class Told(Silent):
    """Remembers what was noted."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


async def test_what_runs_is_asked_of_the_cluster_once(context: str, namespace: Namespace) -> None:
    wanted = server(version="2.0.0")
    other = {**copy.deepcopy(wanted), "metadata": {"name": "hal9-postgres-9"}}
    async with connect(context, "data") as cluster:
        lives = await there(cluster)
        files, kept = as_they_run({"10-data.yaml": [wanted, other]}, lives, images=True)
        allowed, none = as_they_run({"10-data.yaml": [wanted]}, lives, images=False)
        lost = await losing(cluster, [change(serving(server()), wanted)], [wanted])
        before = len(namespace.asked)
        await plan(cluster, [], {STATEFUL_SET: lives})
    assert files == {"10-data.yaml": [server(), other]}  # what is not there yet comes as it was rendered
    assert [(one.name, one.runs, one.rendered) for one in kept] == [(NAME, image_of(server()), image_of(wanted))]
    assert (allowed, none) == ({"10-data.yaml": [wanted]}, ())
    assert lost == {NAME: (IMAGE,)}
    assert ("GET", f"/apis/apps/v1/namespaces/data/statefulsets/{NAME}") not in namespace.asked
    assert before < len(namespace.asked)


async def test_servers_are_replaced_one_by_one_the_one_without_data_first(context: str, namespace: Namespace) -> None:
    namespace.known = ("1.0.0", "2.0.0")
    told = Told()
    async with connect(context, "data") as cluster:
        found = await replace(cluster, servers(version="2.0.0").values(), dict(namespace.lives), 5, told)
    assert found == []
    order = ["hal9-valkey", "hal9-postgres-0", "hal9-postgres-1", "hal9-postgres-2"]
    assert [name for name, _ in namespace.applied] == order
    assert [note.split()[0] for note in told.notes] == order


async def test_one_that_does_not_become_ready_gets_its_old_image_back_and_no_other_is_touched(
    context: str, namespace: Namespace
) -> None:
    told = Told()
    async with connect(context, "data") as cluster:
        found = await replace(cluster, servers(version="3.0.0").values(), dict(namespace.lives), 20, told)
    assert [(one.name, one.pods[0].hopeless) for one in found] == [("hal9-valkey", True)]
    new, old = (image_of(servers(version=version)["hal9-valkey"]) for version in ("3.0.0", "1.0.0"))
    assert namespace.applied == [("hal9-valkey", new), ("hal9-valkey", old)]
    assert told.notes[-1] == f"hal9-valkey has its old image {old} back: it serves again."
