"""New versions under load: a good one goes out and nobody notices, bad ones are rolled back by themselves."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from knative.deploy import canary, traffic
from knative.deploy.canary import Canary, clear, roll_out
from knative.deploy.kinds import REVISION, SERVICE
from knative.deploy.waiting import Unready, until_ready
from tests.cluster.conftest import ROOT
from tests.cluster.kubectl import kubectl
from tests.cluster.rolling import SECONDS, Told, release
from tests.cluster.standins import NAME, Behaviour, load, service

if TYPE_CHECKING:
    from knative.deploy.cluster import Cluster
    from knative.render import Manifest

PER_SECOND = 30
OLD = Behaviour("old", slow=0.01)


async def shares(cluster: Cluster) -> dict[str, int]:
    live = await cluster.get(SERVICE, NAME)
    assert live is not None
    return {one["revisionName"]: one["percent"] for one in live["status"]["traffic"]}


async def revisions(cluster: Cluster) -> set[str]:
    """Those that are there, but for what is being deleted."""
    found = await cluster.listed(REVISION)
    return {one["metadata"]["name"] for one in found if "deletionTimestamp" not in one["metadata"]}


async def is_as_before(cluster: Cluster, manifest: Manifest) -> None:
    """See that nothing of the new version is left: no share, no template that a later deployment would bring up."""
    name = traffic.revision_name(manifest)
    live = await cluster.get(SERVICE, NAME)
    assert live is not None
    assert await shares(cluster) == {name: 100}
    assert traffic.revision_name(live) == name
    assert live["metadata"]["annotations"][traffic.CANARY] == traffic.NONE
    assert await revisions(cluster) == {name}


@pytest.fixture
async def old(cluster: Cluster) -> Manifest:
    """The version that was there before."""
    manifest = service(cluster, OLD)
    await release(cluster, manifest)
    return manifest


async def test_a_good_version_goes_out_and_no_request_fails(cluster: Cluster, old: Manifest) -> None:
    new = service(cluster, Behaviour("new", slow=0.01))
    async with load(cluster, PER_SECOND) as answers:
        found = await release(cluster, new, Canary(20, 20))
    assert (found.good, found.trials[0].enough, found.trials[0].faults) == (True, True, ())
    assert set(answers.statuses) == {200}
    assert answers.versions["old"] > answers.versions["new"] > 0
    assert await shares(cluster) == {traffic.revision_name(new): 100}
    live = await cluster.get(SERVICE, NAME)
    assert live is not None
    assert live["metadata"]["annotations"][traffic.CANARY] == traffic.NONE
    assert (await release(cluster, new, Canary(20, 20))).trials == (), "what did not change is not tried"


async def test_a_version_that_fails_is_rolled_back_before_its_time_is_up(cluster: Cluster, old: Manifest) -> None:
    async with load(cluster, PER_SECOND) as answers:
        found = await release(cluster, service(cluster, Behaviour("bad", fail=0.3, slow=0.01)), Canary(20, 600))
        await is_as_before(cluster, old)
    assert (found.rolled_back, found.unready) == (True, ())
    assert found.held_seconds < 600
    assert "failed (5xx)" in found.trials[0].faults[0]
    assert set(answers.statuses) == {200, 500}
    assert answers.statuses[500] == pytest.approx(found.trials[0].new.failed, abs=40)


async def test_a_version_that_is_slow_is_rolled_back(cluster: Cluster, old: Manifest) -> None:
    async with load(cluster, PER_SECOND) as answers:
        found = await release(cluster, service(cluster, Behaviour("slow", slow=0.4)), Canary(20, 600))
        await is_as_before(cluster, old)
    assert found.rolled_back
    assert found.trials[0].faults[0].startswith("95% were answered within")
    assert set(answers.statuses) == {200}, "what the slow version had begun it ended"


async def test_a_version_that_never_gets_ready_is_rolled_back_and_nobody_notices(
    cluster: Cluster, old: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with load(cluster, PER_SECOND) as answers:
        await clear(cluster, [], SECONDS, Told())
        new = service(cluster, Behaviour("never", start="never"))
        found = await roll_out(cluster, [new], Canary(20, 600), 15, Told())
        await is_as_before(cluster, old)
    assert (found.rolled_back, found.unready[0].name) == (True, NAME)
    assert (set(answers.statuses), set(answers.versions)) == ({200}, {"old"})
    assert traffic.revision_name(new) not in await revisions(cluster)


async def test_a_version_whose_container_dies_again_and_again_is_rolled_back(cluster: Cluster, old: Manifest) -> None:
    found = await release(cluster, service(cluster, Behaviour("dying", life=4.0)), Canary(20, 600))
    await is_as_before(cluster, old)
    assert found.rolled_back
    assert "exit code 3" in found.trials[0].faults[0] or "CrashLoopBackOff" in found.trials[0].faults[0]


async def test_a_version_that_was_rolled_back_is_tried_anew_and_gets_no_request_before(
    cluster: Cluster, old: Manifest
) -> None:
    """Knative takes the newest revision that is ready for the latest: one that was rolled back must not be that."""
    bad = service(cluster, Behaviour("bad", fail=1.0))
    async with load(cluster, PER_SECOND):
        assert (await release(cluster, bad, Canary(20, 600))).rolled_back
    async with load(cluster, PER_SECOND) as answers:
        await release(cluster, service(cluster, Behaviour("next")))
    assert set(answers.statuses) == {200}
    assert set(answers.versions) <= {"old", "next"}
    async with load(cluster, PER_SECOND):
        assert (await release(cluster, bad, Canary(20, 600))).rolled_back


async def test_without_requests_a_version_goes_out_unjudged(cluster: Cluster, old: Manifest) -> None:
    found = await release(cluster, service(cluster, Behaviour("quiet")), Canary(10, 6))
    assert (found.good, found.trials[0].enough, found.trials[0].new.requests) == (True, False, 0)
    assert found.held_seconds < 6 * canary.LONGEST, "waiting longer would bring no requests"


async def test_a_roll_out_whose_command_is_killed_is_tried_again_or_rolled_back(
    cluster: Cluster, old: Manifest
) -> None:
    new = service(cluster, Behaviour("new", slow=0.01))
    await killed_in_between(cluster, new)
    assert await shares(cluster) == {traffic.revision_name(old): 80, traffic.revision_name(new): 20}
    other = service(cluster, Behaviour("other", slow=0.01))
    told = Told()
    assert (await release(cluster, other, Canary(20, 0), told)).good
    assert "is rolled back" in told.notes[0]
    assert traffic.revision_name(new) in told.notes[0]
    assert await shares(cluster) == {traffic.revision_name(other): 100}
    assert traffic.revision_name(new) not in await revisions(cluster)

    await killed_in_between(cluster, new)
    told = Told()
    async with load(cluster, PER_SECOND) as answers:
        assert (await release(cluster, new, Canary(20, 10), told)).good
    assert "tried again from the start" in told.notes[0]
    assert set(answers.statuses) == {200}
    assert await shares(cluster) == {traffic.revision_name(new): 100}

    await killed_in_between(cluster, old)
    told = Told()
    await release(cluster, new, None, told)
    assert "is rolled back" in told.notes[0]
    assert await shares(cluster) == {traffic.revision_name(new): 100}
    assert traffic.revision_name(old) not in await revisions(cluster)


async def test_a_version_that_knative_wrote_off_is_made_anew_and_nobody_notices(
    cluster: Cluster, old: Manifest
) -> None:
    """One container that ended while none was available is enough, however well it serves afterwards."""
    name = traffic.revision_name(old)
    await write_off(cluster, name)
    async with load(cluster, PER_SECOND) as answers:
        await release(cluster, old)
    assert set(answers.statuses) == {200}
    assert await shares(cluster) == {f"{name}-2": 100}


async def test_a_new_version_is_judged_by_one_that_was_written_off(cluster: Cluster, old: Manifest) -> None:
    name = traffic.revision_name(old)
    await write_off(cluster, name)
    told = Told()
    async with load(cluster, PER_SECOND) as answers:
        bad = await release(cluster, service(cluster, Behaviour("bad", fail=0.5)), Canary(20, 600), told)
    assert f"has written {name} off" in told.notes[0]
    assert (bad.rolled_back, bad.trials[0].old.revision) == (True, f"{name}-2")
    assert set(answers.statuses) == {200, 500}
    assert await shares(cluster) == {f"{name}-2": 100}


async def test_a_version_goes_back_to_one_that_was_written_off_meanwhile(cluster: Cluster, old: Manifest) -> None:
    name, new = traffic.revision_name(old), service(cluster, Behaviour("new", slow=0.01))
    await killed_in_between(cluster, new)
    await write_off(cluster, name)
    assert await canary.roll_back(cluster, [NAME], SECONDS, Told()) == []
    assert await shares(cluster) == {f"{name}-2": 100}
    assert traffic.revision_name(new) not in await revisions(cluster)


async def test_what_knative_wrote_off_while_it_was_deployed_and_that_runs_is_started_anew_once(
    cluster: Cluster, old: Manifest
) -> None:
    name, told = traffic.revision_name(old), Told()
    await write_off(cluster, name)
    unready = await until_ready(cluster, [old], SECONDS, told)
    assert [one.name for one in unready] == [NAME]
    async with load(cluster, PER_SECOND) as answers:
        assert await canary.started_anew(cluster, [old], unready, told)
        assert await until_ready(cluster, [old], SECONDS, told) == []
    assert f"has written {name} off" in told.notes[0]
    assert set(answers.statuses) == {200}
    assert await shares(cluster) == {f"{name}-2": 100}
    assert not await canary.started_anew(cluster, [old], [Unready("Service", NAME, "")], told)


async def test_what_was_written_off_before_it_ever_served_is_made_anew_under_its_name(
    cluster: Cluster, old: Manifest
) -> None:
    new = service(cluster, Behaviour("never", start="never"))
    name = traffic.revision_name(new)
    await cluster.apply(new)
    async with asyncio.timeout(SECONDS):
        while not await canary.runs(cluster, name):  # noqa: ASYNC110 - the cluster's work
            await asyncio.sleep(0.2)
    first = await cluster.get(REVISION, name)
    await write_off(cluster, name)
    assert await canary.started_anew(cluster, [new], [Unready("Service", NAME, "")], Told())
    async with asyncio.timeout(SECONDS):
        while uid(await cluster.get(REVISION, name)) in {"", uid(first)}:  # noqa: ASYNC110 - likewise
            await asyncio.sleep(0.2)
    assert await shares(cluster) == {traffic.revision_name(old): 100}


def uid(manifest: Manifest | None) -> str:
    return manifest["metadata"]["uid"] if manifest is not None else ""


async def write_off(cluster: Cluster, name: str) -> None:
    """Have Knative believe that a container of the revision ended: it never takes that back."""
    found = await cluster.get(REVISION, name)
    assert found is not None
    conditions = [
        {**one, "status": "False", "reason": "ExitCode3"} if one["type"] in {"ContainerHealthy", "Ready"} else one
        for one in found["status"]["conditions"]
    ]
    patch = json.dumps({"status": {"conditions": conditions}})
    where = ("-n", cluster.namespace, "patch", "revision", name, "--subresource=status", "--type=merge", "-p", patch)
    await asyncio.to_thread(kubectl, *where)

    until = ("wait", "--for=condition=Ready=False", f"ksvc/{NAME}", f"--timeout={SECONDS}s")
    await asyncio.to_thread(kubectl, "-n", cluster.namespace, *until)


async def killed_in_between(cluster: Cluster, manifest: Manifest) -> None:
    """Have another process begin the roll-out, and kill it while the new version has its share."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.cluster.rolling",
        cluster.namespace,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(manifest).encode() + b"\n")
    await process.stdin.drain()
    assert await process.stdout.readline() == b"holding\n"
    process.kill()
    await process.wait()
