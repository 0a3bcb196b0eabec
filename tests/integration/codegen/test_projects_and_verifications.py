"""Requests for software and their verifications on real shards: each once, whoever asks how often."""

from __future__ import annotations

import asyncio
import contextlib
import io
import tarfile
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from events.catalogue.neuron import RunCancelled, RunCompleted, RunFailed, StepAnswered, StepRequested
from events.cloudevent import CloudEvent
from events.subscriber import NotYet
from functions.codegen import attempts, service, store, verification
from functions.codegen.models import derived_id
from functions.codegen.resources import Resources
from functions.neuron.transitions import Origin
from shared import chaos
from shared.clock import ManualClock
from shared.fairness import Places
from shared.identifiers import new_id
from shared.neurons.wire import RunRequest
from shared.problems import Problem
from shared.quotas import Tiers
from shared.quotas.usage import counted
from shared.software.projects import ProjectRequest
from shared.software.verification import Verification, VerificationInput
from tests.disk_fixture import full_disk
from tests.processes.office import Office
from tests.setback import clock_was_set_back

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path
    from uuid import UUID

    from knative.platform.servers import Servers
    from shared.database.pool import Transaction

    Organisation = Callable[[], Awaitable[UUID]]

REQUEST = ProjectRequest(request="A library of leap years.")


def step(tree: list[dict[str, Any]], *, epoch: int = 0, step_id: UUID | None = None) -> StepRequested:
    return StepRequested.model_validate(
        {
            "run_id": new_id(),
            "step_id": step_id or new_id(),
            "epoch": epoch,
            "body": "verifier",
            "input": {"language": "python", "tree": {"files": tree}},
        }
    )


def file(path: str, content: str, step: str = "/api/domain") -> dict[str, Any]:
    return {"path": path, "content": content, "neuron": "python-implementer", "step": step}


CONFIGURATION = file(
    "pyproject.toml",
    '[tool.mypy]\nstrict = true\nfiles = ["src"]\n[tool.ruff.lint]\nselect = ["F"]\n'
    '[tool.pytest.ini_options]\npythonpath = ["src"]\n',
    "/api/project",
)
SOUND = "def is_leap(year: int) -> bool:\n    return year % 4 == 0\n"
TESTS = "from years import is_leap\n\n\ndef test_it() -> None:\n    assert is_leap(2024)\n"
GOOD = [CONFIGURATION, file("src/years.py", SOUND), file("tests/test_years.py", TESTS, "/tests/tests")]


def spoilt(path: str, content: str) -> list[dict[str, Any]]:
    return [{**entry, "content": content} if entry["path"] == path else entry for entry in GOOD]


async def count(resources: Resources, org_id: UUID, table: str) -> int:
    async def ask(tx: Transaction) -> int:
        found: int = await tx.fetchval(f"SELECT count(*) FROM {table} WHERE org_id = $1", org_id)
        return found

    return await resources.shards.run(org_id, ask, readonly=True)


async def test_a_good_project_is_verified_and_kept(resources: Resources, organisation: Organisation) -> None:
    org_id = await organisation()
    answer = await attempts.answer(resources, org_id, step(GOOD))
    assert answer.outcome == "completed", answer.output
    report = Verification.model_validate(answer.output)
    assert (report.verified, report.tests_passed) == (True, 1)
    chunks = [chunk async for chunk in resources.objects.get(service.object_key(org_id, report.artefact_id))]
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as packed:
        assert {"PROVENANCE.json", "pyproject.toml", "src/years.py"} <= set(packed.getnames())


@pytest.mark.parametrize(
    ("path", "content", "check", "blamed"),
    [
        (
            "src/years.py",
            f"import os\n\n\n{SOUND}",
            "lint",
            "/api/domain",
        ),
        ("src/years.py", "def is_leap(year: int) -> bool:\n    return  year % 4 == 0\n", "format", "/api/domain"),
        ("src/years.py", "def is_leap(year: int) -> str:\n    return year % 4 == 0\n", "types", "/api/domain"),
        ("tests/test_years.py", "def test_it() -> None:\n    assert 1 == 2\n", "tests", "/tests/tests"),
        (
            "src/years.py",
            f"raise RuntimeError\n\n\n{SOUND}",
            "tests",
            "/api/domain",
        ),
    ],
)
async def test_what_is_wrong_goes_back_to_whoever_wrote_it(
    resources: Resources, organisation: Organisation, path: str, content: str, check: str, blamed: str
) -> None:
    answer = await attempts.answer(resources, await organisation(), step(spoilt(path, content)))
    assert answer.outcome == "backward"
    assert not {c["name"]: c["passed"] for c in answer.output["checks"]}[check]
    assert blamed in {signal.blame_step for signal in answer.signals if signal.diagnostic.startswith(check)}


