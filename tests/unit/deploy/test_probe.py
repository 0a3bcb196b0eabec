"""A probe of events: what its Job is given, what is read of it, and what is to be restarted."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest

from knative.cli.progress import Silent
from knative.deploy.cluster import ClusterError, connect
from knative.deploy.probe import Parts, faults, probe
from shared.eventprobe import Report
from tests.unit.deploy.apiserver import api_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PARTS = Parts("the-ingress", ("the-filter", "the-dispatcher"))
GOOD = Report({"taken": 0.1, "received": 1.0, "answered": 1.5})


def told(**more: Any) -> list[tuple[str, str]]:
    return [(one.what, one.remedy) for one in faults(Report(**more), PARTS, 45)]


def test_nothing_is_wrong_where_the_reply_came() -> None:
    assert faults(GOOD, PARTS, 45) == []
    assert told(seconds={"received": 1.0, "answered": 2.0}) == []  # a broker may say later that it took the event


@pytest.mark.parametrize(
    ("seen", "what", "restarted"),
    [
        ({"refused": "the broker answered 500"}, "did not take an event: the broker answered 500", ["the-ingress"]),
        (
            {"seconds": {"taken": 1.0}, "undelivered": "x to http://y: 401 provider is nil"},
            "could not deliver it: x to http://y: 401 provider is nil",
            ["the-filter", "the-dispatcher"],
        ),
        ({"seconds": {"taken": 1.0}}, "took an event, and nobody got it within 45 s", ["the-filter", "the-dispatcher"]),
        ({}, "was given an event, and nobody got it within 45 s", ["the-filter", "the-dispatcher"]),
        (
            {"seconds": {"taken": 1.0, "received": 2.0}},
            "the reply to it did not come within 45 s",
            ["the-filter", "the-dispatcher", "the-ingress"],
        ),
    ],
)
def test_how_far_it_got_says_what_to_restart(seen: dict[str, Any], what: str, restarted: list[str]) -> None:
    ((sentence, remedy),) = told(**seen)
    assert what in sentence
    assert remedy.endswith(f"kubectl -n knative-eventing rollout restart deployment {' '.join(restarted)}")


def test_what_waits_in_outboxes_for_long_is_a_fault_though_the_probe_was_delivered() -> None:
    ((sentence, remedy),) = told(seconds=GOOD.seconds, outbox_pending=7, outbox_oldest_seconds=300.0)
    assert "7 events wait in outboxes, the oldest for 300 s" in sentence
    assert "pingsource-mt-adapter" in remedy
    assert told(seconds=GOOD.seconds, outbox_pending=7, outbox_oldest_seconds=60.0) == []


class Cluster:
    """A namespace with a Broker, where a Job says a report and ends."""

    def __init__(self) -> None:
        self.log = f"hello\n{json.dumps(asdict(GOOD))}\n"
        self.broker: dict[str, Any] = {
            "metadata": {"name": "default", "annotations": {"eventing.knative.dev/broker.class": "Kafka"}},
            "status": {"address": {"url": "http://broker/hal9/default", "audience": "the-broker"}},
        }
        self.jobs: dict[str, Any] = {}
        self.made: list[Any] = []

    def __call__(self, method: str, path: str, given: Any) -> tuple[int, Any]:
        plural, _, name = path.partition("/namespaces/hal9/")[2].partition("/")
        if method == "PATCH":
            self.made.append(given)
            ended = {"conditions": [{"type": "Complete", "status": "True"}]}
            self.jobs[name] = {**given, "metadata": {**given["metadata"], "uid": "1"}, "status": ended}
            return 200, self.jobs[name]
        if method == "DELETE":
            return 200, self.jobs.pop(name)
        if plural == "configmaps":
            data = {"region": "eu-central", "environment": "trial", "images": "dev.local/hal9", "version": "1"}
            return 200, {"metadata": {"name": "hal9"}, "data": data}
        if plural == "brokers":
            return 200, self.broker
        items = {"jobs": list(self.jobs.values()), "pods": [{"metadata": {"name": "pod"}}]}
        return (200, self.log) if name.endswith("/log") else (200, {"metadata": {}, "items": items[plural]})


@pytest.fixture
def there() -> Cluster:
    return Cluster()


@pytest.fixture
def context(there: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Of a server that listens."""
    with api_server(there, tmp_path, monkeypatch) as name:
        yield name


async def test_a_job_is_run_as_the_broker_wants_it_read_and_taken_away(context: str, there: Cluster) -> None:
    async with connect(context, "hal9") as cluster:
        found = await probe(cluster, progress=Silent())
    assert (found.report, found.faults, there.jobs) == (GOOD, (), {})
    pod = there.made[0]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    values = {one["name"]: one.get("value") for one in container["env"]}
    assert values["HAL9_BROKER_URL"] == "http://broker/hal9/default"
    (source,) = next(one["projected"]["sources"] for one in pod["volumes"] if one["name"] == "broker-token")
    assert source["serviceAccountToken"]["audience"] == "the-broker"
    assert (pod["serviceAccountName"], container["image"]) == ("hal9-probe", "dev.local/hal9/upkeep:1")


async def test_each_class_of_broker_has_its_own_parts_and_one_without_oidc_wants_no_token(
    context: str, there: Cluster
) -> None:
    there.log = json.dumps(asdict(Report({"taken": 1.0})))
    there.broker["status"]["address"] = {"url": "http://broker/hal9/default"}
    async with connect(context, "hal9") as cluster:
        kafka = await probe(cluster, progress=Silent())
        there.broker["metadata"]["annotations"] = {}
        channel = await probe(cluster, progress=Silent())
    assert "kafka-broker-dispatcher" in kafka.faults[0].remedy
    assert "mt-broker-filter imc-dispatcher" in channel.faults[0].remedy
    assert "broker-token" not in json.dumps(there.made)
    assert there.made[0]["metadata"]["name"] != there.made[1]["metadata"]["name"]


@pytest.mark.parametrize("log", ["", "not a report", '{"seconds": {}}'])
async def test_a_log_that_cannot_be_read_is_said(context: str, there: Cluster, log: str) -> None:
    there.log = log
    async with connect(context, "hal9") as cluster:
        with pytest.raises(ClusterError, match="its log cannot be read: try again"):
            await probe(cluster, progress=Silent())
    assert there.jobs == {}


async def test_without_a_broker_nothing_is_run(context: str, there: Cluster) -> None:
    there.broker["status"] = {}
    async with connect(context, "hal9") as cluster:
        with pytest.raises(ClusterError, match="No Broker with an address is in hal9"):
            await probe(cluster, progress=Silent())
    assert there.made == []
