"""One try at a verification that was delegated to this function: claimed with a lease, worked, answered once.

The broker may deliver a step's event several times at once, and this process may die at any moment. So a try is a row
with a lease: whoever holds it works and renews it, a duplicate meanwhile is told "not yet", a later one is given the
kept answer again. Promises: of all who work on one try, one answer counts; the archive that it names is stored before;
no more verifications run at once than the instance has room for, and of those that wait here the next one is the
organisation's that has had the least for its tier (`shared.fairness`). A disk without room is waited for a few
seconds; then the step fails, with a reason that says which, as only a person can help.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from events.catalogue.neuron import StepAnswered
from events.subscriber import NotYet
from functions.codegen import archive, store, toolchain, verification
from functions.codegen.models import derived_id
from functions.codegen.service import object_key
from functions.codegen.toolchain import ToolchainMissingError
from functions.codegen.verification import SandboxFullError
from shared.chaos import point, register
from shared.identifiers import new_id
from shared.objects import ObjectsFullError
from shared.quotas import STORAGE
from shared.quotas.tiers import weight
from shared.quotas.usage import QuotaExceededError, Use, take
from shared.software.projects import Artefact
from shared.software.source import foremost
from shared.software.verification import Verification, VerificationInput
from shared.telemetry import counter, logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from events.catalogue.neuron import StepRequested
    from functions.codegen.resources import Resources
    from shared.database.pool import Transaction
    from shared.software.source import SourceTree

_log = logger(__name__)
_full = counter("hal9_codegen_disk_full_total", "Tries of verifications that met a full disk, by which.", ("disk",))

_LEASE: Final = timedelta(seconds=15)
_AGAIN_SECONDS: Final = 3.0
_TURN_SECONDS: Final = 20.0
"""How long to wait for a turn here, before the event goes back to the broker, which may find another instance."""

_ROOM_PAUSES_SECONDS: Final = (1.0, 3.0, 6.0)
"""How long to wait, once after another, for a full disk: what other work frees soon is not worth a failed run."""

STORAGE_FULL: Final = "storage-full"
"""The code of a step that failed because a disk had no room."""

_CLAIMED = register(
    "verification.claimed", "A verification is claimed, nothing done: the lease runs out, another claims."
)
_STORED = register(
    "verification.stored", "The archive is stored, the answer not: it is stored again under the same name."
)
_ANSWERED = register("verification.answered", "The answer is kept, not given: the next delivery is given it again.")


async def answer(resources: Resources, org_id: UUID, step: StepRequested) -> StepAnswered:
    """Verify what a step carries, or give the answer that was already found.

    Raises:
        NotYet: Another works on it at this moment, or too many others are worked on.
    """
    share = weight((await resources.shards.locate(org_id)).tier)
    async with contextlib.AsyncExitStack() as held:
        try:
            async with asyncio.timeout(_TURN_SECONDS):
                await held.enter_async_context(resources.verifying.place(org_id, share))
        except TimeoutError:
            raise NotYet(_AGAIN_SECONDS) from None
        return await _answered_once(resources, org_id, step)


async def _answered_once(resources: Resources, org_id: UUID, step: StepRequested) -> StepAnswered:
    worker = new_id()
    ours, kept = await resources.shards.run(
        org_id,
        lambda tx: store.claim_verification(tx, org_id, step.step_id, step.epoch, worker, _LEASE),
    )
    if kept is not None:
        return StepAnswered.model_validate_json(kept)
    if not ours:
        raise NotYet(_AGAIN_SECONDS)
    point(_CLAIMED)
    try:
        found, artefact = await _leased(resources, org_id, step, worker)
    except BaseException:
        with contextlib.suppress(Exception):
            await asyncio.shield(
                resources.shards.run(
                    org_id, lambda tx: store.release_verification(tx, org_id, step.step_id, step.epoch, worker)
                )
            )
        raise
    return await _keep(resources, org_id, step, worker, found, artefact)


async def _keep(
    resources: Resources,
    org_id: UUID,
    step: StepRequested,
    worker: UUID,
    found: StepAnswered,
    artefact: Artefact | None,
) -> StepAnswered:
    allowed = await resources.allowance(org_id, STORAGE)

    async def keep(tx: Transaction) -> bool:
        kept = await store.answer_verification(tx, org_id, step.step_id, step.epoch, worker, found.model_dump_json())
        if artefact is not None and kept:
            await store.enter_artefact(tx, org_id, artefact)
            await take(tx, org_id, Use(resources.source, "codegen", str(artefact.id), artefact.size), allowed)
        return kept

    try:
        kept = await resources.shards.run(org_id, keep)
    except QuotaExceededError as error:
        return await _refuse(resources, org_id, step, worker, error)
    if not kept:
        raise NotYet(_AGAIN_SECONDS)
    point(_ANSWERED)
    return found


async def _refuse(
    resources: Resources, org_id: UUID, step: StepRequested, worker: UUID, error: QuotaExceededError
) -> StepAnswered:
    """Give the archive up that the organisation's storage does not hold, and fail the step."""
    limit = error.allowance.hard
    reason = f"The archive does not fit into the storage that the tier {error.allowance.tier} allows ({limit} bytes)."
    found = _answered(step, outcome="failed", code="quota-exceeded", reason=reason)
    answer = found.model_dump_json()
    if not await resources.shards.run(
        org_id, lambda tx: store.answer_verification(tx, org_id, step.step_id, step.epoch, worker, answer)
    ):
        raise NotYet(_AGAIN_SECONDS)
    await resources.objects.delete(object_key(org_id, derived_id(org_id, "artefact", step.step_id, step.epoch)))
    return found