async def test_only_as_many_are_verified_at_once_as_there_is_room_for(
    resources: Resources, organisation: Organisation
) -> None:
    org_id, passed = await organisation(), list[str]()
    resources.verifying = Places(1)

    async def insisted(asked: StepRequested) -> StepAnswered:
        while True:
            with contextlib.suppress(NotYet):  # as the broker: after a wait for a turn
                return await attempts.answer(resources, org_id, asked)

    with chaos.observed(passed.append):
        answers = await asyncio.gather(*(insisted(step(GOOD)) for _ in range(2)))
    assert [answer.outcome for answer in answers] == ["completed"] * 2
    own = [name for name in passed if name.startswith("verification.")]
    assert own == ["verification.claimed", "verification.stored", "verification.answered"] * 2


async def test_the_same_files_are_not_verified_twice(resources: Resources, organisation: Organisation) -> None:
    org_id = await organisation()
    bad = spoilt("src/years.py", "import os\n")
    first = await attempts.answer(resources, org_id, step(bad))
    again = step(bad, epoch=1, step_id=first.step_id)
    second = await attempts.answer(resources, org_id, again)
    assert second == first.model_copy(update={"epoch": 1})
    assert await count(resources, org_id, "artefacts") == 1
    third = await attempts.answer(resources, org_id, step(GOOD, epoch=2, step_id=first.step_id))
    assert third.outcome == "completed"


async def test_an_archive_beyond_the_storage_quota_fails_its_step_and_is_not_kept(
    resources: Resources, organisation: Organisation, tmp_path: Path
) -> None:
    org_id = await organisation()
    resources.tiers = Tiers({"professional": {"storage": 10}})
    bad = step(spoilt("src/years.py", "import os\n"))
    refused = await attempts.answer(resources, org_id, bad)
    assert (refused.outcome, refused.code) == ("failed", "quota-exceeded")
    assert await count(resources, org_id, "artefacts") == await count(resources, org_id, "usage_counters") == 0
    assert not [path for path in (tmp_path / "objects").rglob("*.tar.gz*") if path.is_file()]
    resources.tiers = Tiers()
    kept = await attempts.answer(resources, org_id, step(spoilt("src/years.py", "import os\n")))
    _, used = await resources.shards.run(org_id, lambda tx: counted(tx, org_id), readonly=True)
    assert used["storage"].used == kept.output["size"] > 0


