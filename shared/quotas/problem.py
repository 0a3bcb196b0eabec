"""The refusal at a hard limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.problems import Problem, register
from shared.telemetry import counter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.quotas.tiers import Allowance

_refused = counter("hal9_quota_refusals_total", "Requests refused at a hard limit, by meter.", ("meter",))

register(
    "quota-exceeded",
    402,
    "The organisation has used what its tier allows",
    "Wait until the meter begins anew (`GET /v1/usage` says when), or ask the platform's operator for a higher tier.",
)


def exceeded(allowance: Allowance) -> Problem:
    """Give the problem of a request beyond a hard limit.

    402 and not 429: waiting for seconds does not help, and no client sends it again by itself; not 403 either, which
    means that whoever asks lacks a permission.
    """
    meter = allowance.meter
    _refused.add(meter.name)
    renewed = " in this month" if meter.monthly else ""
    detail = (
        f"The tier {allowance.tier} allows {allowance.hard} of the meter {meter.name}{renewed}, and this would be "
        f"more: see `GET /v1/usage`."
    )
    members: dict[str, Any] = {"meter": meter.name, "tier": allowance.tier, "limit": allowance.hard}
    return Problem("quota-exceeded", detail=detail, **members, **violating([meter.name]))


def violating(policies: Sequence[str]) -> dict[str, Any]:
    """Give the member of a problem that names the limits.

    Its name is that of the problem type "Quota Exceeded" in draft-ietf-httpapi-ratelimit-headers-10.
    """
    return {"violated-policies": list(policies)}
