"""While revisions change under load every request is answered and every event arrives: SIGTERM drains."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from knative.deploy.canary import Canary
from knative.deploy.kinds import BROKER, POD, SERVICE, TRIGGER
from knative.deploy.waiting import until_ready
from tests.cluster.rolling import SECONDS, Told, release
from tests.cluster.standins import NAME, Behaviour, delivered, ledger, load, publisher, service

if TYPE_CHECKING:
    from knative.deploy.cluster import Cluster
    from knative.render import Manifest

EVENTS = 600
EVENTS_PER_SECOND = 10
REQUESTS_PER_SECOND = 20


async def applied(cluster: Cluster, *manifests: Manifest) -> None:
    for manifest in manifests:
        await cluster.apply(manifest)
    assert await until_ready(cluster, manifests, SECONDS, Told()) == []


def broker(cluster: Cluster) -> Manifest:
    return {
        "apiVersion": BROKER.version,
        "kind": BROKER.name,
        "metadata": {
            "name": "default",
            "namespace": cluster.namespace,
            "annotations": {"eventing.knative.dev/broker.class": "MTChannelBasedBroker"},
        },
        "spec": {
            "config": {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "name": "config-br-default-channel",
                "namespace": "knative-eventing",
            }
        },
    }


def trigger(cluster: Cluster) -> Manifest:
    return {
        "apiVersion": TRIGGER.version,
        "kind": TRIGGER.name,
        "metadata": {"name": "noted", "namespace": cluster.namespace},
        "spec": {
            "broker": "default",
            "subscriber": {"ref": {"apiVersion": SERVICE.version, "kind": SERVICE.name, "name": NAME}},
            "delivery": {"retry": 10, "backoffPolicy": "exponential", "backoffDelay": "PT0.2S"},
        },
    }


async def until_ended(cluster: Cluster, pod: str) -> str:
    """Wait for a pod's end; give its phase."""
    while True:
        found = await cluster.get(POD, pod)
        assert found is not None
        if found["status"]["phase"] in {"Succeeded", "Failed"}:
            return str(found["status"]["phase"])
        await asyncio.sleep(1)


async def test_three_roll_outs_under_load_lose_no_request_and_no_event(cluster: Cluster) -> None:
    await applied(cluster, ledger(cluster), service(cluster, Behaviour("first", slow=0.05)), broker(cluster))
    await applied(cluster, trigger(cluster))
    taken = await cluster.get(BROKER, "default")
    assert taken is not None
    async with load(cluster, REQUESTS_PER_SECOND) as answers:
        await cluster.create(POD, publisher(cluster, taken, EVENTS, EVENTS_PER_SECOND))
        for version, trial in {"second": Canary(20, 10), "third": Canary(50, 0), "fourth": None}.items():
            assert (await release(cluster, service(cluster, Behaviour(version, slow=0.05)), trial)).good
        assert await until_ended(cluster, "publisher") == "Succeeded"
    assert set(answers.statuses) == {200}
    assert set(answers.versions) == {"first", "second", "third", "fourth"}
    found = await delivered(cluster)
    assert set(found) == {f"event-{number}" for number in range(EVENTS)}
    assert found.total() < 1.2 * EVENTS, "repeated deliveries are the exception"
