"""Quotas at the door: what the organisation's gate says, before PostgreSQL is asked.

The gate comes with the rate limits' round trip (`shared.quotas.gates`). It refuses early what would be refused anyway,
and warns in each answer. Does not: let anything through; whoever does the request asks PostgreSQL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from shared.quotas import EVENTS, METERS, RUNS, exceeded
from shared.quotas.gates import warning

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.requests import Request

    from shared.function import Operation
    from shared.quotas import Meter, Tiers
    from shared.quotas.gates import Standing

GATE_SCOPE: Final = "hal9.quota"
"""Where the door leaves what the organisation's gate says: standings (`shared.quotas.gates`)."""

_USES: Final[dict[tuple[str, str], Meter]] = {
    ("POST", "/v1/runs"): RUNS,
    ("POST", "/v1/runs/{run_id}/replay"): RUNS,
    ("POST", "/v1/projects"): RUNS,
    ("POST", "/v1/events"): EVENTS,
}
"""What each route uses one of at least. A route that is not here is only refused later."""


def refuse_closed(
    request: Request, operation: Operation, standings: Iterable[Standing], tiers: Tiers, tier: str
) -> None:
    """Refuse a request that the gate says is beyond a hard limit.

    One with an Idempotency-Key goes on: it may be the second time that what is there already is asked for.

    Raises:
        Problem: 402 `quota-exceeded`.
    """
    meter = _USES.get((operation.method, operation.path))
    if meter is None or "idempotency-key" in request.headers:
        return
    allowed = tiers.allowance(tier, meter)
    for standing in standings:
        if standing.meter == meter.name and standing.closed and standing.hard == allowed.hard:
            raise exceeded(allowed)


def warnings(standings: Iterable[Standing], tiers: Tiers, tier: str) -> dict[str, str]:
    """Give the header that warns; none when nothing does, or the gate was made for another tier."""
    # An organisation may have a budget of its own, so its cost is believed whatever the tier's limit is.
    text = warning(
        one for one in standings if one.meter == "cost" or one.hard == tiers.allowance(tier, METERS[one.meter]).hard
    )
    return {"Quota-Warning": text} if text else {}
