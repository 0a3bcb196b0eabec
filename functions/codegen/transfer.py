"""Projects that change hands: offered by one organisation, accepted by the other, in one transaction over both.

A project belongs to one organisation at every moment, with its artefacts' rows and the storage that they count. The
archives' bytes are copied before, and the giver's are deleted after; whoever accepts once more what was cut off in
between finishes that.
Promises: nothing leaves an organisation but by its own offer, to whom it was offered, or by the platform's operator
(`give`: an organisation is split or merged); an offer tells nobody anything before it is accepted. Does not: move the
run, its cost and its events: they stay with who paid for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol
from uuid import UUID

from functions.codegen import store
from functions.codegen.service import object_key, show
from shared.identifiers import new_id
from shared.objects import ObjectMissingError, key
from shared.problems import Problem, register
from shared.quotas import STORAGE, exceeded
from shared.quotas.usage import QuotaExceededError, Use, counted, record, take
from shared.software.projects import ProjectOffer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from functions.codegen.resources import Resources
    from shared.database.pool import Transaction
    from shared.objects import Objects
    from shared.quotas import Allowance, Meter
    from shared.shards import Shards
    from shared.software.projects import Artefact, Project
    from shared.transactions import Transactions

register("project-running", 409, "The project's run has not ended", "Wait until its run has ended, or cancel it.")

_MEANWHILE: Final = "The project changes hands just now: accept it again."


class Means(Protocol):
    """What it takes to let a project change hands; the function's resources have it.

    Attributes:
        shards: Where the organisations are.
        transactions: Over both of them.
        objects: Where the archives are.
        source: `source` of events that warn of a quota.
    """

    shards: Shards
    transactions: Transactions
    objects: Objects
    source: str

    async def allowance(self, org_id: UUID, meter: Meter) -> Allowance:
        """Give what the organisation's tier allows of a meter."""
        ...


class _Parties(NamedTuple):
    """Between whom.

    Attributes:
        giver: Whose the project is.
        taker: Whose it is going to be.
        project_id: Which.
    """

    giver: UUID
    taker: UUID
    project_id: UUID


async def offer(resources: Resources, org_id: UUID, project_id: UUID, to: UUID) -> ProjectOffer:
    """Offer a project to an organisation, and to no other one any more.

    Raises:
        Problem: 404 `project-unknown`; 409 `project-running`, `conflict` when it is one's own organisation.
    """
    if to == org_id:
        raise Problem("conflict", detail="The project is yours already: offer it to another organisation.")
    found = await show(resources, org_id, project_id)
    if found.state == "running":
        raise Problem("project-running")
    await _offered(resources, org_id, project_id, to)
    return ProjectOffer(project_id=project_id, organisation=org_id, offered_to=to)


async def withdraw(resources: Resources, org_id: UUID, project_id: UUID) -> None:
    """Offer a project to nobody any more.

    Raises:
        Problem: 404 `project-unknown`.
    """
    await _offered(resources, org_id, project_id, None)


async def _offered(resources: Resources, org_id: UUID, project_id: UUID, to: UUID | None) -> None:
    there = await resources.shards.run(
        org_id, lambda tx: store.offer_project(tx, org_id, project_id, to), idempotent=True
    )
    if not there:
        raise Problem("project-unknown")


async def accept(resources: Resources, taker: UUID, giver: UUID, project_id: UUID) -> Project:
    """Take a project that was offered; what was taken already is given back as it is.

    Raises:
        Problem: 404 `project-unknown` when it was not offered, whatever the reason; 409 `conflict` when one's own
            project has that id, or somebody else accepts it, too; 402 `quota-exceeded`; 503 `transactions-unavailable`.
    """
    parties = _Parties(giver, taker, project_id)
    artefacts = await _offered_artefacts(resources, parties)
    if artefacts is not None:
        await _require_room(resources, taker, artefacts)
        await _copy(resources, parties, artefacts)
        await _hand_over(resources, parties, artefacts)
    project = await show(resources, taker, project_id)
    await _clean_up(resources, parties, project.run_id)
    return project


async def give(means: Means, giver: UUID, taker: UUID, project_id: UUID) -> bool:
    """Let a project change hands without an offer, or finish that; whether it is the taker's now.

    Args:
        means: What it takes.
        giver: Whose it is.
        taker: Whose it is going to be.
        project_id: Which. One that runs, or that the giver has no more, stays as it is.

    Raises:
        Problem: 409 `conflict`: the taker has something of the same id; 402 `quota-exceeded`; 503
            `transactions-unavailable`.
    """
    parties = _Parties(giver, taker, project_id)

    async def of_giver(tx: Transaction) -> list[Artefact] | None:
        return await store.ended_artefacts(tx, giver, project_id)

    artefacts = await means.shards.run(giver, of_giver, readonly=True)
    if artefacts is not None:
        await _require_room(means, taker, artefacts)
        await _copy(means, parties, artefacts)
        await _hand_over(means, parties, artefacts, offered=False)
    elif await means.shards.run(giver, lambda tx: store.project(tx, giver, project_id), readonly=True) is not None:
        return False  # it runs
    project = await means.shards.run(taker, lambda tx: store.project(tx, taker, project_id), readonly=True)
    if project is None:
        return False
    await _clean_up(means, parties, project.run_id)
    return True


