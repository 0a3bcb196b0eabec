"""The tiers: for each meter the level at which a warning is given, and the one at which no more is taken."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from shared.quotas.meters import COST, METERS
from shared.settings import SettingsError, setting, settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.quotas.meters import Meter

DEFAULT_TIER: Final = "professional"
"""What a new organisation gets, and what stands for the names of earlier releases (`standard`)."""

_WARNED_PERCENT: Final = 80
_GIB: Final = 2**30
_DOLLAR: Final = 1_000_000

TIERS: Final[dict[str, dict[str, int]]] = {
    "free": {
        "runs": 200, "model_tokens": 1_000_000, "cost": 5 * _DOLLAR, "browser_minutes": 60, "storage": _GIB,
        "seats": 3, "events": 20_000,
    },
    "starter": {
        "runs": 5_000, "model_tokens": 10_000_000, "cost": 25 * _DOLLAR, "browser_minutes": 600,
        "storage": 20 * _GIB, "seats": 10, "events": 500_000,
    },
    "professional": {
        "runs": 200_000, "model_tokens": 100_000_000, "cost": 100 * _DOLLAR, "browser_minutes": 10_000,
        "storage": 500 * _GIB, "seats": 100, "events": 20_000_000,
    },
    "enterprise": {
        "runs": 10_000_000, "model_tokens": 10_000_000_000, "cost": 5_000 * _DOLLAR, "browser_minutes": 1_000_000,
        "storage": 20_480 * _GIB, "seats": 10_000, "events": 2_000_000_000,
    },
}  # fmt: skip
"""The hard limit of each meter, by tier, the smallest first; those that begin anew do so each month (UTC)."""

_WEIGHTS: Final = {"free": 1, "starter": 2, "professional": 4, "enterprise": 8}


@settings
class QuotaSettings:
    """What the tiers allow."""

    tiers: str = setting(
        "HAL9_TIERS",
        default="",
        doc='Hard limits in the place of the built-in ones, JSON: `{"free": {"runs": 500}}`; what is left out stays.',
    )
    organisation_cap: int | None = setting(
        "HAL9_ORGANISATION_CAP_MICRODOLLARS",
        default=None,
        doc="What any organisation may spend on models in a month, whatever its tier allows; in micro-dollars.",
        minimum=0,
    )


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a tier allows of one meter.

    Attributes:
        meter: The meter.
        tier: The tier.
        soft: From here on a warning is given: 80 % of the hard limit.
        hard: More than this is refused.
    """

    meter: Meter
    tier: str
    hard: int

    @property
    def soft(self) -> int:
        """The level of the warning."""
        return warned_from(self.hard)


def warned_from(hard: int) -> int:
    """Give the level from which a warning is given: 80 % of the hard limit, rounded up."""
    return -(-hard * _WARNED_PERCENT // 100)


class Tiers:
    """What each tier allows.

    Args:
        limits: In the place of the built-in hard limits, by tier and meter.
        cost_cap: No tier's limit of cost is above it.
    """

    def __init__(self, limits: Mapping[str, Mapping[str, int]] | None = None, cost_cap: int | None = None) -> None:
        self._limits = {tier: {**built_in, **(limits or {}).get(tier, {})} for tier, built_in in TIERS.items()}
        if cost_cap is not None:
            for allowed in self._limits.values():
                allowed[COST.name] = min(allowed[COST.name], cost_cap)

    @classmethod
    def of(cls, chosen: QuotaSettings) -> Self:
        """Read the tiers from the settings.

        Raises:
            SettingsError: HAL9_TIERS is not as it should be; names every fault.
        """
        limits: Any = {}
        if chosen.tiers:
            try:
                limits = json.loads(chosen.tiers)
            except ValueError as error:
                raise SettingsError([f"HAL9_TIERS: is no JSON ({error})"]) from None
        faults = list(_faults(limits))
        if faults:
            raise SettingsError([f"HAL9_TIERS: {fault}" for fault in faults])
        return cls(limits, chosen.organisation_cap)

    def allowance(self, tier: str, meter: Meter) -> Allowance:
        """Give what a tier allows of a meter."""
        known = known_tier(tier)
        return Allowance(meter, known, self._limits[known][meter.name])


def known_tier(tier: str) -> str:
    """Give the tier that a name of the directory stands for."""
    return tier if tier in TIERS else DEFAULT_TIER


def weight(tier: str) -> int:
    """Give a tier's share where organisations wait for the same thing (`shared.fairness`)."""
    return _WEIGHTS[known_tier(tier)]


def _faults(limits: Any) -> list[str]:
    if not isinstance(limits, dict):
        return ["is no object of tiers"]
    faults = []
    for tier, allowed in limits.items():
        if tier not in TIERS:
            faults.append(f"{tier} is no tier: there are {', '.join(TIERS)}")
        elif not isinstance(allowed, dict):
            faults.append(f"{tier} is no object of meters")
        else:
            faults += [f"{tier}.{meter}: there is no such meter" for meter in allowed if meter not in METERS]
            faults += [
                f"{tier}.{meter}: {value!r} is no whole number from 0 to 2^62"
                for meter, value in allowed.items()
                if meter in METERS and (type(value) is not int or not 0 <= value <= 2**62)
            ]
    return faults
