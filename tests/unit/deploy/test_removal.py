"""What a removal reads: nothing of what is to stay; and in which order it deletes: policies after the last pod."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from knative.cli.progress import Silent
from knative.deploy import applyset, removal
from knative.deploy.cluster import ClusterError, connect
from knative.deploy.removal import removable, remove
from tests.unit.deploy.apiserver import api_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from knative.render.target import Manifest


def without_rights(_method: str, path: str, _given: Any) -> tuple[int, Any]:
    """Say that there is no object of a name, and list nothing."""
    return 404 if path.endswith("/configmaps/hal9") else 403, {"message": "you may not", "reason": "Forbidden"}


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Of a server that listens."""
    with api_server(without_rights, tmp_path, monkeypatch) as name:
        yield name


async def test_what_is_to_stay_is_not_read(context: str) -> None:
    async with connect(context, "hal9") as cluster:
        assert await removable(cluster, with_data=False) == []


async def test_what_is_to_go_is(context: str) -> None:
    async with connect(context, "hal9") as cluster:
        with pytest.raises(ClusterError, match="you may not"):
            await removable(cluster, with_data=True)


PLURALS = {
    "configmaps": ("v1", "ConfigMap"),
    "serviceaccounts": ("v1", "ServiceAccount"),
    "networkpolicies": ("networking.k8s.io/v1", "NetworkPolicy"),
    "statefulsets": ("apps/v1", "StatefulSet"),
    "deployments": ("apps/v1", "Deployment"),
    "triggers": ("eventing.knative.dev/v1", "Trigger"),
    "brokers": ("eventing.knative.dev/v1", "Broker"),
    "services": ("serving.knative.dev/v1", "Service"),
}


class Deployed:
    """A deployment whose pods end some looks after what made them was deleted; it remembers what was deleted."""

    def __init__(self, looks: int) -> None:
        names = ["Broker.eventing.knative.dev", "NetworkPolicy.networking.k8s.io", "Service.serving.knative.dev"]
        names += ["ServiceAccount", "StatefulSet.apps", "Deployment.apps", "Trigger.eventing.knative.dev"]
        annotations = {"applyset.kubernetes.io/contains-group-kinds": ",".join(names)}
        self.objects = {(plural, "hal9"): self.made(plural, "hal9") for plural in PLURALS}
        self.objects["configmaps", "hal9"]["metadata"]["annotations"] = annotations
        self.looks = {"services": looks, "statefulsets": looks}
        self.deleted: list[tuple[str, set[str]]] = []

    def made(self, plural: str, name: str) -> Manifest:
        version, kind = PLURALS[plural]
        labels = {applyset.MEMBER: applyset.set_id("hal9")}
        return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "uid": plural, "labels": labels}}

    def pods(self, asked: str) -> list[str]:
        """Name those that are there still, of functions or of servers."""
        plural = "statefulsets" if " in (" in asked else "services"
        if (plural, "hal9") not in self.objects:
            self.looks[plural] -= 1
        return [f"of-{plural}"] if self.looks[plural] > 0 else []

    def __call__(self, method: str, path: str, _given: Any) -> tuple[int, Any]:
        path, _, query = path.partition("?")
        group, _, rest = path.partition("/namespaces/hal9/")
        plural, _, name = rest.partition("/")
        if not rest:
            return 200, {"resources": [{"kind": "Revision"}]}
        if method == "DELETE":
            self.deleted.append((plural, {f"of-{one}" for one, looks in self.looks.items() if looks > 0}))
            return (200, {}) if self.objects.pop((plural, name), None) else (404, {"message": "not found"})
        if name:
            found = self.objects.get((plural, name))
            return (200, found) if found else (404, {"message": "not found"})
        if plural == "pods":
            items: list[Any] = [{"metadata": {"name": one, "deletionTimestamp": "now"}} for one in self.pods(query)]
        else:
            right = PLURALS.get(plural, ("",))[0].rpartition("/")[0] in group
            items = [one for (known, _), one in self.objects.items() if known == plural and right]
        return 200, {"metadata": {}, "items": items}


@pytest.fixture
def deployed() -> Deployed:
    return Deployed(looks=3)


@pytest.fixture
def cluster_of(deployed: Deployed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Of a server that listens; whoever waits looks again at once."""
    monkeypatch.setattr(removal, "PERIOD_SECONDS", 0.0)
    with api_server(deployed, tmp_path, monkeypatch, queries=True) as name:
        yield name


async def test_policies_go_when_no_pod_is_left_and_servers_after_the_functions(
    cluster_of: str, deployed: Deployed
) -> None:
    async with connect(cluster_of, "hal9") as cluster:
        await remove(cluster, await removable(cluster, with_data=False), seconds=60, watcher=Silent())
    both, servers = {"of-services", "of-statefulsets"}, {"of-statefulsets"}
    assert deployed.deleted == [
        ("triggers", both),
        ("services", both),
        ("deployments", both),
        ("statefulsets", servers),
        ("brokers", set()),
        ("networkpolicies", set()),
        ("serviceaccounts", set()),
        ("configmaps", set()),
    ]
    assert deployed.objects == {}


async def test_pods_that_do_not_end_keep_what_keeps_them_apart_and_the_next_removal_goes_on(
    cluster_of: str, deployed: Deployed
) -> None:
    deployed.looks["services"] = 10**6
    async with connect(cluster_of, "hal9") as cluster:
        for _ in range(2):  # the second finds nothing of the first stage any more, and waits all the same
            with pytest.raises(ClusterError, match=r"Still there after 0 s: Pod of-services\. The network policies"):
                await remove(cluster, await removable(cluster, with_data=False), seconds=0, watcher=Silent())
            assert [plural for plural, _ in deployed.deleted] == ["triggers", "services", "deployments"]
        deployed.looks["services"] = 1
        await remove(cluster, await removable(cluster, with_data=False), seconds=60, watcher=Silent())
    assert deployed.objects == {}
