"""function.toml: what it says, and how every fault of it is named."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knative.description import DescriptionError, Route, load, load_all
from knative.description.model import duration_seconds

ROOT = Path(__file__).resolve().parents[3]
WHOLE = """
name = "neuron"
description = "Runs one step of a run."
needs = ["database", "cache"]
sends = ["ai.hal9.neuron.step.requested"]
timeout_seconds = 300
body_limit_bytes = 2048
[scale]
max = 40
concurrency = 8
[[routes]]
method = "POST"
path = "/v1/runs"
permission = "runs.create"
[[subscriptions]]
name = "mine"
filters = [{ exact = { executor = "{deployment}" } }, { not = { any = [{ cesql = "id = '{deployment}'" }] } }]
delivery = { retry = 3, delay = "PT0.2S", timeout = "PT1M" }
[[subscriptions]]
name = "ours"
filters = [{ prefix = { type = "ai." } }]
[[schedules]]
name = "sweep"
cron = "*/5 0-3 * * 1,2"
every_seconds = 5
type = "ai.hal9.upkeep.sweep.requested"
[[deployments]]
name = "neuron-l4"
routes = true
environment = { HAL9_NEURON_LAYER = "l4" }
scale = { min = 1, max = 20 }
[[deployments]]
name = "neuron-l3"
resources = { memory = "1Gi" }
[environments.production.neuron-l4.scale]
min = 4
[environments.production.neuron-l3]
environment = { HAL9_X = "y" }
[[secrets]]
env = "HAL9_SHARDS"
[egress]
functions = ["broker"]
hosts = ["api.example.com:443"]
"""


def write(root: Path, text: str, name: str = "neuron") -> Path:
    """Write one function's folder."""
    folder = root / name
    folder.mkdir()
    (folder / "function.toml").write_text(text)
    return folder


def faults_of(root: Path, text: str) -> list[str]:
    """Give the faults of a file."""
    with pytest.raises(DescriptionError) as caught:
        load(write(root, text))
    return caught.value.faults


def test_deployments_have_their_overrides_and_names(tmp_path: Path) -> None:
    function = load(write(tmp_path, WHOLE))
    l4, l3 = function.deployments()
    assert (l4.scale.min, l4.scale.max, l4.scale.concurrency, l4.scale.queue) == (1, 20, 8, 32)
    assert (l3.scale.min, l3.scale.max) == (0, 40)
    assert (l4.resources.memory, l3.resources.memory, l3.resources.cpu) == ("192Mi", "1Gi", "250m")
    assert l4.environment == {"HAL9_NEURON_LAYER": "l4"}
    assert ([route.path for route in l4.routes], l3.routes) == (["/v1/runs"], ())
    production = function.deployments("production")
    assert (production[0].scale.min, production[0].scale.max) == (4, 20)
    assert production[1].environment == {"HAL9_X": "y"}
    assert function.deployments("staging") == function.deployments()
    assert function.deployment("neuron-l3").name == "neuron-l3"
    with pytest.raises(LookupError, match="neuron-l4, neuron-l3"):
        function.deployment("neuron-l9")


def test_placeholders_are_replaced_and_nothing_is_delivered_twice(tmp_path: Path) -> None:
    l4, l3 = load(write(tmp_path, WHOLE)).deployments()
    assert [one.name for one in l4.subscriptions] == ["mine", "ours"]
    assert [one.name for one in l3.subscriptions] == ["mine"]
    assert l3.subscriptions[0].filters == (
        {"exact": {"executor": "neuron-l3"}},
        {"not": {"any": [{"cesql": "id = 'neuron-l3'"}]}},
    )
    assert l4.subscriptions[0].delivery.timeout_seconds == 60
    assert (len(l4.schedules), len(l3.schedules)) == (1, 0)


def test_one_deployment_has_the_functions_name(tmp_path: Path) -> None:
    (one,) = load(write(tmp_path, 'name = "neuron"\ndescription = "x"\n')).deployments()
    assert (one.name, one.routes, one.scale.queue) == ("neuron", (), 32)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('name = "neuron"', 'name = "other"', "folder"),
        ('name = "neuron"', 'name = "Neuron"', "name must be"),
        ("timeout_seconds = 300", "timeout_seconds = 900", "timeout_seconds must be from"),
        ("timeout_seconds = 300", "timeout = 3", "timeout is not known here"),
        ('"database", "cache"', '"database", "disk"', "needs must hold database, cache or objects"),
        ("concurrency = 8", "concurrency = true", "scale.concurrency must be a whole number"),
        ("max = 40", "max = 40\nmin = 41", "scale.min is greater than max"),
        ("scale = { min = 1, max = 20 }", "scale = { min = 30, max = 20 }", "deployments[0].scale.min"),
        ("scale = { min = 1, max = 20 }", "scale = { minimum = 1 }", "deployments[0].scale.minimum is not known"),
        ('method = "POST"', 'method = "post"', "routes[0].method must be one of"),
        ('permission = "runs.create"', "", "routes[0].permission is missing"),
        ('permission = "runs.create"', 'permission = "runs.create"\npublic = true', "not public"),
        ("{ prefix = { type", "{ begins = { type", "subscriptions[1].filters[0] must be one of"),
        ("{ prefix = {", "{ exact = {}, prefix = {", "must be a table of one dialect"),
        ('delay = "PT0.2S"', 'delay = "0.2s"', "subscriptions[0].delivery.delay is wrong"),
        ("retry = 3", "retry = -1", "subscriptions[0].delivery.retry"),
        ('name = "ours"', 'name = "mine"', "subscriptions has 'mine' twice"),
        ("*/5 0-3 * * 1,2", "* * *", "five fields"),
        ("every_seconds = 5", "", "schedules[0].every_seconds is missing"),
        ("routes = true", "", "exactly one with routes"),
        ('name = "neuron-l3"', 'name = "neuron-l4"', "deployments has 'neuron-l4' twice"),
        ("production.neuron-l4", "production.neuron-l2", "is no deployment"),
        ("min = 4", "min = 21", "gives a min greater than max"),
        ('env = "HAL9_SHARDS"', 'env = "shards"', "secrets[0].env must be"),
        ('"api.example.com:443"', '"https://api.example.com"', "egress.hosts must hold"),
        ('memory = "1Gi"', 'memory = "1GB"', "deployments[1].resources.memory must be"),
        ('environment = { HAL9_NEURON_LAYER = "l4" }', "environment = { layer = 4 }", "environment must hold"),
    ],
)
def test_a_fault_is_named_with_its_place(tmp_path: Path, old: str, new: str, fault: str) -> None:
    assert old in WHOLE
    found = faults_of(tmp_path, WHOLE.replace(old, new, 1))
    assert any(fault in one for one in found), found


