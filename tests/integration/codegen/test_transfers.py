"""Projects that change hands: only by an offer, whole or not at all, wherever the two organisations are."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from functions.codegen import service, store, transfer
from functions.codegen.models import Ending, NewProject
from functions.codegen.resources import Resources
from shared import chaos
from shared.identifiers import new_id
from shared.objects import ObjectMissingError
from shared.problems import Problem
from shared.quotas import STORAGE, Tiers
from shared.quotas.usage import Use, counted, take
from shared.software.projects import Artefact
from shared.transactions import points, recover

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from shared.database.pool import Transaction

    Organisation = Callable[[], Awaitable[UUID]]

BYTES = b"an archive"


async def project_of(resources: Resources, org_id: UUID, *, ended: bool = True) -> tuple[UUID, UUID]:
    """A project and its artefact, as a run leaves them."""
    new = NewProject(new_id(), new_id(), "A library of leap years.", "python", "builtin")
    artefact = Artefact(
        id=new_id(), run_id=new.run_id, media_type="application/gzip", sha256="0" * 64, size=len(BYTES),
        engine="builtin", created_at=resources.clock.now(),
    )  # fmt: skip
    await resources.objects.put(service.object_key(org_id, artefact.id), BYTES)
    allowed = await resources.allowance(org_id, STORAGE)

    async def enter(tx: Transaction) -> None:
        await store.enter_project(tx, org_id, new, resources.clock.now())
        await store.enter_artefact(tx, org_id, artefact)
        await take(tx, org_id, Use(resources.source, "codegen", str(artefact.id), artefact.size), allowed)
        if ended:
            ending = Ending("completed", None, artefact.engine, artefact.id, None, 7)
            await store.end_project(tx, org_id, new.run_id, ending, resources.clock.now())

    await resources.shards.run(org_id, enter)
    return new.project_id, artefact.id


async def has(resources: Resources, org_id: UUID, project_id: UUID) -> bool:
    found = await resources.shards.run(org_id, lambda tx: store.project(tx, org_id, project_id), readonly=True)
    return found is not None


async def stored(resources: Resources, org_id: UUID) -> int:
    _, used = await resources.shards.run(org_id, lambda tx: counted(tx, org_id), readonly=True)
    return used[STORAGE.name].used


async def content(resources: Resources, org_id: UUID, artefact_id: UUID) -> bytes | None:
    try:
        return b"".join([chunk async for chunk in resources.objects.get(service.object_key(org_id, artefact_id))])
    except ObjectMissingError:
        return None


async def refused(doing: Awaitable[object]) -> tuple[int, str]:
    with pytest.raises(Problem) as caught:
        await doing
    return caught.value.status, caught.value.slug


async def test_an_offered_project_goes_with_all_that_belongs_to_it(
    resources: Resources, organisation: Organisation
) -> None:
    giver, taker = await organisation(), await organisation()
    project_id, artefact_id = await project_of(resources, giver)
    before = await service.show(resources, giver, project_id)
    made = await transfer.offer(resources, giver, project_id, taker)
    assert (made.organisation, made.offered_to) == (giver, taker)
    assert await has(resources, giver, project_id)
    assert not await has(resources, taker, project_id)
    assert await transfer.accept(resources, taker, giver, project_id) == before
    assert not await has(resources, giver, project_id)
    assert (await service.artefact(resources, taker, artefact_id)).size == len(BYTES)
    assert await refused(service.artefact(resources, giver, artefact_id)) == (404, "artefact-unknown")
    assert await content(resources, taker, artefact_id) == BYTES
    assert await content(resources, giver, artefact_id) is None
    assert (await stored(resources, giver), await stored(resources, taker)) == (0, len(BYTES))
    assert await transfer.accept(resources, taker, giver, project_id) == before, "once more is no harm"
    assert (await stored(resources, giver), await stored(resources, taker)) == (0, len(BYTES))


async def test_it_goes_back_and_forth(resources: Resources, organisation: Organisation) -> None:
    parties = [await organisation(), await organisation()]
    project_id, artefact_id = await project_of(resources, parties[0])
    for turn in range(4):
        giver, taker = parties[turn % 2], parties[(turn + 1) % 2]
        await transfer.offer(resources, giver, project_id, taker)
        await transfer.accept(resources, taker, giver, project_id)
        assert await content(resources, taker, artefact_id) == BYTES
        assert (await stored(resources, giver), await stored(resources, taker)) == (0, len(BYTES))


async def test_what_is_not_offered_cannot_be_taken_or_told_from_what_is_not_there(
    resources: Resources, organisation: Organisation
) -> None:
    giver, taker, stranger = await organisation(), await organisation(), await organisation()
    project_id, artefact_id = await project_of(resources, giver)
    unknown = (404, "project-unknown")
    assert await refused(transfer.accept(resources, taker, giver, project_id)) == unknown
    await transfer.offer(resources, giver, project_id, taker)
    assert await refused(transfer.accept(resources, stranger, giver, project_id)) == unknown
    assert await refused(transfer.accept(resources, taker, new_id(), project_id)) == unknown
    assert await refused(transfer.accept(resources, taker, taker, project_id)) == unknown
    assert await refused(transfer.accept(resources, taker, giver, new_id())) == unknown
    assert await refused(transfer.offer(resources, stranger, project_id, stranger)) == (409, "conflict")
    assert await refused(transfer.offer(resources, stranger, project_id, taker)) == unknown
    assert await refused(transfer.withdraw(resources, stranger, project_id)) == unknown
    await transfer.withdraw(resources, giver, project_id)
    assert await refused(transfer.accept(resources, taker, giver, project_id)) == unknown
    assert await has(resources, giver, project_id)
    assert await content(resources, giver, artefact_id) == BYTES


async def test_a_project_that_runs_is_not_offered(resources: Resources, organisation: Organisation) -> None:
    giver, taker = await organisation(), await organisation()
    project_id, _ = await project_of(resources, giver, ended=False)
    assert await refused(transfer.offer(resources, giver, project_id, taker)) == (409, "project-running")


async def test_without_room_for_it_nothing_changes(resources: Resources, organisation: Organisation) -> None:
    giver, taker = await organisation(), await organisation()
    project_id, artefact_id = await project_of(resources, giver)
    await transfer.offer(resources, giver, project_id, taker)
    resources.tiers = Tiers({"professional": {"storage": len(BYTES) - 1}})
    assert await refused(transfer.accept(resources, taker, giver, project_id)) == (402, "quota-exceeded")
    assert await has(resources, giver, project_id)
    assert await content(resources, taker, artefact_id) is None
    assert (await stored(resources, giver), await stored(resources, taker)) == (len(BYTES), 0)


async def test_the_same_ids_at_the_taker_s_are_left_alone(resources: Resources, organisation: Organisation) -> None:
    """A neighbour with the same ids everywhere loses nothing, and takes nothing away."""
    giver, taker = await organisation(), await organisation()
    project_id, artefact_id = await project_of(resources, giver)

    async def rows(tx: Transaction) -> list[dict[str, object]]:
        found = [await tx.fetchrow(f"SELECT * FROM {table}") for table in ("projects", "artefacts")]
        return [dict(row) for row in found if row is not None]

    project, artefact = await resources.shards.run(giver, rows, readonly=True)
    twin = {**project, "request": "The taker's own."}
    assert await resources.shards.run(taker, lambda tx: store.take_project(tx, taker, twin, [artefact]))
    own = await service.show(resources, taker, project_id)
    assert await transfer.accept(resources, taker, giver, project_id) == own, "nothing was offered: it is its own"
    assert await content(resources, giver, artefact_id) == BYTES
    await transfer.offer(resources, giver, project_id, taker)
    assert await refused(transfer.accept(resources, taker, giver, project_id)) == (409, "conflict")
    assert await has(resources, giver, project_id)
    assert (await service.show(resources, taker, project_id)).request == "The taker's own."
    assert await content(resources, giver, artefact_id) == BYTES


async def test_many_who_accept_at_once_get_one_project(resources: Resources, organisation: Organisation) -> None:
    giver, taker = await organisation(), await organisation()
    project_id, artefact_id = await project_of(resources, giver)
    await transfer.offer(resources, giver, project_id, taker)
    results = await asyncio.gather(
        *(transfer.accept(resources, taker, giver, project_id) for _ in range(4)), return_exceptions=True
    )
    assert not [result for result in results if isinstance(result, Exception) and not isinstance(result, Problem)]
    assert (await transfer.accept(resources, taker, giver, project_id)).id == project_id
    assert await content(resources, taker, artefact_id) == BYTES
    assert (await stored(resources, giver), await stored(resources, taker)) == (0, len(BYTES))


@pytest.mark.parametrize("point", [points.PREPARED, points.DECIDED, points.COMMITTED])
async def test_whoever_accepts_again_finishes_what_was_cut_off(
    resources: Resources, organisation: Organisation, point: str
) -> None:
    giver, taker = await organisation(), await organisation()
    project_id, artefact_id = await project_of(resources, giver)
    await transfer.offer(resources, giver, project_id, taker)

    def dying(name: str) -> None:
        if name == point:
            raise chaos.Killed

    with chaos.observed(dying), pytest.raises(chaos.Killed):
        await transfer.accept(resources, taker, giver, project_id)
    await recover(resources.shards, older_than_seconds=0)
    decided = point != points.PREPARED
    assert (await has(resources, giver, project_id), await has(resources, taker, project_id)) == (not decided, decided)
    await transfer.accept(resources, taker, giver, project_id)
    assert not await has(resources, giver, project_id)
    assert await content(resources, taker, artefact_id) == BYTES
    assert await content(resources, giver, artefact_id) is None
    assert (await stored(resources, giver), await stored(resources, taker)) == (0, len(BYTES))


async def test_what_a_late_clean_up_took_is_copied_again(resources: Resources, organisation: Organisation) -> None:
    """Two hand a project to and fro; the one's clean-up comes so late that it meets what the other has just got."""
    giver, taker = await organisation(), await organisation()
    project_id, artefact_id = await project_of(resources, giver)
    await transfer.offer(resources, giver, project_id, taker)

    def dying(name: str) -> None:
        if name == points.COMMITTED:
            raise chaos.Killed

    with chaos.observed(dying), pytest.raises(chaos.Killed):
        await transfer.accept(resources, taker, giver, project_id)
    await resources.objects.delete(service.object_key(taker, artefact_id))
    await transfer.accept(resources, taker, giver, project_id)
    assert await content(resources, taker, artefact_id) == BYTES
    assert await content(resources, giver, artefact_id) is None


