"""Gates: what PostgreSQL said last of an organisation's quotas, in the cache, for whoever stands at the door.

One value for an organisation, read in the same round trip as its rate limits. Promises: a gate is believed only for the
limit that it was made for, so that a tier that was raised opens it at once; it is forgotten after a quarter of an hour,
and with its month. Does not: decide anything that PostgreSQL would decide otherwise for longer than that.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from shared.cache import CacheError, CacheUnavailableError
from shared.quotas.meters import METERS
from shared.quotas.tiers import warned_from
from shared.telemetry import counter, logger

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from shared.cache import Cache
    from shared.clock import Clock

GATE_SECONDS: Final = 900.0
"""For how long a gate is believed at most; while an organisation uses anything, upkeep writes it anew each time."""

_log = logger(__name__)
_written = counter("hal9_quota_gates_total", "Gates written to the cache, by what became of it.", ("outcome",))


class Standing(NamedTuple):
    """How far an organisation is with one meter."""

    meter: str
    used: int
    hard: int

    @property
    def warned(self) -> bool:
        """Whether the level of the warning is reached."""
        return self.used >= warned_from(self.hard)

    @property
    def closed(self) -> bool:
        """Whether nothing more is taken."""
        return self.used >= self.hard


def gate(org_id: UUID) -> str:
    """Give the cache's key of an organisation's gate."""
    return f"hal9:{{{org_id}}}:quota"


def read(value: bytes | None) -> tuple[Standing, ...]:
    """Read a gate; what is not one, such as another release's, says nothing."""
    if value is None:
        return ()
    try:
        return tuple(
            Standing(str(name), int(used), int(hard)) for name, used, hard in json.loads(value) if name in METERS
        )
    except (ValueError, TypeError):
        return ()


def warning(standings: Iterable[Standing]) -> str:
    """Give the header `Quota-Warning`: a List of Structured Fields (RFC 9651), one item for each meter that warns."""
    return ", ".join(f'"{one.meter}";used={one.used};limit={one.hard}' for one in standings if one.warned)


class Gates:
    """Writes gates.

    Args:
        cache: Where they are.
        clock: Says how long the month lasts.
    """

    def __init__(self, cache: Cache, clock: Clock) -> None:
        self._cache = cache
        self._clock = clock

    async def write(self, org_id: UUID, standings: Iterable[Standing]) -> bool:
        """Say how far an organisation is; meters that do not warn are left out. False when the cache did not take it.

        Never raises on account of the cache.
        """
        kept = [list(one) for one in standings if one.warned]
        command: tuple[str | int, ...] = ("DEL", gate(org_id))
        if kept:
            command = ("SET", gate(org_id), json.dumps(kept, separators=(",", ":")), "PX", self._milliseconds())
        try:
            await self._cache.execute(*command)
        except (CacheUnavailableError, CacheError) as error:
            _written.add("failed")
            _log.warning("a quota's gate was not written", error=str(error))
            return False
        _written.add("written" if kept else "opened")
        return True

    def _milliseconds(self) -> int:
        now = self._clock.now().astimezone(UTC)
        return max(1, round(1000 * min(GATE_SECONDS, (next_month(now) - now).total_seconds())))


def next_month(moment: datetime) -> datetime:
    """Give the beginning of the month after (UTC)."""
    first = moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (first + timedelta(days=32)).replace(day=1)