async def _work(resources: Resources, org_id: UUID, step: StepRequested) -> tuple[StepAnswered, Artefact | None]:
    """Verify and store; gives the answer, and the artefact that it names when that is a new one."""
    work = VerificationInput.model_validate(step.input)
    packed = archive.pack(work.tree)
    digest = hashlib.sha256(packed).hexdigest()
    known = await _known(resources, org_id, step, digest)
    if known is not None:
        return known, None
    artefact = Artefact(
        id=derived_id(org_id, "artefact", step.step_id, step.epoch),
        run_id=step.run_id,
        media_type=archive.MEDIA_TYPE,
        sha256=digest,
        size=len(packed),
        engine=foremost(file.engine for file in work.tree.files),
        created_at=resources.clock.now(),
    )
    try:
        report = await _when_there_is_room(
            resources, lambda: _stored_and_verified(resources, org_id, work, artefact, packed)
        )
    except ToolchainMissingError as error:
        return _answered(step, outcome="failed", reason=f"{error}."), None
    except (ObjectsFullError, SandboxFullError) as error:
        _tell_full(error)
        await resources.objects.delete(object_key(org_id, artefact.id))  # nothing names it
        return _answered(step, outcome="failed", code=STORAGE_FULL, reason=f"{error}, then ask again."), None
    return _judged(step, report, artefact, work.tree), artefact


async def _stored_and_verified(
    resources: Resources, org_id: UUID, work: VerificationInput, artefact: Artefact, packed: bytes
) -> verification.Report:
    """Store the archive, then check the project: what cannot be kept is not worth the longer work."""
    settings = resources.settings
    toolchains = settings.toolchains_folder()
    toolchain.toolchain(work.language, toolchains)
    await resources.objects.put(object_key(org_id, artefact.id), packed, media_type=archive.MEDIA_TYPE)
    point(_STORED)
    return await verification.verify(work.tree, work.language, settings.limits(), toolchains)


async def _when_there_is_room(
    resources: Resources, attempt: Callable[[], Awaitable[verification.Report]]
) -> verification.Report:
    """Try again after a pause when a disk is full; the last try's error is the caller's."""
    for pause in _ROOM_PAUSES_SECONDS:
        try:
            return await attempt()
        except (ObjectsFullError, SandboxFullError) as error:
            _tell_full(error)
        await resources.clock.sleep(pause)
    return await attempt()


def _tell_full(error: ObjectsFullError | SandboxFullError) -> None:
    disk = "objects" if isinstance(error, ObjectsFullError) else "sandbox"
    _full.add(disk)
    _log.error("a disk is full", disk=disk, cause=str(error.__cause__ or error))


async def _known(resources: Resources, org_id: UUID, step: StepRequested, digest: str) -> StepAnswered | None:
    """Give the answer of an earlier try on the very same files: a deterministic engine writes them again."""
    kept = await resources.shards.run(
        org_id, lambda tx: store.earlier_answers(tx, org_id, step.step_id, step.epoch), readonly=True
    )
    for answer in (StepAnswered.model_validate_json(text) for text in kept):
        if answer.output is not None and answer.output["sha256"] == digest:
            return answer.model_copy(update={"epoch": step.epoch})
    return None


def _judged(step: StepRequested, report: verification.Report, artefact: Artefact, tree: SourceTree) -> StepAnswered:
    output = Verification(
        verified=report.verified,
        checks=report.checks,
        tests_passed=report.tests_passed,
        isolation=report.isolation,
        artefact_id=artefact.id,
        sha256=artefact.sha256,
        size=artefact.size,
    ).model_dump(mode="json")
    if report.verified:
        return _answered(step, outcome="completed", output=output)
    return _answered(step, outcome="backward", output=output, signals=verification.signals(report, tree))


def _answered(step: StepRequested, **outcome: object) -> StepAnswered:
    return StepAnswered.model_validate({"run_id": step.run_id, "step_id": step.step_id, "epoch": step.epoch, **outcome})


async def _leased(
    resources: Resources, org_id: UUID, step: StepRequested, worker: UUID
) -> tuple[StepAnswered, Artefact | None]:
    """Work while the lease is held; leaves with NotYet, and stops the work, when it was lost."""
    work = asyncio.ensure_future(_work(resources, org_id, step))
    renewal = asyncio.ensure_future(_renew(resources, org_id, step, worker))
    try:
        await asyncio.wait({work, renewal}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            renewal.result()
            raise NotYet(_AGAIN_SECONDS)
        return work.result()
    finally:
        work.cancel()
        renewal.cancel()
        await asyncio.gather(work, renewal, return_exceptions=True)


async def _renew(resources: Resources, org_id: UUID, step: StepRequested, worker: UUID) -> None:
    """Renew the lease until it is lost."""
    held = True
    while held:
        await resources.clock.sleep(_LEASE.total_seconds() / 3)
        held = await resources.shards.run(
            org_id, lambda tx: store.renew_verification(tx, org_id, step.step_id, step.epoch, worker, _LEASE)
        )
