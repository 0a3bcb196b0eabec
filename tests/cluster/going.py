"""Work that goes on, so that whatever a test does to a deployment happens in the middle of some."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Generic, TypeVar

from tests.processes.tally_runs import assert_each_effect_once, finished

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from shared.client import Client
    from shared.neurons.wire import Run
    from tests.cluster.deployed import DeployedPlatform

T = TypeVar("T")
SECONDS = 900.0
"""How long one piece of work, or what is waited for meanwhile, may take."""

PAUSE = 1.0
"""Seconds between two questions whether it is done: asked often by many, they take the processors that it needs."""


class Going(Generic[T]):
    """Pieces of work that follow one another, so many at a time, until they are enough.

    Args:
        deployed: where.
        client: whose connections it uses.
        pool: its threads.
        at_once: how many at a time.
        piece: does one.
    """

    def __init__(
        self,
        deployed: DeployedPlatform,
        client: Client,
        pool: ThreadPoolExecutor,
        at_once: int,
        piece: Callable[[Client], T],
    ) -> None:
        self.client = client
        self._deployed = deployed
        self._piece = piece
        self._enough = threading.Event()
        self._done: list[T] = []
        self._threads = [pool.submit(self._go_on) for _ in range(at_once)]

    def _go_on(self) -> None:
        while not self._enough.is_set():
            self._done.append(self._piece(self.client))

    def some_more(self) -> None:
        """Wait until as many have ended as go on at once: the work is in full swing, or again."""
        wanted = len(self._done) + len(self._threads)
        self._deployed.until("work that ends", lambda: len(self._done) >= wanted or self._broken(), SECONDS)

    def _broken(self) -> bool:
        return any(thread.done() for thread in self._threads)

    def stop(self) -> None:
        """Start no more of them."""
        self._enough.set()

    def ended(self) -> list[T]:
        """Start no more, wait for the ends, and give what came of each."""
        self.stop()
        with self._deployed.explained():
            for thread in self._threads:
                thread.result()
        return self._done


@contextmanager
def going_on(deployed: DeployedPlatform, at_once: int, piece: Callable[[Client], T]) -> Iterator[Going[T]]:
    """Have work going on while the body runs; no more is begun when it ends."""
    with deployed.client(tries=10) as client, ThreadPoolExecutor(at_once) as pool:
        made = Going(deployed, client, pool, at_once, piece)
        try:
            yield made
        finally:
            made.stop()


@contextmanager
def runs_going_on(deployed: DeployedPlatform, at_once: int, lines: Sequence[str]) -> Iterator[Going[Run]]:
    """Have runs of `tally` going on; when the body ends, each of them has ended once, with each effect once."""
    with going_on(deployed, at_once, lambda client: finished(client, lines, SECONDS, PAUSE)) as made:
        made.some_more()
        yield made
        ended = made.ended()
        with deployed.explained():
            assert_each_effect_once(made.client, ended, lines)
