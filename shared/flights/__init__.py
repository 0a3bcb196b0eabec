"""One piece of work for all who want the same at the same time (single flight).

    flights: Flights[str, Note, bytes] = Flights()
    task = flights.join(key, Note, fetch, lambda note: not note.void)
    value = await deadlines.awaited(task)

Promises: whoever comes while work is under way joins it, unless what is noted of it says that it does not serve; it
runs in a context of its own, so that the deadline of whoever came first is not the others', and goes on however many of
them leave. Does not: keep what came out, nor try again.
"""

from __future__ import annotations

import asyncio
from contextvars import Context
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

K = TypeVar("K")
N = TypeVar("N")
T = TypeVar("T")


class Flights(Generic[K, N, T]):
    """What is under way, by key; of one key there is more than one only while older ones do not serve."""

    def __init__(self) -> None:
        self._under_way: dict[K, list[tuple[N, asyncio.Task[T]]]] = {}

    def __len__(self) -> int:
        """How many keys work is under way for."""
        return len(self._under_way)

    def join(
        self,
        key: K,
        note: Callable[[], N],
        work: Callable[[N], Coroutine[Any, Any, T]],
        serves: Callable[[N], bool],
    ) -> asyncio.Task[T]:
        """Give the work under way for a key, or begin it.

        Args:
            key: What is wanted.
            note: Makes what is noted of new work; it may change while that is under way.
            work: Does it.
            serves: Whether the newest work under way is good for whoever comes now.
        """
        flights = self._under_way.setdefault(key, [])
        if flights and serves(flights[-1][0]):
            return flights[-1][1]
        noted = note()
        task = asyncio.get_running_loop().create_task(work(noted), context=Context())
        flight = (noted, task)
        flights.append(flight)
        task.add_done_callback(lambda _: self._over(key, flight))
        return task

    def of(self, key: K) -> list[N]:
        """Give what is noted of the work under way for a key."""
        return [noted for noted, _ in self._under_way.get(key, ())]

    def notes(self) -> Iterator[tuple[K, N]]:
        """Give what is noted of all work under way."""
        for key, flights in self._under_way.items():
            for noted, _ in flights:
                yield key, noted

    def _over(self, key: K, flight: tuple[N, asyncio.Task[T]]) -> None:
        flights = self._under_way[key]
        flights.remove(flight)
        if not flights:
            del self._under_way[key]
        if not flight[1].cancelled():
            flight[1].exception()  # whoever waits is told; work that nobody waits for any more fails in silence