async def tidy(means: Means, giver: UUID, taker: UUID) -> int:
    """Delete the giver's archives that are the taker's now, however they came there; how many they were.

    Those of a project that is offered back stay: it may be on its way.
    """
    beginning = key(giver, "artefacts")
    ids = [UUID(name.rpartition("/")[2].partition(".")[0]) async for name in means.objects.below(beginning)]
    return await _delete(means, giver, taker, ids)


async def _offered_artefacts(resources: Resources, parties: _Parties) -> Sequence[Artefact] | None:
    """The artefacts of what is offered; None when nothing is, or not any more."""
    if parties.giver == parties.taker:
        raise Problem("project-unknown")
    try:
        return await resources.shards.run(
            parties.giver, lambda tx: store.offered_artefacts(tx, *parties), readonly=True
        )
    except Problem as problem:
        if problem.slug != "organisation-unknown":
            raise
        raise Problem("project-unknown") from None


async def _require_room(resources: Means, taker: UUID, artefacts: Sequence[Artefact]) -> None:
    """Refuse before anything is copied; what counts is the transaction's own look."""
    allowed = await resources.allowance(taker, STORAGE)
    _, used = await resources.shards.run(taker, lambda tx: counted(tx, taker), readonly=True)
    there = used[STORAGE.name]
    if there.used + there.reserved + sum(artefact.size for artefact in artefacts) > allowed.hard:
        raise exceeded(allowed)


async def _copy(resources: Means, parties: _Parties, artefacts: Sequence[Artefact]) -> None:
    for artefact in artefacts:
        source = resources.objects.get(object_key(parties.giver, artefact.id))
        try:
            await resources.objects.put(object_key(parties.taker, artefact.id), source, media_type=artefact.media_type)
        except ObjectMissingError:
            raise Problem("conflict", detail=_MEANWHILE) from None


async def _hand_over(resources: Means, parties: _Parties, copied: Sequence[Artefact], *, offered: bool = True) -> None:
    giver, taker, project_id = parties
    allowed = {org_id: await resources.allowance(org_id, STORAGE) for org_id in (giver, taker)}
    transfer_id = new_id()

    async def work(branches: Mapping[UUID, Transaction]) -> None:
        if not offered:
            await store.offer_project(branches[giver], giver, project_id, taker)
        project, artefacts = await store.give_project(branches[giver], giver, project_id, taker)
        if project is None:
            return  # somebody else has accepted it, or it was withdrawn
        if {row["artefact_id"] for row in artefacts} != {artefact.id for artefact in copied}:
            raise Problem("conflict", detail=_MEANWHILE)
        if not await store.take_project(branches[taker], taker, project, artefacts):
            raise Problem("conflict", detail="A project of yours has that id.")
        size = sum(row["size"] for row in artefacts)
        given, taken = (_use(resources, transfer_id, what, size) for what, size in (("given", -size), ("taken", size)))
        await record(branches[giver], giver, given, allowed[giver])
        await take(branches[taker], taker, taken, allowed[taker])

    try:
        await resources.transactions.run(giver, [taker], work)
    except QuotaExceededError as error:
        raise exceeded(error.allowance) from None


def _use(resources: Means, transfer_id: UUID, what: str, size: int) -> Use:
    """What is stored with the taker from now on, and with the giver no longer."""
    return Use(resources.source, "codegen", f"{transfer_id}/{what}", size)


async def _clean_up(resources: Means, parties: _Parties, run_id: UUID) -> None:
    """Delete the giver's bytes of a project that is the taker's now.

    Two who hand a project to and fro may each clean up late. So it is left alone while it is offered back, and what
    the taker lacks is copied once more before the giver's goes.
    """
    giver, taker, project_id = parties

    async def of_taker(tx: Transaction) -> Sequence[Artefact]:
        back = await store.offered_artefacts(tx, taker, giver, project_id)
        return await store.artefacts_of(tx, taker, run_id) if back is None else []

    taken = await resources.shards.run(taker, of_taker, readonly=True)
    for artefact in taken:
        given, held = (object_key(org_id, artefact.id) for org_id in (giver, taker))
        if not await resources.objects.exists(held) and await resources.objects.exists(given):
            await _copy(resources, parties, [artefact])
    await _delete(resources, giver, taker, [artefact.id for artefact in taken])


async def _delete(means: Means, giver: UUID, taker: UUID, ids: list[UUID]) -> int:
    """Delete the giver's bytes of those ids that are the taker's; how many they were.

    Of each it is asked again right before: meanwhile the taker may have handed it back, and deleted its own bytes.
    """
    deleted = 0
    for artefact_id in await _gone(means, giver, taker, ids):
        if await _gone(means, giver, taker, [artefact_id]):
            await means.objects.delete(object_key(giver, artefact_id))
            deleted += 1
    return deleted


async def _gone(means: Means, giver: UUID, taker: UUID, ids: list[UUID]) -> set[UUID]:
    """Give those ids that the taker has and keeps, without an offer to the giver, and that the giver has not."""
    kept = await means.shards.run(taker, lambda tx: store.artefacts_kept(tx, taker, ids, giver), readonly=True)
    there = await means.shards.run(giver, lambda tx: store.artefacts_there(tx, giver, ids), readonly=True)
    return kept - there
