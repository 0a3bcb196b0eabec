"""The use cases of usage: show it, take what was used elsewhere, roll it up, and hold the cache's gates to it."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Final

from events import inbox
from shared.problems import Problem, register
from shared.quotas import COST, METERS
from shared.quotas import usage as uses
from shared.quotas.gates import Standing, next_month
from shared.quotas.tiers import Allowance
from shared.quotas.usage import Use
from shared.quotas.wire import MeterView, Usage, UsageHour
from shared.telemetry import counter, logger

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from events import CloudEvent
    from events.catalogue.upkeep import UsageRecorded
    from functions.upkeep.resources import Resources
    from shared.database import Transaction
    from shared.quotas.usage import Counted

register("month-invalid", 422, "That is no month", "Give a month as YYYY-MM, not later than the present one (UTC).")

_log = logger(__name__)
_rolled = counter("hal9_usage_rolled_up_total", "Uses that were added to their hours.")
_off = counter(
    "hal9_usage_off_total", "Counters that did not say what their uses add up to, and were set right.", ("meter",)
)
_failed = counter("hal9_usage_failed_total", "Organisations whose usage could not be rolled up this time.")

_AT_MOST: Final = 1000
_AT_ONCE: Final = 4
_KEPT_SECONDS: Final = 40 * 86_400.0
"""Uses are kept for longer than the month that they count in, so that the same one is known when it is told again."""
_FORGET_BATCH: Final = 5000


async def show(resources: Resources, org_id: UUID, month: str | None, hours: int) -> Usage:
    """Give what an organisation has used in a month, and what its tier allows.

    Args:
        resources: What the function opened.
        org_id: The organisation.
        month: `YYYY-MM`; the present one when None.
        hours: Of so many last hours what was used in each.

    Raises:
        Problem: 422 `month-invalid`.
    """
    first = None if month is None else _first_day(month, resources.clock.now())

    async def read(tx: Transaction) -> tuple[date, dict[str, Counted], list[UsageHour]]:
        begun, counted = await uses.counted(tx, org_id, first)
        found = await uses.hours(tx, org_id, hours) if hours else ()
        return begun, counted, [UsageHour(**hour._asdict()) for hour in found]

    begun, counted, each = await resources.shards.run(org_id, read, readonly=True)
    allowances = await _allowances(resources, org_id, counted)
    start = datetime.combine(begun, time(), UTC)
    end = next_month(start)
    meters = [
        MeterView(
            meter=name, unit=METERS[name].unit, used=counted[name].used, reserved=counted[name].reserved,
            soft=allowed.soft, hard=allowed.hard, state=_state(Standing(name, counted[name].used, allowed.hard)),
            metered=METERS[name].metered, begins_anew_at=end if METERS[name].monthly else None,
        )
        for name, allowed in allowances.items()
    ]  # fmt: skip
    tier = next(iter(allowances.values())).tier
    return Usage(organisation=org_id, tier=tier, month=begun.strftime("%Y-%m"), meters=meters, hours=each)


def _first_day(month: str, now: datetime) -> date:
    try:
        first = datetime.strptime(month, "%Y-%m").date()  # noqa: DTZ007 - a month of UTC, without a time
    except ValueError:
        raise Problem("month-invalid", detail=f"{month!r} is no month: give YYYY-MM.") from None
    # The next month is taken as well: the shard's clock says which one it is, and may be ahead of this one.
    if first > next_month(now).date():
        raise Problem("month-invalid", detail=f"{month} is not begun yet.")
    return first


async def _allowances(resources: Resources, org_id: UUID, counted: Mapping[str, Counted]) -> dict[str, Allowance]:
    """Give the limits of each meter; an organisation's own budget goes before its tier's limit of cost."""
    tier = (await resources.shards.locate(org_id)).tier
    allowances = {name: resources.tiers.allowance(tier, meter) for name, meter in METERS.items()}
    own = counted[COST.name].cap
    if own is not None:
        allowances[COST.name] = Allowance(COST, allowances[COST.name].tier, own)
    return allowances


def _state(standing: Standing) -> str:
    if standing.closed:
        return "reached"
    return "warned" if standing.warned else "within"


async def record(resources: Resources, event: CloudEvent, data: UsageRecorded) -> None:
    """Count what was used elsewhere, once, however often the event comes."""
    org_id = inbox.organisation_of(event)
    allowed = resources.tiers.allowance((await resources.shards.locate(org_id)).tier, METERS[data.meter])
    use = Use(resources.source, event.source, event.id, data.amount)
    await resources.shards.run(org_id, lambda tx: uses.record(tx, org_id, use, allowed), idempotent=True)


async def roll_up(resources: Resources) -> Counter[str]:
    """Roll up what every organisation has used since, set counters right, and write the cache's gates anew.

    A shard, or an organisation, that does not answer does not keep the others from it.

    Returns:
        How often each was done: `organisations`, `uses`, `off`, `failed`.

    Raises:
        Problem: A shard does not answer; the rest was done.
    """
    done: Counter[str] = Counter()
    found = await asyncio.gather(
        *(_roll_up_shard(resources, number, done) for number in range(len(resources.shards))),
        return_exceptions=True,
    )
    for fault in found:
        if isinstance(fault, BaseException):
            raise fault
    return done


async def _roll_up_shard(resources: Resources, shard: int, done: Counter[str]) -> None:
    async with resources.shards.database(shard).connection() as connection:
        rows = await connection.fetch("SELECT usage_unrolled($1) AS org_id", _AT_MOST)
        await connection.fetchval("SELECT usage_forget(make_interval(secs => $1), $2)", _KEPT_SECONDS, _FORGET_BATCH)
    # What an organisation that has moved left behind is none of ours.
    here = [row["org_id"] for row in rows if (await resources.shards.locate(row["org_id"])).shard == shard]
    turn = asyncio.Semaphore(_AT_ONCE)

    async def one(org_id: UUID) -> None:
        async with turn:
            try:
                await _roll_up_one(resources, org_id, done)
            except Exception as error:  # noqa: BLE001 - one organisation's trouble must not keep the others from it
                _log.warning("usage not rolled up", error=type(error).__name__, org_id=str(org_id))
                done["failed"] += 1
                _failed.add()

    await asyncio.gather(*(one(org_id) for org_id in here))


async def _roll_up_one(resources: Resources, org_id: UUID, done: Counter[str]) -> None:
    async def work(tx: Transaction) -> tuple[int, dict[str, int], dict[str, Counted]]:
        return await uses.roll_up(tx, org_id), await uses.reconcile(tx, org_id), (await uses.counted(tx, org_id))[1]

    rolled, off, counted = await resources.shards.run(org_id, work)
    done["organisations"] += 1
    done["uses"] += rolled
    done["off"] += len(off)
    _rolled.add(by=rolled)
    for meter, by in off.items():
        _off.add(meter)
        _log.error("a counter was off and is set right", meter=meter, by=by, org_id=str(org_id))
    allowances = await _allowances(resources, org_id, counted)
    standings = [Standing(name, counted[name].used, allowed.hard) for name, allowed in allowances.items()]
    await resources.gates.write(org_id, standings)
