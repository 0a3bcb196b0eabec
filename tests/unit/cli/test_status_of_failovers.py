"""What `hal9 status` says of failovers to people: of those that lost something, and only of those."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from knative.cli import status

if TYPE_CHECKING:
    import pytest


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