async def test_nobody_cleans_up_where_a_project_is_just_going(resources: Resources, organisation: Organisation) -> None:
    """Its owner accepts it once more, as it once was offered, while it is going back."""
    giver, taker = await organisation(), await organisation()
    project_id, artefact_id = await project_of(resources, giver)
    await transfer.offer(resources, giver, project_id, taker)
    await transfer.accept(resources, taker, giver, project_id)
    await transfer.offer(resources, taker, project_id, giver)

    def dying(name: str) -> None:
        if name == points.PREPARED:
            raise chaos.Killed

    with chaos.observed(dying), pytest.raises(chaos.Killed):
        await transfer.accept(resources, giver, taker, project_id)
    await recover(resources.shards, older_than_seconds=0)
    await transfer.accept(resources, taker, giver, project_id)
    assert await content(resources, giver, artefact_id) == BYTES
    assert await has(resources, taker, project_id)


async def test_what_is_handed_back_while_others_are_tidied_up_is_kept(
    resources: Resources, organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    giver, taker = await organisation(), await organisation()
    made = dict([await project_of(resources, giver) for _ in range(3)])
    for project_id, artefact_id in made.items():
        await transfer.offer(resources, giver, project_id, taker)
        await transfer.accept(resources, taker, giver, project_id)
        await resources.objects.put(service.object_key(giver, artefact_id), BYTES)
    handed_back: list[UUID] = []

    delete = resources.objects.delete

    async def meddled(key: str) -> None:
        """After the first one is deleted, the taker hands one of the others back, and cleans up."""
        await delete(key)
        if not handed_back:
            handed_back.extend([one for one in made if await content(resources, giver, made[one]) is not None][:1])
            await transfer.offer(resources, taker, handed_back[0], giver)
            await transfer.accept(resources, giver, taker, handed_back[0])

    monkeypatch.setattr(resources.objects, "delete", meddled)
    assert await transfer.tidy(resources, giver, taker) == 2
    [back] = handed_back
    found = {one: await content(resources, giver, artefact_id) for one, artefact_id in made.items()}
    assert found == {one: BYTES if one == back else None for one in made}


async def test_what_is_offered_back_is_not_tidied_up(resources: Resources, organisation: Organisation) -> None:
    giver, taker = await organisation(), await organisation()
    project_id, artefact_id = await project_of(resources, giver)
    await transfer.offer(resources, giver, project_id, taker)
    await transfer.accept(resources, taker, giver, project_id)
    await resources.objects.put(service.object_key(giver, artefact_id), BYTES)
    await transfer.offer(resources, taker, project_id, giver)
    assert await transfer.tidy(resources, giver, taker) == 0
    assert await content(resources, giver, artefact_id) == BYTES
    await transfer.withdraw(resources, taker, project_id)
    assert await transfer.tidy(resources, giver, taker) == 1
    assert await content(resources, giver, artefact_id) is None
