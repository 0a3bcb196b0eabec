"""What `hal9 status` says of failovers to people: of those that lost something, and only of those."""

from __future__ import annotations

from typing import Any

import pytest

from knative.cli import status


def failover(shard: int, behind_bytes: int) -> dict[str, Any]:
    at = "2026-01-01T00:00:00.000+00:00"
    return {"shard": shard, "at": at, "primary": f"postgres-{shard}-b", "behind_bytes": behind_bytes}


def test_a_failover_that_lost_writes_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    process = {"pid": 1, "memory_bytes": 0}
    status._show({
        "ready": True, "url": "http://x", "home": "/x", "memory_bytes": 0, "functions": {}, "servers": {},
        "broker": process, "replicas": [], "failovers": [failover(0, 0), failover(1, 4711)],
        "cache": {"fault": None}, "disk": {"fault": None}, "pids": {}, "supervisor": process,
    })  # fmt: skip
    said = " ".join(capsys.readouterr().out.split())
    assert "shard 1: the failover of 2026-01-01T00:00:00.000+00:00 to postgres-1-b lost at least 4711 B" in said
    assert "shard 0" not in said


def shard(silent_seconds: float, *, starved: bool, starvations: int) -> dict[str, Any]:
    return {
        "shard": 0, "primary": "postgres-0", "replica": "postgres-0-b", "generation": 1, "synchronous": True,
        "lag_bytes": 0, "silent_seconds": silent_seconds, "starved": starved, "starvations": starvations,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("about", "said"),
    [
        (shard(0.3, starved=False, starvations=0), "commits wait for it"),
        (
            shard(12.5, starved=True, starvations=1),
            "silent for 12.5 s for want of a processor, and not replaced",
        ),
        (shard(0.3, starved=False, starvations=2), "2 times silent for want of a processor since the start"),
    ],
)
def test_a_primary_without_a_processor_is_said(about: dict[str, Any], said: str) -> None:
    assert status._replicated(about).endswith(said)
