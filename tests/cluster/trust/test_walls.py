"""NetworkPolicies on a real cluster: what a pod of the namespace, and one of another, reaches and what is dropped."""

from __future__ import annotations

import asyncio
import json
import secrets
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.intruder import REACHED, tried
from tests.cluster.kubectl import kubectl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster.trust.probing import Stage


@pytest.fixture(scope="module")
def neighbour() -> Iterator[str]:
    """Give a namespace of somebody else's."""
    name = f"hal9-neighbour-{secrets.token_hex(3)}"
    kubectl("create", "namespace", name)
    yield name
    subprocess.run(["kubectl", "delete", "namespace", name, "--wait=false"], check=True, capture_output=True)


def address(pods: list[dict[str, Any]], service: str) -> str:
    return next(
        str(pod["status"]["podIP"])
        for pod in pods
        if pod["metadata"]["labels"].get("serving.knative.dev/service") == service
    )


def listed(*arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(kubectl("get", *arguments, "-o", "json"))["items"]
    return found


def everything(stage: Stage) -> list[tuple[str, str, int]]:
    """Name what somebody might like to reach, with addresses as they are after a service's translation."""
    namespace = stage.target.namespace
    pods = listed("pods", "-n", namespace)
    api = stage.target.api_cidrs[0].partition("/")[0]
    (dispatcher,) = listed("pods", "-n", "knative-eventing", "-l", "eventing.knative.dev/brokerRole=filter")
    (webhook,) = listed("pods", "-n", "knative-serving", "-l", "app=webhook")
    return [
        ("codegen's queue-proxy", address(pods, "codegen"), 8012),
        ("codegen itself", address(pods, "codegen"), 8080),
        ("upkeep itself", address(pods, "upkeep"), 8080),
        ("codegen, as a service", f"codegen.{namespace}.svc.cluster.local", 80),
        ("the Broker", "broker-ingress.knative-eventing.svc.cluster.local", 80),
        ("the API server", api, stage.target.api_port),
        ("the API server, as a service", "kubernetes.default.svc.cluster.local", 443),
        ("the database's range", "10.231.0.1", 5432),
        ("the Broker's filter", dispatcher["status"]["podIP"], 8080),
        ("another namespace's pod", webhook["status"]["podIP"], 8443),
        ("the node", api, 10250),
        ("the outside", "192.0.2.1", 443),
        ("the metadata service", "169.254.169.254", 80),
    ]


def test_a_pod_of_the_namespace_that_nobody_named_reaches_nothing(stage: Stage) -> None:
    found = tried(stage.target.namespace, f"{stage.target.images}/codegen:probe", everything(stage))
    assert {name for name, how in found.items() if how in REACHED} == set(), found


def test_a_pod_of_another_namespace_reaches_no_function_but_through_the_ingress(stage: Stage, neighbour: str) -> None:
    targets = [one for one in everything(stage) if one[0].startswith(("codegen", "upkeep"))]
    found = tried(neighbour, f"{stage.target.images}/codegen:probe", targets)
    assert {name for name, how in found.items() if how in REACHED} == {"codegen, as a service"}, found


ALLOWED = {
    # The database's range is 10.0.0.0/8 where the target names none: nobody listens there, which is "failed".
    "gateway": {"codegen, as a service", "the Broker", "the database's range"},
    "codegen": {"the Broker", "the API server", "the API server, as a service", "the database's range"},
    "neuron-l2": {"the Broker", "the API server", "the API server, as a service", "the database's range"},
    "upkeep": {"the Broker", "the API server", "the API server, as a service", "the database's range"},
}


@pytest.mark.parametrize("deployment", list(ALLOWED))
async def test_a_function_reaches_what_its_description_names_and_nothing_else(stage: Stage, deployment: str) -> None:
    async def attempt(host: str, port: int) -> Any:
        wanted = {"host": host, "port": port}
        if deployment == "gateway":
            return (await stage.client.post("/probe/connect", json=wanted)).json()
        return await stage.ask(deployment, "/probe/connect", wanted)

    itself = (f"{deployment} itself", f"{deployment}'s queue-proxy")
    targets = [one for one in everything(stage) if one[0] not in itself]
    outcomes = await asyncio.gather(*(attempt(host, port) for _, host, port in targets))
    reached = {name for (name, _, _), how in zip(targets, outcomes, strict=True) if how in REACHED}
    assert reached == ALLOWED[deployment], outcomes
