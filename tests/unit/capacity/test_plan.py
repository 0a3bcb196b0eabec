"""The standard cases: loads that move between regions, what is advised, what it costs."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from knative.capacity.measurements import DEFAULT, load
from knative.capacity.plan import PROGRAMS, REGIONS, Prices, cases, deployed_of, plan, quantity
from knative.capacity.scenario import RAMP_SECONDS, Scenario, requests_behind, run
from knative.cli.main import main
from knative.description import load_all

if TYPE_CHECKING:
    from knative.capacity.plan import CapacityPlan
    from knative.capacity.scenario import Deployed, Outcome

FUNCTIONS = load_all(Path(__file__).parents[3] / "functions")
MEASURED = load(DEFAULT)


@pytest.fixture(scope="module")
def made() -> CapacityPlan:
    return plan(FUNCTIONS, "production", MEASURED, cases(600.0, 60, "us-west", 90))


def deployed() -> dict[str, Deployed]:
    return {
        one.name: deployed_of(one)
        for function in FUNCTIONS
        for one in function.deployments("production")
        if one.name in MEASURED.functions and one.name != "upkeep"
    }


def lose(region: str | None, *, rate: float = 300.0, nodes: int | None = None) -> dict[str, Outcome]:
    scenario = Scenario("one", 120, PROGRAMS, rate=rate, lost=region, lost_at=80, failover_seconds=10, nodes=nodes)
    return {outcome.region: outcome for outcome in run(scenario, REGIONS, deployed(), MEASURED)}


def test_quantities_are_those_of_kubernetes() -> None:
    assert [quantity(text) for text in ("250m", "1", "192Mi", "2Gi", "1k")] == [0.25, 1, 192 * 2**20, 2**31, 1000]


def test_every_users_region_is_taken_over_whole() -> None:
    assert sum(region.share for region in REGIONS) == pytest.approx(1)
    for lost in REGIONS:
        taken = sum(dict(other.fallback).get(lost.name, 0.0) for other in REGIONS)
        assert taken == pytest.approx(lost.share)


def test_a_lost_regions_requests_reach_the_others_after_the_failover() -> None:
    usual, after = lose(None), lose("us-west")
    assert after["us-west"].revisions["gateway"][0][-1].second == 79
    assert after["us-west"].lost_requests == 300 * 0.4 * 10

    def arrived(outcomes: dict[str, Outcome], begin: int, end: int) -> int:
        return sum(
            second.arrived
            for outcome in outcomes.values()
            for second in outcome.revisions["gateway"][0]
            if begin <= second.second < end
        )

    assert arrived(after, 90, 120) == pytest.approx(arrived(usual, 90, 120), rel=0.05)
    assert arrived(after, 80, 90) == pytest.approx(0.6 * arrived(usual, 80, 90), rel=0.1)


def test_requests_at_the_door_reach_the_functions_behind() -> None:
    outcome = lose(None)["eu-central"]
    door = outcome.door.arrived
    for name in ("neuron-l4", "codegen"):
        expected = door * requests_behind(name, PROGRAMS)
        found = outcome.revisions[name][1].arrived
        assert found == pytest.approx(expected, abs=5 * math.sqrt(expected) + 1)


def test_one_node_holds_no_more_pods_than_it_has_room_for() -> None:
    """Of 4 cores, the pods that are kept at the least ask for more."""
    pods = deployed()
    for outcome in lose(None, nodes=1).values():
        for rows in zip(*(seconds for seconds, _ in outcome.revisions.values()), strict=True):
            asked = sum(row.ready * pods[name].cores for name, row in zip(outcome.revisions, rows, strict=True))
            assert asked <= 4 + 1e-9


def test_what_is_advised_is_within_what_knative_takes(made: CapacityPlan) -> None:
    assert {one.deployment for one in made.settings} == set(deployed())
    for one in made.settings:
        assert 0 <= one.advised_min <= one.advised_max
        assert one.advised_max >= 1
        assert 2 <= one.advised_utilisation <= 100
        assert 6 <= one.advised_idle_seconds <= one.idle_seconds
    assert next(one for one in made.settings if one.deployment == "gateway").advised_min >= 1


def test_no_instance_is_above_the_maximum(made: CapacityPlan) -> None:
    most = {one.deployment: (one.max, one.advised_max) for one in made.settings}
    assert len(made.results) == 6
    for result in made.results:
        for use in result.uses:
            assert use.most <= most[use.deployment][result.settings == "advised"]


def test_more_requests_cost_more(made: CapacityPlan) -> None:
    (small,) = [one for one in made.results if one.case == "600 requests a second" and one.settings == "advised"]
    large = plan(FUNCTIONS, "production", MEASURED, cases(4000.0, 0, None, 90)).results[
        1
    ]  # beside what is always there
    assert large.settings == "advised"
    assert large.cost_hour > 1.5 * small.cost_hour
    for name in ("gateway", "codegen", "neuron-l4"):
        assert sum(use.median for use in large.uses if use.deployment == name) >= sum(
            use.median for use in small.uses if use.deployment == name
        )


def test_prices_are_what_is_multiplied(made: CapacityPlan) -> None:
    dear = plan(FUNCTIONS, "production", MEASURED, cases(600.0, 0, None, 90), prices=Prices(0.08, 0.009))
    for result, same in zip(dear.results, made.results[:2], strict=True):
        assert result.cost_hour == pytest.approx(2 * same.cost_hour)
        assert dataclasses.replace(result, cost_hour=0) == dataclasses.replace(same, cost_hour=0)


def test_the_loss_is_counted_from_when_the_load_is_whole() -> None:
    found = cases(100.0, 10, "us-west", 180)
    assert [one.name for one in found] == ["100 requests a second", "10 users", "us-west lost"]
    assert RAMP_SECONDS < found[2].lost_at < 180
    people = cases(0.0, 10, "us-west", 180)
    assert [(one.name, one.users, one.lost) for one in people] == [
        ("10 users", 10, None),
        ("us-west lost", 10, "us-west"),
    ]


def test_the_command_prints_json() -> None:
    done = CliRunner().invoke(
        main, ["capacity", "plan", "--rps", "50", "--users", "0", "--minutes", "2", "--lose", "ap-south", "--json"]
    )
    assert done.exit_code == 0, done.output
    document = json.loads(done.output)
    assert {one["settings"] for one in document["results"]} == {"function.toml", "advised"}
    assert [one["case"] for one in document["results"]][::2] == ["50 requests a second", "ap-south lost"]
    assert document["left_out"] == ["upkeep"]


def test_people_lose_a_region_too() -> None:
    made = plan(FUNCTIONS, "production", MEASURED, cases(0.0, 50, "us-west", 90))
    usual, _, lost, _ = made.results
    assert (usual.case, lost.case) == ("50 users", "us-west lost")
    assert lost.failed > usual.failed


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--lose", "moon"], "there is no region 'moon'"),
        (["--rps", "0", "--users", "0"], "nothing to plan"),
        (["--environment", "moon"], "no function.toml knows 'moon'"),
        (["--rps", "nan"], "nan is no number that can be reckoned with"),
        (["--rps", "inf"], "inf is no number that can be reckoned with"),
        (["--core-hour", "nan"], "nan is no number that can be reckoned with"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: list[str], told: str) -> None:
    done = CliRunner().invoke(main, ["capacity", "plan", *arguments])
    assert done.exit_code == 2
    assert told in done.output
