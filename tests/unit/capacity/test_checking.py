"""The model against observations whose answer is known."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from knative.capacity.checking import Observation, compare, read, simulate
from knative.capacity.measurements import DEFAULT, MeasurementsError
from knative.cli.main import main
from tests.unit.capacity.queues import sojourn_percentile


def observation(**settings: Any) -> dict[str, Any]:
    """A step from 20 to 300 requests a second that take 0.1 s each."""
    measurements = json.loads(DEFAULT.read_text())
    measurements["hops"] |= {"ingress_seconds": 0, "activator_seconds": 0, "queue_proxy_seconds": 0}
    measurements["functions"]["neuron-l2"]["work"]["step"] |= {
        "processor_seconds": [[0, 0.001], [1, 0.001]],
        "wait_seconds": [[0, 0.05], [0.5, 0.1], [1, 0.15]],
    }
    rate = [20.0] * 40 + [300.0] * 100
    return {
        "format": "hal9.capacity.observation/1",
        "made_by": "a test",
        "deployment": "neuron-l2",
        "kind": "step",
        "settings": {
            "concurrency": 4, "target": 4, "total": 4, "min": 1, "max": 40, "initial": 1, "window_seconds": 20,
        } | settings,
        "load": {"rate": rate},
        "observed": {
            "ready": [1] * len(rate), "answered": 0, "failed": 0,
            "p50_seconds": 0.1, "p95_seconds": 0.2, "p99_seconds": 0.3,
        },
        "measurements": measurements,
    }  # fmt: skip


def as_simulated(document: dict[str, Any]) -> dict[str, Any]:
    """Let the model itself be the cluster, with another seed than the comparison uses."""
    seconds, tally = simulate(Observation.model_validate(document), 99)
    document["observed"] = {
        "ready": [second.ready for second in seconds],
        "answered": tally.answered,
        "failed": tally.refused + tally.timed_out,
        **{f"p{part}_seconds": tally.percentile(part / 100) for part in (50, 95, 99)},
    }
    return document


def test_a_model_agrees_with_itself() -> None:
    found = compare(Observation.model_validate(as_simulated(observation())))
    assert found.relative_error < 0.1
    assert found.peak[0] > 7
    assert found.peak[1] == pytest.approx(found.peak[0], rel=0.2)
    assert found.peak_second[1] == pytest.approx(found.peak_second[0], abs=6)
    assert found.answered[1] == pytest.approx(found.answered[0], rel=0.05)


def test_one_pod_waits_as_erlang_says() -> None:
    """M/M/4 at 80%: the observation is the formula, not a simulation."""
    document = observation(min=1, max=1)
    service, rate = 0.1, 32.0
    parts = [number / 400 for number in range(400)]
    exponential = [[part, -service * math.log(1 - part)] for part in parts]
    document["measurements"]["functions"]["neuron-l2"]["work"]["step"] |= {
        "processor_seconds": [[0, 0], [1, 0]],
        "wait_seconds": [*exponential, [1, 8 * service]],
    }
    document["load"] = {"rate": [rate] * 1500}
    document["observed"] = {
        "ready": [1] * 1500,
        "answered": round(1500 * rate),
        "failed": 0,
        **{f"p{part}_seconds": sojourn_percentile(4, rate, service, part / 100) for part in (50, 95, 99)},
    }
    found = compare(Observation.model_validate(document))
    assert found.instances_error == 0
    for real, model in found.latencies.values():
        assert model == pytest.approx(real, rel=0.08)


def test_a_cluster_that_does_otherwise_is_seen() -> None:
    document = as_simulated(observation())
    document["observed"]["ready"] = [2 * count for count in document["observed"]["ready"]]
    found = compare(Observation.model_validate(document))
    assert found.relative_error == pytest.approx(0.5, abs=0.1)


def test_people_can_be_the_load() -> None:
    document = observation()
    document["load"] = {"users": [30] * 120, "think_seconds": 0.9}
    document["observed"]["ready"] = [1] * 120
    _, tally = simulate(Observation.model_validate(document), 1)
    assert tally.answered == pytest.approx(30 / (0.9 + 0.101) * 120, rel=0.1)


def test_the_command_states_the_error(tmp_path: Path) -> None:
    path = tmp_path / "observed.json"
    path.write_text(json.dumps(as_simulated(observation())))
    done = CliRunner().invoke(main, ["capacity", "check", str(path), "--within", "0.2"])
    assert done.exit_code == 0, done.output
    assert "of their mean" in done.output
    document = json.loads(path.read_text())
    document["observed"]["ready"] = [9] * len(document["observed"]["ready"])
    path.write_text(json.dumps(document))
    assert CliRunner().invoke(main, ["capacity", "check", str(path), "--within", "0.2"]).exit_code == 1
    assert CliRunner().invoke(main, ["capacity", "check", str(path), "--json"]).exit_code == 0


def test_an_observation_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    document = observation()
    document["deployment"], document["observed"]["ready"] = "neuron-l9", [1]
    path = tmp_path / "observed.json"
    path.write_text(json.dumps(document))
    with pytest.raises(MeasurementsError, match=r"know no deployment 'neuron-l9'; 1 seconds were observed"):
        read(path)
    document["load"] = {"rate": [1.0], "users": [1]}
    path.write_text(json.dumps(document))
    with pytest.raises(MeasurementsError, match="either rate or users"):
        read(path)
