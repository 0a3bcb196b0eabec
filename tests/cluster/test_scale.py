"""From zero at the first request, out under load, and to zero when nobody asks any more."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from shared.identifiers import new_id
from tests.cluster.going import PAUSE, SECONDS, going_on
from tests.cluster.watching import watching
from tests.processes.tally_runs import ended, insisted

if TYPE_CHECKING:
    from pathlib import Path

    from shared.client import Client
    from shared.neurons.wire import Run
    from tests.cluster.deployed import DeployedPlatform

REQUEST = "A library that tells leap years."
NEURONS = ("neuron-l4", "neuron-l3", "neuron-l2")
AT_ONCE = 24
WAITING = {"seconds": 2.0, "clerks": 2, "counters": 1}
"""Each step of such a run holds its request that long, whatever processors there are."""


def zero(deployed: DeployedPlatform, *services: str) -> None:
    deployed.until(
        f"no instance of {', '.join(services) or 'any service'}",
        lambda: not deployed.instances(*services),
        SECONDS,
    )


def test_a_request_finds_everything_at_zero_and_becomes_a_verified_project(
    deployed: DeployedPlatform, tmp_path: Path
) -> None:
    zero(deployed)
    with watching(deployed.namespace) as most:
        done = deployed.hal9("codegen", REQUEST, "--out", str(tmp_path / "out"), "--json", timeout=240)
    said = json.loads(done.stdout)
    assert (said["verified"], said["state"]) == (True, "completed"), done.stdout
    assert set(most) >= {"gateway", "codegen", *NEURONS}


def waited(client: Client) -> Run:
    """Start a run whose steps wait, once, and wait for its end."""
    key = str(new_id())
    return ended(client, insisted(lambda: client.runs.start("patience", WAITING, idempotency_key=key)), SECONDS, PAUSE)


def test_load_brings_more_instances_and_its_end_takes_them_all_away(deployed: DeployedPlatform) -> None:
    with watching(deployed.namespace) as most, going_on(deployed, AT_ONCE, waited) as going:
        deployed.until("more than one instance of a layer", lambda: max(most[name] for name in NEURONS) > 1, SECONDS)
        runs = going.ended()
    assert len(runs) >= AT_ONCE
    assert {run.state for run in runs} == {"completed"}
    zero(deployed, *NEURONS)
