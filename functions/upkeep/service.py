"""The use cases of upkeep: the sweep, and dead letters."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from typing import TYPE_CHECKING, Final
from uuid import UUID

from events import catalogue, codec, deadletters, inbox, outbox, relay
from events.catalogue.neuron import RunRequested, StepFailed, StepRequested
from events.catalogue.upkeep import ProbeAnswered
from events.cloudevent import MalformedEvent
from functions.upkeep import points
from shared import cursors, eventprobe, transactions
from shared.chaos import point
from shared.deadletters import DeadLetterDetail, DeadLetterPage, DeadLetterView
from shared.eventprobe import Told
from shared.problems import Problem
from shared.telemetry import counter, logger

if TYPE_CHECKING:
    from events import CloudEvent
    from events.deadletters import DeadLetter
    from functions.upkeep.resources import Resources
    from functions.upkeep.store import Due
    from shared.database import Transaction

_log = logger(__name__)
_swept = counter("hal9_sweep_steps_total", "Overdue runs and steps, by what the sweep did about them.", ("outcome",))
_kept = counter("hal9_dead_letters_total", "Events that could not be delivered.")
_again = counter("hal9_dead_letters_retried_total", "Dead letters that are sent again by themselves.")

_ID_BYTES: Final = 16
_AT_MOST: Final = 500
_AT_ONCE: Final = 8
_OUTBOX_SECONDS: Final = 3.0
_INBOX_SECONDS: Final = 7 * 86_400.0
_RUN_REQUESTED: Final = "ai.hal9.neuron.run.requested"
_PROBES: Final = frozenset({"ai.hal9.upkeep.probe.requested", "ai.hal9.upkeep.probe.answered"})
_STEP_REQUESTED: Final = "ai.hal9.neuron.step.requested"


async def sweep(resources: Resources, ahead_seconds: float = 0.0) -> Counter[str]:
    """Move on or finish what nobody did in time, then publish what outboxes still hold, then forget old inbox rows.

    A shard that does not answer does not keep the others from being swept.

    Args:
        resources: What the function opened.
        ahead_seconds: Acts as if it were so much later.

    Returns:
        How often each was done: `retried`, `reminded`, `shortened`, `failed`, `stale`, `error`; `published` events;
        what became of transactions over organisations (`shared.transactions.recover`), each with `transactions-`
        before it.

    Raises:
        Problem: A shard does not answer; the rest was done.
    """
    done: Counter[str] = Counter()
    found = await asyncio.gather(
        *(_sweep_shard(resources, number, ahead_seconds, done) for number in range(len(resources.shards))),
        _recover(resources, done),
        return_exceptions=True,
    )
    swept = await relay.sweep(resources.shards, resources.publisher, 0.0 if ahead_seconds else _OUTBOX_SECONDS)
    done["published"] = swept.events
    await inbox.forget(resources.shards, _INBOX_SECONDS)
    for fault in found:
        if isinstance(fault, BaseException):
            raise fault
    return done


async def _recover(resources: Resources, done: Counter[str]) -> None:
    recovered: Counter[str] = Counter()
    try:
        recovered = await transactions.recover(resources.shards)
    except transactions.SilentShardsError as error:
        recovered = error.done
        raise
    finally:
        done.update({f"transactions-{outcome}": count for outcome, count in recovered.items()})


async def _sweep_shard(resources: Resources, shard: int, ahead_seconds: float, done: Counter[str]) -> None:
    moment, overdue = await resources.store.due(shard, ahead_seconds, _AT_MOST)
    if overdue:
        point(points.SWEEP_FOUND)
    gate = asyncio.Semaphore(_AT_ONCE)

    async def move_on(due: Due) -> None:
        async with gate:
            try:
                verdict = await resources.store.move_on(due, moment)
            except Exception as error:  # noqa: BLE001 - one organisation's trouble must not stop the others' sweep
                _log.warning("overdue step not moved on", error=type(error).__name__, run_id=str(due.run_id))
                verdict = "error"
        point(points.SWEEP_EXPIRED)
        done[verdict] += 1
        _swept.add(verdict)
        resources.relay.after_commit(due.org_id)

    await asyncio.gather(*(move_on(due) for due in overdue))


async def keep(resources: Resources, event: CloudEvent) -> None:
    """Keep an event that could not be delivered; a step's request among them fails its step, a run's fails the run.

    What the broker handed to nobody is sent again first (`deadletters.PAUSES`); its step or run waits for that. Twice
    the same letter sends it once.

    Raises:
        Problem: The shard does not answer.
    """
    original, destination, code, error = deadletters.reason(event)
    _kept.add()
    if original.type in _PROBES:
        with contextlib.suppress(MalformedEvent):
            text = f"{original.type} to {destination}: {code} {error}"
            await tell_of_probe(resources, catalogue.parse(original).probe, Told("undelivered", text))
    if original.orgid is None:
        _log.warning("dead letter of no organisation", event_type=original.type, destination=destination, code=code)
        return
    org_id = inbox.organisation_of(original)
    failed = _step_failed(resources, original, destination, code, error)

    async def work(tx: Transaction) -> bool:
        letter_id = await deadletters.add(tx, original, destination=destination, error_code=code, error=error)
        # A destination that refused would refuse it again.
        again = destination == deadletters.NOWHERE and await deadletters.retry(tx, letter_id, original)
        if failed is not None and not again:
            await outbox.add(tx, failed)
        point(points.LETTER_BEFORE)
        return again

    again = await resources.shards.run(org_id, work, idempotent=True)
    if again:
        _again.add()
    else:
        await _not_started(resources, original, org_id)
    point(points.LETTER_COMMITTED)
    resources.relay.after_commit(org_id)


async def _not_started(resources: Resources, event: CloudEvent, org_id: UUID) -> None:
    """Tell whoever asked for a run that it was never begun."""
    if event.type == _RUN_REQUESTED:
        with contextlib.suppress(MalformedEvent):
            data: RunRequested = catalogue.parse(event)
            correlation = event.extensions.get("correlationid")
            await resources.store.not_started(org_id, event.id, data, None if correlation is None else str(correlation))


def _step_failed(
    resources: Resources, event: CloudEvent, destination: str, code: int | None, error: str
) -> CloudEvent | None:
    """The event that tells a step that its request was not delivered; without it its run would hang."""
    if event.type != _STEP_REQUESTED:
        return None
    try:
        step: StepRequested = catalogue.parse(event)
    except MalformedEvent:
        return None
    answer = "no answer" if code is None else f"the status {code}"
    title = deadletters.problem_title(error)
    why = f"to {destination}: {answer}" + (f" ({title})" if title else "")
    if destination == deadletters.NOWHERE:
        why = "to anybody: the broker failed"
    return catalogue.new(
        StepFailed(
            run_id=step.run_id,
            step_id=step.step_id,
            epoch=step.epoch,
            phase=step.phase,
            reason=f"its request could not be delivered {why}",
        ),
        id=f"{event.id}/undelivered",
        subject=str(step.step_id),
        org_id=inbox.organisation_of(event),
        source=catalogue.source("upkeep", resources.settings.region),
        cause=event,
    )


async def reply_to_probe(resources: Resources, event: CloudEvent, probe: str) -> CloudEvent:
    """Tell whoever sent a probe that it was taken; give the reply, which goes by way of the broker as well.

    Raises:
        Problem: The shard does not answer.
    """
    await tell_of_probe(resources, probe, Told("received"))
    return catalogue.new(
        ProbeAnswered(probe=probe),
        id=f"{event.id}/answered",
        subject=probe,
        org_id=None,
        source=catalogue.source("upkeep", resources.settings.region),
        cause=event,
    )


async def tell_of_probe(resources: Resources, probe: str, told: Told) -> None:
    """Tell whoever sent a probe what became of it.

    Raises:
        Problem: The shard does not answer.
    """
    async with resources.shards.database(eventprobe.SHARD).connection() as connection:
        await eventprobe.tell(connection, probe, told)


async def page(resources: Resources, org_id: UUID, limit: int, cursor: str | None) -> DeadLetterPage:
    """Give a page of dead letters, newest first.

    Raises:
        Problem: 422 `cursor-invalid`.
    """
    before = None if cursor is None else UUID(bytes=cursors.read(cursor, _ID_BYTES))
    letters = await resources.shards.run(
        org_id, lambda tx: deadletters.page(tx, org_id, limit=limit + 1, before=before), readonly=True
    )
    # A page of the largest size is one shorter: the letter after it says whether there are more.
    most = min(limit, deadletters.MAX_PAGE - 1)
    more = len(letters) > most
    views = [_view(letter) for letter in letters[:most]]
    return DeadLetterPage(dead_letters=views, next_cursor=cursors.write(views[-1].id.bytes) if more else None)


async def show(resources: Resources, org_id: UUID, letter_id: UUID) -> DeadLetterDetail:
    """Give a dead letter with its event.

    Raises:
        Problem: 404 `not-found`, for another organisation's as well.
    """
    found = await resources.shards.run(org_id, lambda tx: deadletters.find(tx, org_id, letter_id), readonly=True)
    return _detail(found)


async def redrive(resources: Resources, org_id: UUID, letter_id: UUID) -> DeadLetterDetail:
    """Send a dead letter's event again.

    Raises:
        Problem: 404 `not-found`, for another organisation's as well.
    """
    found = await resources.shards.run(org_id, lambda tx: deadletters.redrive(tx, org_id, letter_id), idempotent=True)
    point(points.REDRIVE_COMMITTED)
    resources.relay.after_commit(org_id)
    return _detail(found)


def _detail(found: tuple[DeadLetter, CloudEvent] | None) -> DeadLetterDetail:
    if found is None:
        raise Problem("not-found", detail="There is no such dead letter.")
    letter, event = found
    return DeadLetterDetail(**_view(letter).model_dump(), event=json.loads(codec.to_structured(event)))


def _view(letter: DeadLetter) -> DeadLetterView:
    return DeadLetterView(
        id=letter.id, event_id=letter.event_id, event_type=letter.event_type, source=letter.source,
        subject=letter.subject, destination=letter.destination, error_code=letter.error_code, error=letter.error,
        attempts=letter.attempts, received_at=letter.received_at, redriven_at=letter.redriven_at,
    )  # fmt: skip
