"""One cached look-up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeVar

from shared import deadlines
from shared.caching.memory import Entry, Memory
from shared.caching.remote import Found, Listening
from shared.clock import SystemClock
from shared.flights import Flights
from shared.telemetry import counter

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from shared.caching.memory import Key
    from shared.caching.remote import Remote
    from shared.clock import Clock

T = TypeVar("T")
MOST_VERSION: Final = 2**53 - 1
"""What a script can compare exactly."""

LOAD_SECONDS: Final = 10.0
"""What whoever knows may take; a caller waits for no longer than its own deadline."""

_requests = counter(
    "hal9_caching_requests_total",
    "Look-ups by cache and by who answered: memory, stale, shared, source.",
    ("cache", "by"),
)
_invalidations = counter(
    "hal9_caching_invalidations_total", "Invalidations that this process heard, by cache.", ("cache",)
)


class Loaded(NamedTuple, Generic[T]):
    """What whoever knows says.

    Attributes:
        version: Of the value; rises with each change. 0 for what was never there.
        value: The value, immutable; None for what is not there.
    """

    version: int
    value: T | None


class Coding(NamedTuple, Generic[T]):
    """How a value becomes bytes and comes back; `decode` raises ValueError for what is none."""

    encode: Callable[[T], bytes]
    decode: Callable[[bytes], T]


class _LookUp:
    """What is noted of a look-up under way.

    Attributes:
        at_least: An older version in the region's cache is not believed.
        floor: The highest version that was invalidated meanwhile.
        kept: Whether the answer may be kept.
    """

    __slots__ = ("at_least", "floor", "kept")

    def __init__(self, at_least: int, *, kept: bool) -> None:
        self.at_least = at_least
        self.floor = 0
        self.kept = kept


class Cached(Listening, Generic[T]):
    """A look-up by organisation and key, cached.

    Args:
        name: The cache's, the same in every process; part of the key.
        load: Asks whoever knows.
        coding: How a value travels.
        memory: Keeps values in this process.
        remote: The region's cache; None for none.
        seconds: How long a value is fresh.
        stale_seconds: How long after that it may be served while it is looked up again.
        negative_seconds: How long it is believed that something is not there.
        while_deaf: Serve from memory while invalidations cannot be heard: only for values that are checked where they
            are used, such as placements.
        clock: Tells the time.
    """

    def __init__(
        self,
        name: str,
        load: Callable[[UUID, str], Awaitable[Loaded[T]]],
        coding: Coding[T],
        *,
        memory: Memory,
        remote: Remote | None = None,
        seconds: float = 60.0,
        stale_seconds: float = 0.0,
        negative_seconds: float = 5.0,
        while_deaf: bool = False,
        clock: Clock | None = None,
    ) -> None:
        self._name = name
        self._load = load
        self._coding = coding
        self._memory = memory
        self._remote = remote
        self._seconds = seconds
        self._stale = stale_seconds
        self._negative = negative_seconds
        self._while_deaf = while_deaf or remote is None
        self._clock = clock or SystemClock()
        self._flights: Flights[Key, _LookUp, Loaded[T]] = Flights()
        if remote is not None:
            remote.hearing.listeners.append(self)

    async def get(self, org_id: UUID, key: str = "", *, at_least: int = 0) -> T | None:
        """Give a value; None for what is not there.

        Args:
            org_id: The organisation.
            key: What of it.
            at_least: Believe no level that has an older version: ask whoever knows.

        Raises:
            Exception: What `load` raises.
            Problem: 504 `deadline-exceeded`.
        """
        place = (self._name, org_id, key)
        entry = self._memory.get(place) if self._hears else None
        if entry is not None and entry.version >= at_least:
            now = self._clock.monotonic()
            if now < entry.fresh_until:
                _requests.add(self._name, "memory")
                return self._value(entry.value)
            if now < entry.stale_until:
                _requests.add(self._name, "stale")
                self._flight(place, at_least)
                return self._value(entry.value)
        return (await deadlines.awaited(self._flight(place, at_least))).value

    async def invalidate(self, org_id: UUID, key: str, version: int) -> bool:
        """Make void what is older than a version, in every process; after the commit that made it.

        Returns:
            whether the cache took it. If not, it is told again as soon as it can be heard: until then it may give what
            is older to processes that reach it, when this one does not.

        Raises:
            ValueError: The version is negative, or more than 2^53 - 1.
        """
        if not 0 <= version <= MOST_VERSION:
            raise ValueError(f"a version is 0 to 2^53 - 1, not {version}")
        place = (self._name, org_id, key)
        self.invalidated(place, version)
        if self._remote is None:
            return True
        return await self._remote.invalidate(place, version, self._milliseconds)

    def invalidated(self, key: Key, version: int) -> None:
        """What is older than this version is void; also what is being looked up."""
        if key[0] != self._name:
            return
        _invalidations.add(self._name)
        self._memory.drop(key, version)
        for under_way in self._flights.of(key):
            under_way.floor = max(under_way.floor, version)

    def deaf(self) -> None:
        """Invalidations were missed: what is here, and what is being looked up, may be void."""
        if self._while_deaf:
            return
        self._memory.drop_all(self._name)
        for _, under_way in self._flights.notes():
            under_way.kept = False

    @property
    def _hears(self) -> bool:
        return self._while_deaf or (self._remote is not None and self._remote.hears)

    @property
    def _milliseconds(self) -> int:
        return round(1000 * (self._seconds + self._stale))

    @staticmethod
    def _value(value: Any) -> T | None:
        found: T | None = value
        return found

    def _flight(self, place: Key, at_least: int) -> asyncio.Task[Loaded[T]]:
        """The look-up that is under way, or a new one."""
        return self._flights.join(
            place,
            lambda: _LookUp(at_least, kept=self._hears),
            lambda under_way: self._look_up(place, under_way),
            lambda under_way: under_way.at_least >= at_least and under_way.floor == 0,
        )

    async def _look_up(self, place: Key, under_way: _LookUp) -> Loaded[T]:
        """Ask the region's cache, then whoever knows; keep the answer where nothing newer is known."""
        loaded = await self._shared(place)
        if loaded is not None and loaded.version >= max(under_way.at_least, under_way.floor):
            _requests.add(self._name, "shared")
        else:
            _requests.add(self._name, "source")
            with deadlines.deadline(LOAD_SECONDS):
                loaded = await self._load(place[1], place[2])
                if loaded.version < under_way.floor:
                    # Invalidated meanwhile: the answer is from before the change, which is there to be seen now.
                    loaded = await self._load(place[1], place[2])
            milliseconds = self._milliseconds_of(loaded)
            if self._remote is not None and under_way.kept and milliseconds and loaded.version >= under_way.floor:
                await self._remote.put(place, self._encoded(loaded), milliseconds)
        if under_way.kept and loaded.version >= under_way.floor:
            self._keep(place, loaded)
        return loaded

    async def _shared(self, place: Key) -> Loaded[T] | None:
        found = None if self._remote is None else await self._remote.get(place)
        if found is None:
            return None
        try:
            return Loaded(found.version, None if found.value is None else self._coding.decode(found.value))
        except ValueError:
            return None  # another release's form: whoever knows is asked

    def _encoded(self, loaded: Loaded[T]) -> Found:
        return Found(loaded.version, None if loaded.value is None else self._coding.encode(loaded.value))

    def _milliseconds_of(self, loaded: Loaded[T]) -> int:
        return round(1000 * self._negative) if loaded.value is None else self._milliseconds

    def _keep(self, place: Key, loaded: Loaded[T]) -> None:
        now = self._clock.monotonic()
        if loaded.value is None:
            fresh_until = stale_until = now + self._negative
            size = 0
        else:
            fresh_until = now + self._seconds
            stale_until = fresh_until + self._stale
            size = len(self._coding.encode(loaded.value))
        self._memory.put(place, Entry(loaded.version, loaded.value, fresh_until, stale_until, size))
