"""The files: what is taken, what is refused, and that the schemas are current."""

from __future__ import annotations

import json
import random
import statistics
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from knative.capacity import checking, measurements
from knative.capacity.measurements import DEFAULT, FOLDER, MeasurementsError, load, mean, spread


def default() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(DEFAULT.read_text())
    return found


def test_the_schemas_are_those_of_the_formats() -> None:
    assert (FOLDER / "schema.json").read_text() == measurements.schema()
    assert (FOLDER / "observation.schema.json").read_text() == checking.schema()
    jsonschema.validate(default(), json.loads(measurements.schema()))


def test_every_figure_says_where_it_comes_from() -> None:
    loaded = load(DEFAULT)
    for function in loaded.functions.values():
        assert all(len(work.source) > 10 for work in function.work.values())
    assert all("bench-cluster" in told for told in (loaded.made_by, loaded.hops.source, loaded.cold_start.source))


def test_a_wrong_file_is_refused_with_every_fault(tmp_path: Path) -> None:
    document = default()
    document["format"] = "hal9.capacity.measurements/9"
    document["surplus"] = 1
    document["functions"]["gateway"]["work"]["pass"]["processor_seconds"] = [[0, 2], [1, 1]]
    document["functions"]["codegen"]["start_seconds"] = [[0, 1], [0.5, 2]]
    document["cold_start"]["starts_per_second_and_node"] = 0
    path = tmp_path / "wrong.json"
    path.write_text(json.dumps(document))
    with pytest.raises(MeasurementsError) as refused:
        load(path)
    places = " ".join(refused.value.faults)
    for place in (
        "format",
        "surplus",
        "functions.gateway.work.pass.processor_seconds",
        "functions.codegen.start_seconds",
        "cold_start.starts_per_second_and_node",
    ):
        assert place in places
    assert len(refused.value.faults) == 5


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff"])
def test_what_is_no_json_object_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "wrong.json"
    path.write_bytes(content)
    with pytest.raises(MeasurementsError):
        load(path)


def test_a_distribution_is_cut_into_parts_of_equal_weight() -> None:
    points = [(0.0, 1.0), (0.5, 2.0), (0.9, 4.0), (1.0, 10.0)]
    values = spread(points, 1000)
    assert values == sorted(values)
    assert statistics.fmean(values) == pytest.approx(mean(points), rel=1e-4)
    assert values[499] == pytest.approx(2.0, abs=0.01)
    assert values[899] == pytest.approx(4.0, abs=0.05)


def test_a_cold_start_is_the_sum_of_its_parts() -> None:
    loaded = load(DEFAULT)
    starts = loaded.cold_starts("neuron-l2", random.Random(1))
    parts = (
        loaded.cold_start.scheduling_seconds,
        loaded.cold_start.container_seconds,
        loaded.functions["neuron-l2"].start_seconds,
    )
    assert statistics.fmean(starts) == pytest.approx(sum(mean(part) for part in parts), rel=0.01)


def test_work_in_processes_of_its_own_leaves_the_event_loop_free() -> None:
    verify = load(DEFAULT).functions["codegen"].work["verify"]
    kinds = verify.kinds(random.Random(1))
    assert {loop for loop, _, _ in kinds} == {0.0}
    expected = mean(verify.processor_seconds) + mean(verify.wait_seconds)
    assert statistics.fmean(rest for _, rest, _ in kinds) == pytest.approx(expected, rel=0.01)