async def test_projects_count_as_runs_and_are_refused_at_the_limit(
    resources: Resources, organisation: Organisation
) -> None:
    org_id = await organisation()
    resources.tiers = Tiers({"professional": {"runs": 2}})
    outcomes = await asyncio.gather(
        *(service.start(resources, org_id, REQUEST, str(number // 2)) for number in range(10)), return_exceptions=True
    )
    refused = [one for one in outcomes if isinstance(one, Problem)]
    assert {(problem.status, problem.slug) for problem in refused} == {(402, "quota-exceeded")}
    assert len(refused) == 6, "a key that is given twice is one project"
    assert await count(resources, org_id, "projects") == 2
    request = RunRequest(process="tally", input={"lines": ["a"]})
    office = Office(resources.shards, limits={"runs": 2})
    with pytest.raises(Problem, match="quota-exceeded"):
        await office.runs.start(org_id, Origin(office.source), "tester", request, None)


async def advanced(clock: ManualClock, answering: asyncio.Task[StepAnswered]) -> StepAnswered:
    """Move the clock on until there is an answer."""
    while not answering.done():
        await asyncio.sleep(0.01)
        clock.advance(1.0)
    return answering.result()


async def test_a_project_that_cannot_be_kept_fails_with_what_is_full(
    resources: Resources, organisation: Organisation
) -> None:
    org_id, passed, clock = await organisation(), list[str](), ManualClock()
    resources.clock = clock
    with full_disk(100), chaos.observed(passed.append):
        answer = await advanced(clock, asyncio.ensure_future(attempts.answer(resources, org_id, step(GOOD))))
    assert (answer.outcome, answer.code, answer.output) == ("failed", "storage-full", None)
    assert answer.reason == (
        "the store of objects has no space left; whoever runs the platform must free some where HAL9_OBJECTS points, "
        "then ask again."
    )
    assert "verification.stored" not in passed
    assert await count(resources, org_id, "artefacts") == 0
    again = await attempts.answer(resources, org_id, step(GOOD, epoch=1, step_id=answer.step_id))
    assert again.outcome == "completed"


async def test_room_that_comes_back_soon_is_waited_for(resources: Resources, organisation: Organisation) -> None:
    org_id, clock = await organisation(), ManualClock()
    resources.clock = clock
    with full_disk(100):
        answering = asyncio.ensure_future(attempts.answer(resources, org_id, step(GOOD)))
        while clock.sleepers < 2:  # noqa: ASYNC110 - the renewal of the lease, and the pause
            await asyncio.sleep(0.01)
    answer = await advanced(clock, answering)
    assert answer.outcome == "completed"


@pytest.mark.parametrize("room", [100, 100_000], ids=["for the files", "for a check"])
async def test_a_project_is_not_blamed_for_a_full_disk(resources: Resources, room: int) -> None:
    tree = VerificationInput.model_validate(step(spoilt("src/years.py", "import os\n")).input).tree
    settings = resources.settings
    with full_disk(room), pytest.raises(verification.SandboxFullError, match=r"no space left.*TMPDIR"):
        await verification.verify(tree, "python", settings.limits(), settings.toolchains_folder())


async def test_deliveries_at_once_verify_once(resources: Resources, organisation: Organisation) -> None:
    org_id, asked = await organisation(), step(GOOD)
    results = await asyncio.gather(
        *(attempts.answer(resources, org_id, asked) for _ in range(5)), return_exceptions=True
    )
    answers = [result for result in results if isinstance(result, StepAnswered)]
    assert len(answers) == 1
    assert all(isinstance(result, NotYet) for result in results if result not in answers)
    assert await attempts.answer(resources, org_id, asked) == answers[0]
    assert await count(resources, org_id, "artefacts") == 1


async def test_whoever_dies_is_followed_when_the_lease_is_over(
    resources: Resources, organisation: Organisation
) -> None:
    org_id, asked = await organisation(), step(GOOD)

    async def claim(tx: Transaction) -> None:

        assert await store.claim_verification(tx, org_id, asked.step_id, 0, new_id(), timedelta(seconds=-1)) == (
            True,
            None,
        )

    await resources.shards.run(org_id, claim)
    assert (await attempts.answer(resources, org_id, asked)).outcome == "completed"


async def test_a_lease_of_before_the_clock_was_set_back_is_cut_and_its_holder_keeps_it_by_renewing_it(
    servers: Servers, resources: Resources, organisation: Organisation
) -> None:
    org_id, step_id, holder, other = await organisation(), new_id(), new_id(), new_id()
    lease, over = timedelta(seconds=15), timedelta(seconds=-1)

    async def claim(worker: UUID) -> tuple[bool, str | None]:
        return await resources.shards.run(
            org_id, lambda tx: store.claim_verification(tx, org_id, step_id, 0, worker, lease)
        )

    async def left() -> timedelta:
        async with resources.shards.transaction(org_id) as tx:
            found: timedelta = await tx.fetchval(
                "SELECT lease_until - now() FROM verifications WHERE org_id = $1 AND step_id = $2", org_id, step_id
            )
        return found

    async def renew(by: timedelta) -> bool:
        return await resources.shards.run(
            org_id, lambda tx: store.renew_verification(tx, org_id, step_id, 0, holder, by)
        )

    assert await claim(holder) == (True, None)
    await clock_was_set_back(servers, (await resources.shards.locate(org_id)).shard, org_id)
    assert await left() > timedelta(minutes=59)
    assert await claim(other) == (False, None)
    assert await left() <= lease
    assert await renew(lease)
    assert await claim(other) == (False, None)
    assert await renew(over)  # what time would do to a holder that is dead
    assert await claim(other) == (True, None)


async def test_the_same_key_is_the_same_project_and_one_run(resources: Resources, organisation: Organisation) -> None:
    org_id = await organisation()
    made = await asyncio.gather(*(service.start(resources, org_id, REQUEST, "k") for _ in range(5)))
    assert len({(project.id, project.run_id) for project in made}) == 1
    assert made[0].run_id.version == 7  # runs are listed by id: this one has its place among those started otherwise
    assert await count(resources, org_id, "outbox") <= 1
    with pytest.raises(Problem) as refused:
        await service.start(resources, org_id, ProjectRequest(request="Another."), "k")
    assert refused.value.status == 409
    other = await organisation()
    assert (await service.start(resources, other, REQUEST, "k")).id != made[0].id


async def test_another_organisations_project_is_as_unknown_as_none(
    resources: Resources, organisation: Organisation
) -> None:
    mine, other = await organisation(), await organisation()
    project = await service.start(resources, mine, REQUEST, None)
    problems = []
    for org_id, project_id in ((other, project.id), (other, new_id()), (mine, new_id())):
        with pytest.raises(Problem) as refused:
            await service.show(resources, org_id, project_id)
        problems.append((refused.value.status, str(refused.value)))
    assert set(problems) == {(404, problems[0][1])}


async def test_pages_hold_every_project_once_newest_first(resources: Resources, organisation: Organisation) -> None:
    org_id = await organisation()
    made = [(await service.start(resources, org_id, REQUEST, None)).id for _ in range(7)]
    found, cursor = [], None
    while True:
        page = await service.page(resources, org_id, limit=3, cursor=cursor, state=None)
        found += [project.id for project in page.projects]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert found == made[::-1]
    for wrong in ("", "x", "AAAA", "é"):
        with pytest.raises(Problem) as refused:
            await service.page(resources, org_id, limit=3, cursor=wrong, state=None)
        assert refused.value.status == 422


@pytest.mark.parametrize(
    ("data", "state"),
    [
        (lambda run: RunCompleted(run_id=run, process="software", output=None), "completed"),
        (lambda run: RunFailed(run_id=run, process="software", reason="no"), "failed"),
        (lambda run: RunCancelled(run_id=run, process="software"), "cancelled"),
    ],
)
async def test_the_end_of_a_run_is_taken_once(
    resources: Resources, organisation: Organisation, data: Callable[[UUID], Any], state: str
) -> None:
    org_id = await organisation()
    project = await service.start(resources, org_id, REQUEST, None)
    event = CloudEvent(id="e", source="/s", type="x.y", extensions={"orgid": str(org_id)})
    for _ in range(3):
        await service.end(resources, org_id, event, data(project.run_id))
    late = event.replace(id="late")
    await service.end(resources, org_id, late, RunFailed(run_id=project.run_id, process="software", reason="late"))
    assert (await service.show(resources, org_id, project.id)).state == state


def test_derived_ids_differ_by_organisation_and_part() -> None:
    one, other = new_id(), new_id()
    assert derived_id(one, "a") == derived_id(one, "a")
    assert len({derived_id(one, "a"), derived_id(one, "b"), derived_id(other, "a")}) == 3


async def test_the_bytes_of_an_artefact_come_whole_and_that_they_are_lost_is_said_first(
    resources: Resources, organisation: Organisation
) -> None:
    org_id, artefact_id = await organisation(), new_id()
    held = service.object_key(org_id, artefact_id)
    many = bytes(range(256)) * 3000  # several pieces
    await resources.objects.put(held, many)
    pieces = await service.content(resources, org_id, artefact_id)
    assert b"".join([piece async for piece in pieces]) == many
    await resources.objects.delete(held)
    with pytest.raises(Problem) as caught:
        await service.content(resources, org_id, artefact_id)
    assert (caught.value.status, caught.value.slug) == (404, "artefact-lost")
