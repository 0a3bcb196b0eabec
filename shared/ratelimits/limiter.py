"""Limits that all instances share, through the cache."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from shared.cache import CacheError, CacheUnavailableError, Script
from shared.caching import Breaker
from shared.ratelimits.limit import MICROSECONDS, Limit, State, Verdict
from shared.ratelimits.local import LocalLimiter
from shared.telemetry import counter, logger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.cache import Cache
    from shared.clock import Clock

LOOK_AGAIN_SECONDS: Final = 1.0
"""For how long the cache is left alone after it did not answer; then one request waits for it, and no other one."""

_log = logger(__name__)
_GCRA: Final = Script((Path(__file__).parent / "gcra.lua").read_text(encoding="utf-8"))
_alone = counter("hal9_ratelimit_local_decisions_total", "Requests limited by one process alone, without the cache.")


class Limiter:
    """Charges requests to several limits at once.

    Args:
        cache: Holds the state; its time-out is what a request waits at most.
        clock: Gives the time; None takes the cache's own, one clock for all instances.
        fallback: Decides while the cache is away.
    """

    def __init__(self, cache: Cache, clock: Clock | None = None, fallback: LocalLimiter | None = None) -> None:
        self._cache = cache
        self._clock = clock
        self._fallback = fallback or LocalLimiter(clock)
        self._breaker = Breaker(failures=1, open_seconds=LOOK_AGAIN_SECONDS, clock=clock)

    async def take(self, asked: Sequence[tuple[Limit, str]], look_up: Sequence[str] = ()) -> Verdict:
        """Charge one request to each (limit, key), or to none. Never raises on account of the cache.

        Args:
            asked: Limits with the keys that they are counted by; one call's keys share a hash tag such as `{org}`.
            look_up: Keys whose values the verdict is to hold: they are read on the way, in the same round trip.
        """
        if self._breaker.allows():
            try:
                verdict = await self._ask(asked, look_up)
            except (CacheUnavailableError, CacheError) as error:
                self._breaker.failed()
                _log.warning("the cache did not answer: this process limits alone", error=str(error))
            else:
                self._breaker.succeeded()
                return verdict
        _alone.add()
        return replace(self._fallback.take(asked), found=(None,) * len(look_up))

    async def _ask(self, asked: Sequence[tuple[Limit, str]], look_up: Sequence[str]) -> Verdict:
        arguments: list[str | int] = ["" if self._clock is None else self._now(self._clock)]
        for limit, _ in asked:
            arguments += [limit.interval, limit.burst]
        reply = await self._cache.run(_GCRA, [*(key for _, key in asked), *look_up], arguments)
        numbers = 1 + 3 * len(asked)
        if not isinstance(reply, list) or len(reply) != numbers + len(look_up):
            raise CacheError("the script's answer is not what it should be")
        allowed, *states = (int(number) for number in reply[:numbers])  # type: ignore[arg-type]
        each = [(limit, State(*states[3 * index : 3 * index + 3])) for index, (limit, _) in enumerate(asked)]
        found = tuple(value if isinstance(value, bytes) else None for value in reply[numbers:])
        return Verdict(bool(allowed), each, found=found)

    @staticmethod
    def _now(clock: Clock) -> int:
        return round(clock.now().timestamp() * MICROSECONDS)