def test_every_fault_is_named_at_once(tmp_path: Path) -> None:
    assert len(faults_of(tmp_path, 'name = 3\nwhat = 1\n[scale]\nmin = "x"\n[[routes]]\n')) >= 6


def test_what_is_no_toml_is_said(tmp_path: Path) -> None:
    assert "not TOML" in faults_of(tmp_path, "name = ")[0]
    with pytest.raises(DescriptionError, match="cannot be read"):
        load(tmp_path / "nowhere")


def test_functions_must_fit_together(tmp_path: Path) -> None:
    write(tmp_path, WHOLE)
    other = 'name = "{0}"\ndescription = "x"\n[dead_letters]\npath = "/dead-letters"\n'
    write(tmp_path, other.format("a") + '[egress]\nfunctions = ["nobody"]\n', "a")
    write(tmp_path, other.format("b") + '[[deployments]]\nname = "neuron-l3"\n', "b")
    with pytest.raises(DescriptionError) as caught:
        load_all(tmp_path)
    assert len(caught.value.faults) == 3, caught.value.faults


def test_this_projects_functions_are_right() -> None:
    assert load_all(ROOT / "functions")


def test_durations() -> None:
    assert [duration_seconds(text) for text in ("PT0.2S", "PT5M", "P1DT1H", "PT1H1M1S")] == [0.2, 300, 90000, 3661]
    for text in ("", "P", "PT", "5s", "P1Y", "PT1.5M", "-PT1S"):
        with pytest.raises(ValueError, match="duration"):
            duration_seconds(text)


SCALARS: st.SearchStrategy[Any] = st.sampled_from(
    ['"x"', "1", "-1", "true", "[]", "{}", "[[]]", '["a"]', "1.5", "[{}]"]
)
KEYS = st.sampled_from(
    [
        *["name", "description", "needs", "sends", "timeout_seconds", "body_limit_bytes", "scale", "routes"],
        *[
            "subscriptions",
            "schedules",
            "deployments",
            "environments",
            "secrets",
            "egress",
            "dead_letters",
            "resources",
        ],
    ]
)


@given(st.dictionaries(KEYS, SCALARS, max_size=8))
@settings(max_examples=200)
def test_anything_is_read_or_refused(content: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "neuron"
        path.mkdir()
        (path / "function.toml").write_text("\n".join(f"{key} = {value}" for key, value in content.items()))
        with contextlib.suppress(DescriptionError):
            load(path)


def test_a_routes_paths_are_found_by_its_pattern() -> None:
    pattern = Route("GET", "/v1/a.b/{thing_id}/x/{rest:path}").pattern()
    assert pattern.fullmatch("/v1/a.b/7/x/y/z")
    for path in ("/v1/aXb/7/x/y", "/v1/a.b/7/8/x/y", "/v1/a.b//x/y", "/v1/a.b/7/x/"):
        assert not pattern.fullmatch(path)
    assert Route("GET", "/v1/{thing_id}").pattern().fullmatch("/v1/7")
    assert not Route("GET", "/v1/{thing_id}").pattern().fullmatch("/v1/7/8")


def test_what_a_customer_sends_as_json_has_a_small_limit() -> None:
    limits = {
        (one.name, route.path): route.body_limit_bytes
        for one in load_all(ROOT / "functions")
        for route in one.routes
        if route.method == "POST"
    }
    assert limits.pop(("gateway", "/v1/events")) == 8 << 20
    assert max(limits.values()) == 256 << 10
    assert limits["gateway", "/v1/keys"] == 64 << 10


def test_the_sink_of_dead_letters_takes_whatever_any_function_is_to_take() -> None:
    described = load_all(ROOT / "functions")
    (sink,) = (one for one in described if one.dead_letters is not None)
    assert sink.body_limit_bytes >= max(one.body_limit_bytes for one in described if one.subscriptions)
