"""Every manifest against the live API server, with strict validation: no fault, and no warning."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from knative.deploy.cluster import ClusterError
from knative.deploy.planning import plan
from knative.description import load_all
from knative.images.versions import versions
from knative.render import REGIONS, Data, Target, render
from tests.cluster.conftest import FUNCTIONS, IMAGES, ROOT

if TYPE_CHECKING:
    from knative.deploy.cluster import Cluster
    from knative.render import Manifest

VERSIONS = versions(ROOT)
DATA = Data(postgres=VERSIONS["postgres"], valkey=VERSIONS["valkey"])
TARGETS = {
    **{f"{region}-production": {"region": region} for region in REGIONS},
    "trial": {"region": "eu-central", "environment": "trial", "broker": "channel"},
    "with-volumes": {"region": "eu-central", "environment": "trial", "broker": "channel", "data": DATA},
    "without-volumes": {"region": "eu-central", "broker": "channel", "data": replace(DATA, storage="emptydir")},
}


def manifests(cluster: Cluster, name: str) -> list[Manifest]:
    target = Target(namespace=cluster.namespace, images=IMAGES, **TARGETS[name])  # type: ignore[arg-type]
    return [one for file in render(load_all(FUNCTIONS), target).values() for one in file]


@pytest.mark.parametrize("name", TARGETS)
async def test_the_server_takes_every_manifest_without_a_warning(name: str, cluster: Cluster) -> None:
    wanted = manifests(cluster, name)
    found = await plan(cluster, wanted)
    assert (found.faults, found.checked) == ((), True)
    assert len(found.changes) == len(wanted)


async def test_a_field_that_nobody_knows_and_what_a_webhook_refuses_are_faults(cluster: Cluster) -> None:
    wanted = manifests(cluster, "trial")
    service = next(one for one in wanted if one["kind"] == "Service")
    service["spec"]["template"]["spec"]["containerConcurency"] = 1
    trigger = next(one for one in wanted if one["kind"] == "Trigger")
    trigger["spec"]["broker"] = ""
    found = await plan(cluster, wanted)
    assert len(found.faults) == 2
    assert "containerConcurency" in found.faults[0]
    assert trigger["metadata"]["name"] in found.faults[1]


async def test_the_servers_warnings_are_faults(cluster: Cluster) -> None:
    """A duplicate name of a variable is taken, with a warning."""
    job = next(one for one in manifests(cluster, "trial") if one["kind"] == "Job")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    container["env"] = [{"name": "A", "value": "1"}]
    container["terminationMessagePath"] = "/x"
    job["spec"]["template"]["spec"]["volumes"].append({"name": "old", "gitRepo": {"repository": "x"}})
    found = await plan(cluster, [job])
    assert any("the server warns" in fault for fault in found.faults), found.faults


async def test_a_refusal_is_the_servers_own_words(cluster: Cluster) -> None:
    with pytest.raises(ClusterError, match=r"unknown field|not declared") as refused:
        await cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "dat": {}})
    assert refused.value.status in {400, 500}
