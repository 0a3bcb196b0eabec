"""A platform with replicas: `hal9 up --replicas 1`, promotion by hand, and a primary that stops answering."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from tests.platform_fixture import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.platform_fixture import RunningPlatform

REQUEST = "A library that tells leap years."


def stop(pid: int, number: signal.Signals) -> None:
    """Signal a PostgreSQL and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for one in (pid, *map(int, children)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(one, number)


def cancelled_run(platform: RunningPlatform) -> UUID:
    """Start and cancel a run, and read it with the bookmark that the answer gives."""
    with platform.http(authorization=f"Bearer {platform.credentials['api_key']}") as http:
        run = http.post("/v1/projects", json={"request": REQUEST}).raise_for_status().json()["run_id"]
        until(lambda: http.get(f"/v1/runs/{run}").is_success)
        cancelled = http.post(f"/v1/runs/{run}/cancel").raise_for_status()
        bookmark = {"HAL9-Bookmark": cancelled.headers["hal9-bookmark"]}
        for _ in range(20):
            assert http.get(f"/v1/runs/{run}", headers=bookmark).json()["state"] == "cancelled"
            assert http.get("/v1/runs", headers=bookmark).json()["runs"][0]["state"] == "cancelled"
        refused = http.get("/v1/runs", headers={"HAL9-Bookmark": "yesterday"})
        assert (refused.status_code, refused.json()["type"].rpartition(":")[2]) == (422, "bookmark-invalid")
    return UUID(run)


def test_a_platform_with_replicas(platforms: Callable[..., RunningPlatform]) -> None:
    platform = platforms(functions=None)
    platform.up("--replicas", "1")
    assert platform.hal9("up", "--replicas", "0", check=False).returncode == 1
    run = cancelled_run(platform)
    promoted = json.loads(platform.hal9("shards", "promote", "1", "--json").stdout)
    assert (promoted["shard"], promoted["generation"], promoted["primary"]) == (1, 2, "postgres-1-b")
    refused = platform.hal9("shards", "promote", "7", check=False)
    assert (refused.returncode, "no such shard" in refused.stderr) == (1, True)

    until(lambda: platform.status()["replicas"][0]["synchronous"])
    (silent,) = platform.pids("postgres-0")
    stop(silent, signal.SIGSTOP)
    (failover,) = until(lambda: [one for one in platform.status()["failovers"] if not one["asked"]], 60.0)
    assert (failover["shard"], failover["generation"]) == (0, 2)
    with platform.client() as client:
        assert [one.id for one in client.runs.list()] == [run]  # the functions follow: none was restarted

    until(lambda: all(shard["synchronous"] for shard in platform.status()["replicas"]), 60.0)
    reports = json.loads(platform.hal9("shards", "--json").stdout)
    assert [report["generation"] for report in reports] == [2, 2, 1]
    assert [[replica["state"] for replica in report["replication"]] for report in reports] == [["streaming"]] * 3
    platform.down()
    assert platform.processes() == []

    platform.up("--replicas", "0")  # its primaries are the second servers now, and nobody watches them any more
    assert {"postgres-0-b", "postgres-1-b", "postgres-2"} <= set(platform.status()["pids"])
    reports = json.loads(platform.hal9("shards", "--json").stdout)
    assert [report["replication"] for report in reports] == [[]] * 3  # nor does any keep its log for the other one
    with platform.client() as client:
        client.keys.create("after", ["developer"])
    platform.down()
