"""Who reaches the databases of a whole deployment, and whose events a function takes."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING

import pytest

from tests.cluster.deployed import IMAGES
from tests.cluster.intruder import PYTHON, REACHED, tried, tried_inside
from tests.cluster.kubectl import kubectl
from tests.processes.tally_runs import finished

if TYPE_CHECKING:
    from tests.cluster.deployed import DeployedPlatform

POSTGRES = [f"hal9-postgres-{shard}" for shard in range(3)]
SERVERS = [*((name, name, 5432) for name in POSTGRES), ("hal9-valkey", "hal9-valkey", 6379)]
BROKER = ("the Broker", "broker-ingress.knative-eventing.svc.cluster.local", 80)
API = ("the Kubernetes API", "kubernetes.default.svc.cluster.local", 443)
ELSEWHERE = [
    ("another namespace", "webhook.knative-serving.svc.cluster.local", 443),
    ("another private network", "10.231.0.1", 5432),
    ("the metadata service", "169.254.169.254", 80),
]


def everything(*services: str) -> list[tuple[str, str, int]]:
    functions = [(name, name, 80) for name in services]
    return [*SERVERS, BROKER, API, *ELSEWHERE, ("the outside", "192.0.2.1", 443), *functions]


def image(deployed: DeployedPlatform) -> str:
    return f"{IMAGES}/migrations:{deployed.version}"


def test_a_pod_that_nobody_named_reaches_no_database_and_nothing_else(deployed: DeployedPlatform) -> None:
    found = tried(deployed.namespace, image(deployed), everything("gateway", "codegen", "upkeep"))
    assert {name for name, how in found.items() if how in REACHED} == set(), found


@pytest.mark.parametrize(
    ("service", "allowed"),
    [
        ("neuron-l2", {*POSTGRES, BROKER[0], API[0]}),
        ("gateway", {*POSTGRES, "hal9-valkey", BROKER[0], "codegen"}),
    ],
)
def test_a_function_reaches_what_its_description_names(
    deployed: DeployedPlatform, service: str, allowed: set[str]
) -> None:
    with deployed.client(tries=10) as client:
        finished(client)  # so that there is an instance
    (pod, *_) = deployed.until(f"an instance of {service}", lambda: deployed.ready(service))
    found = tried_inside(deployed.namespace, pod, everything("codegen"))
    assert {name for name, how in found.items() if how in REACHED} == allowed, found


POST = """
import json, sys, urllib.error, urllib.request
url, headers = json.loads(sys.argv[1])
try:
    print(urllib.request.urlopen(urllib.request.Request(url, b"{}", headers), timeout=60).status)
except urllib.error.HTTPError as error:
    print(error.code)
"""


def test_an_event_that_the_broker_did_not_bring_is_refused(deployed: DeployedPlatform) -> None:
    headers = {
        "ce-specversion": "1.0",
        "ce-id": secrets.token_hex(8),
        "ce-source": "/evil",
        "content-type": "application/json",
        "ce-type": "ai.hal9.neuron.run.requested",
        "ce-orgid": deployed.credentials["organisation"],
    }
    url = f"http://neuron-l4.{deployed.namespace}.svc.cluster.local/events"
    name = f"poster-{secrets.token_hex(3)}"
    command = [PYTHON, "-c", POST, json.dumps([url, headers])]
    container = {"name": "poster", "image": image(deployed), "command": command}
    spec = {"restartPolicy": "Never", "containers": [container]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"}, "spec": spec}
    kubectl("create", "-f", "-", stdin=json.dumps(pod))
    try:
        done = "--for=jsonpath={.status.phase}=Succeeded"
        kubectl("-n", "default", "wait", done, f"pod/{name}", "--timeout=180s")
        assert kubectl("-n", "default", "logs", name).strip() == "401"
    finally:
        kubectl("-n", "default", "delete", "pod", name, "--wait=false")
