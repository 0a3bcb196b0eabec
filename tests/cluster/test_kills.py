"""What dies in the middle of runs: instances, parts of Knative, the network. All runs end once, effects happen once."""

from __future__ import annotations

import contextlib
import subprocess
from functools import partial
from typing import TYPE_CHECKING

import pytest

from shared.neurons.wire import ENDED
from tests.cluster.deployed import node
from tests.cluster.going import SECONDS, runs_going_on
from tests.cluster.kubectl import kubectl
from tests.processes.tally_runs import insisted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from shared.neurons.wire import Run
    from tests.cluster.deployed import DeployedPlatform
    from tests.cluster.going import Going

AT_ONCE = 8
LINES = tuple("one two three four five six" for _ in range(4))
SERVICES = ("neuron-l2", "neuron-l3", "neuron-l4", "gateway", "upkeep")
"""Those that `tally` needs; upkeep comes with the clock."""
PARTS = {
    "the Broker's ingress": ("knative-eventing", "eventing.knative.dev/brokerRole=ingress"),
    "the Broker's filter": ("knative-eventing", "eventing.knative.dev/brokerRole=filter"),
    "the channel's dispatcher": ("knative-eventing", "messaging.knative.dev/role=dispatcher"),
    "the activator": ("knative-serving", "app=activator"),
}
CUT_SECONDS = 20


@pytest.fixture
def runs(deployed: DeployedPlatform) -> Iterator[Going[Run]]:
    """Runs that go on while a test breaks something; whatever it was, each of them ends once."""
    with runs_going_on(deployed, AT_ONCE, LINES) as made:
        yield made


def break_each(deployed: DeployedPlatform, how: Callable[[str], None]) -> None:
    """Break one instance of each service in turn."""
    for service in SERVICES:
        (pod, *_) = deployed.until(f"an instance of {service}", partial(deployed.ready, service))
        how(pod)


def test_pods_are_deleted(deployed: DeployedPlatform, runs: Going[Run]) -> None:
    break_each(deployed, deployed.delete_pods)
    runs.some_more()


def test_processes_are_killed(deployed: DeployedPlatform, runs: Going[Run]) -> None:
    node()
    break_each(deployed, deployed.kill)
    runs.some_more()


def test_the_verification_of_a_project_is_killed(deployed: DeployedPlatform) -> None:
    node()
    with deployed.explained(), deployed.client(tries=10) as client:
        project = client.projects.create("A library that tells leap years.")

        def verifying() -> bool:
            with contextlib.suppress(Exception):  # the run begins a moment after its project
                tree = client.runs.get(project.run_id).tree
                return any(step.executor == "codegen" and step.state == "delegated" for step in tree)
            return False

        deployed.until("a verification", verifying)
        for pod in deployed.ready("codegen"):
            deployed.kill(pod)
        deployed.until(
            "the run's end", lambda: insisted(lambda: client.runs.get(project.run_id)).state in ENDED, SECONDS
        )
        run = insisted(lambda: client.runs.get(project.run_id))
        assert run.state == "completed", run
        said = [event.type for event in insisted(lambda: list(client.runs.watch(run.id)))]
        assert (said.count("run.started"), said.count("run.completed")) == (1, 1)
        deployed.until(
            "the project's end", lambda: insisted(lambda: client.projects.get(project.id)).state != "running"
        )
        found = insisted(lambda: client.projects.get(project.id))
        assert found.result is not None
        assert found.result.verified
        deployed.until("codegen again", lambda: deployed.ready("codegen"))


@pytest.mark.parametrize("part", PARTS)
def test_a_part_of_knative_is_deleted(deployed: DeployedPlatform, runs: Going[Run], part: str) -> None:
    namespace, selector = PARTS[part]
    kubectl("-n", namespace, "delete", "pod", "-l", selector, "--wait=false")
    runs.some_more()
    until_whole(namespace)


def until_whole(*namespaces: str) -> None:
    """Wait until Knative itself is well again: what ended meanwhile is started after ever longer pauses."""
    for namespace in namespaces:
        kubectl("-n", namespace, "wait", "--for=condition=Available", "deployment", "--all", "--timeout=420s")


@contextlib.contextmanager
def cut() -> Iterator[None]:
    """Drop whatever pods send and get; the node itself mends that after its time, whatever becomes of us."""
    table = "inet hal9-test-cut"
    rules = f"""
        add table {table}
        add chain {table} forward {{ type filter hook forward priority -400; policy drop; }}
        add chain {table} input {{ type filter hook input priority -400; }}
        add chain {table} output {{ type filter hook output priority -400; }}
        add rule {table} input iifname "veth*" drop
        add rule {table} output oifname "veth*" drop
    """
    mended = f"nft delete table {table}"
    script = f"trap '{mended}' EXIT; nft -f - && echo cut && sleep {CUT_SECONDS}"
    with subprocess.Popen(
        [*node(), "sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(rules)
        process.stdin.close()
        assert process.stdout.readline() == "cut\n"
        try:
            yield
        finally:
            assert process.wait() == 0


def test_the_nodes_network_is_cut(deployed: DeployedPlatform, runs: Going[Run]) -> None:
    (pod, *_) = deployed.instances("neuron-l4")
    url = f"http://{pod['status']['podIP']}:8012/"
    assert answers(url), "the node reaches its pods while their network is whole"
    with cut():
        assert not answers(url)
    runs.some_more()
    until_whole("knative-serving", "knative-eventing")


def answers(url: str) -> bool:
    """Say whether something answers the node in time, whatever it says."""
    return subprocess.run([*node(), "curl", "-s", "-m", "3", "-o", "/dev/null", url], check=False).returncode == 0
