"""What a pod waits for says whether waiting longer can help."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from knative.deploy import reasons
from knative.deploy.cluster import connect
from tests.unit.deploy.apiserver import api_server

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("reason", "hopeless", "stuck", "unstarted"),
    [
        ("ErrImageNeverPull", True, False, False),
        ("ImagePullBackOff", False, True, True),
        ("CreateContainerConfigError", False, True, True),  # its Secret may have been made just now
        ("CrashLoopBackOff", False, True, False),
        ("Something new", False, False, False),
    ],
)
async def test_what_a_container_waits_for(
    reason: str, hopeless: bool, stuck: bool, unstarted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = {"name": "function", "state": {"waiting": {"reason": reason, "message": "because"}}}
    pod = {"metadata": {"name": "one", "uid": "1"}, "status": {"containerStatuses": [waiting]}}

    def answers(_method: str, path: str, _given: Any) -> tuple[int, Any]:
        return 200, {"metadata": {}, "items": [pod] if path.endswith("/pods") else []}

    with api_server(answers, tmp_path, monkeypatch) as context:
        async with connect(context, "hal9") as cluster:
            (found,) = await reasons.of_pods(cluster, "a=b")
    assert found == reasons.Reason(f"container function: {reason}: because", (), hopeless, stuck, unstarted=unstarted)
