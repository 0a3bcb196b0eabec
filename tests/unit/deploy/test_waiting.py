"""What is believed of objects that say that they failed, or do not get ready; and for how long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from knative.deploy import waiting
from knative.deploy.cluster import connect
from knative.deploy.kinds import BROKER, EVENT_POLICY, JOB, PING_SOURCE, SERVICE, STATEFUL_SET, TRIGGER
from knative.deploy.waiting import ON_SERVICES, excusable, until_ready
from tests.unit.deploy.apiserver import api_server

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Unheard:
    """Is told how it goes, and listens to nothing."""

    def ready(self, kind: str, name: str) -> None: ...

    def waiting(self, left: Mapping[str, str]) -> None: ...


def test_a_policy_that_waits_for_triggers_has_not_failed() -> None:
    assert excusable({TRIGGER, EVENT_POLICY}) == {EVENT_POLICY}


def test_nothing_on_a_broker_has_failed_before_the_broker_is_there() -> None:
    assert excusable({BROKER}) == {TRIGGER, PING_SOURCE, EVENT_POLICY}


def test_nothing_of_eventing_has_failed_before_the_services_are_there() -> None:
    assert excusable({SERVICE}) == ON_SERVICES


def test_what_stands_on_nothing_that_is_unready_is_believed() -> None:
    assert not excusable({EVENT_POLICY, JOB, STATEFUL_SET})


@pytest.mark.parametrize(
    ("state", "given_up"),
    [
        ({"waiting": {"reason": "ImagePullBackOff", "message": "there is none"}}, True),
        ({"terminated": {"reason": "Error", "exitCode": 1}}, False),  # another pod of the Job may succeed
    ],
)
async def test_a_job_is_given_up_when_its_container_cannot_begin(
    state: dict[str, Any], given_up: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "PERIOD_SECONDS", 0.0)
    monkeypatch.setattr(waiting, "_LOOK_SECONDS", 0.0)
    monkeypatch.setattr(waiting, "_STUCK_SECONDS", 0.0)
    job: dict[str, Any] = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "migrations", "generation": 1}}
    pod = {
        "metadata": {"name": "one", "uid": "1"},
        "status": {"containerStatuses": [{"name": "function", "state": state}]},
    }
    asked = 0

    def answers(_method: str, path: str, _given: Any) -> tuple[int, Any]:
        nonlocal asked
        if path.endswith("/log"):
            return 200, ""
        if path.endswith("/jobs"):
            asked += 1
            done = {"status": {"conditions": [{"type": "Complete", "status": "True"}]}} if asked == 4 else {}
            return 200, {"metadata": {}, "items": [job | done]}
        return 200, {"metadata": {}, "items": [pod] if path.endswith("/pods") else []}

    with api_server(answers, tmp_path, monkeypatch) as context:
        async with connect(context, "hal9") as cluster:
            unready = await until_ready(cluster, [job], 60.0, Unheard())
    assert [one.name for one in unready] == (["migrations"] if given_up else [])
    assert (asked == 4) is not given_up
