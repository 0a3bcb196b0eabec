"""What servers for trying out keep when they are deployed again, and when their data would go."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from knative.deploy.changes import change
from knative.deploy.cluster import connect
from knative.deploy.dataservers import as_they_run, begun, erased, keeping, losing
from knative.description import load_all
from knative.render import Data, Target, render
from tests.unit.deploy.apiserver import api_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from knative.render.target import Manifest

FUNCTIONS = load_all(Path(__file__).parents[3] / "functions")
NAME = "hal9-postgres-0"


def server(storage: Any = "emptydir", version: str = "1.0.0", pool_size: int = 0) -> Manifest:
    target = Target("us-west", "trial", version=version, data=Data(storage), pool_size=pool_size)
    files = render(FUNCTIONS, target)
    found = (one for one in files["10-data.yaml"] if one["kind"] == "StatefulSet" and one["metadata"]["name"] == NAME)
    return next(found)


def serving(manifest: Manifest) -> Manifest:
    return {**copy.deepcopy(manifest), "status": {"readyReplicas": 1}}


def lost(live: Manifest, wanted: Manifest) -> dict[str, tuple[str, ...]]:
    return erased([change("StatefulSet", NAME, live, wanted)], [wanted])


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
    assert erased([change("StatefulSet", NAME, None, wanted)], [wanted]) == {}


def test_where_no_container_was_started_nothing_can_be_lost() -> None:
    waiting = {"state": {"waiting": {"reason": "ImagePullBackOff"}}, "lastState": {}, "containerID": ""}
    ended = {**waiting, "lastState": {"terminated": {"exitCode": 1}}}
    pods = [{"status": {"containerStatuses": [one]}} for one in (waiting, ended, {"containerID": "containerd://1"})]
    assert [begun(pod) for pod in [{}, *pods]] == [False, False, True, True]


def one_server(_method: str, path: str, _given: Any) -> tuple[int, Any]:
    """Have one StatefulSet that serves, and one pod, whose container was started."""
    pod = {"metadata": {"name": f"{NAME}-0"}, "status": {"containerStatuses": [{"containerID": "containerd://1"}]}}
    answers: dict[str, Any] = {
        f"/apis/apps/v1/namespaces/data/statefulsets/{NAME}": serving(server()),
        "/api/v1/namespaces/data/pods": {"metadata": {}, "items": [pod]},
    }
    return (200, answers[path]) if path in answers else (404, {"message": "not found", "reason": "NotFound"})


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Of a server that listens."""
    with api_server(one_server, tmp_path, monkeypatch) as name:
        yield name


async def test_what_runs_is_asked_of_the_cluster(context: str) -> None:
    wanted = server(version="2.0.0")
    other = {**copy.deepcopy(wanted), "metadata": {"name": "hal9-postgres-1"}}
    async with connect(context, "data") as cluster:
        kept = await as_they_run(cluster, {"10-data.yaml": [wanted, other]}, emptydir=True)
        allowed = await as_they_run(cluster, {"10-data.yaml": [wanted]}, emptydir=False)
        lost = await losing(cluster, [change("StatefulSet", NAME, serving(server()), wanted)], [wanted])
    assert kept == {"10-data.yaml": [server(), other]}  # what is not there yet comes as it was rendered
    assert allowed == {"10-data.yaml": [wanted]}
    assert lost == {NAME: (IMAGE,)}
