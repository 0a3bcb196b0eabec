"""The autoscaler decides as Knative's own does: every decision of every trace."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knative.capacity.autoscaler import Autoscaler, AutoscalerSettings

CASES = json.loads((Path(__file__).parent / "autoscaler" / "decisions.json").read_text())["cases"]


def settings_of(case: dict[str, Any]) -> AutoscalerSettings:
    return AutoscalerSettings(
        target=case["target"],
        total=case["total"],
        burst_capacity=case["burst_capacity"],
        max_scale_up_rate=case["max_scale_up_rate"],
        window_seconds=case["window_seconds"],
        panic_threshold=case["panic_threshold"],
        scale_down_delay_seconds=case["scale_down_delay_seconds"],
        activation_scale=case["activation_scale"],
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["name"]))
def test_every_decision_is_that_of_the_real_autoscaler(case: dict[str, Any]) -> None:
    settings = settings_of(case)
    assert settings.panic_window_seconds == case["panic_window_seconds"]
    autoscaler = Autoscaler(settings, case["start"])
    decisions = {one["second"]: one for one in case["decisions"]}
    for second, value in enumerate(case["concurrency"]):
        if value >= 0:
            autoscaler.record(second, value)
        expected = decisions.get(second)
        if expected is None:
            continue
        assert autoscaler.observed(second) == pytest.approx((expected["stable"], expected["panic"]), abs=2e-6)
        decision = autoscaler.decide(second, expected["ready"])
        assert (decision is not None) == expected["valid"], second
        if decision is not None:
            found = (decision.pods, decision.excess_burst_capacity)
            assert found == (expected["desired"], expected["excess"]), second


def test_there_are_decisions_of_every_kind() -> None:
    decisions = [one for case in CASES for one in case["decisions"]]
    assert len(decisions) > 1500
    assert {one["valid"] for one in decisions} == {True, False}
    assert {one["excess"] < 0 for one in decisions} == {True, False}
    assert max(one["desired"] for one in decisions) > 40


@given(
    st.lists(st.floats(0, 500), min_size=70, max_size=120),
    st.floats(0, 200),
    st.floats(1, 50),
    st.integers(0, 30),
)
def test_more_load_never_wants_fewer_pods(trace: list[float], more: float, target: float, ready: int) -> None:
    """Of two autoscalers that see the same pods, the one with more load never wants less."""
    settings = AutoscalerSettings(target=target, total=target)
    low, high = Autoscaler(settings, ready), Autoscaler(settings, ready)
    for second, value in enumerate(trace):
        low.record(second, value)
        high.record(second, value + more)
        if second % 2 == 0:
            lower, higher = low.decide(second, ready), high.decide(second, ready)
            assert lower is not None
            assert higher is not None
            assert higher.pods >= lower.pods
