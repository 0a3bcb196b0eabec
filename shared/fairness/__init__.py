"""Whose turn it is where many wait for the same thing: start-time fair queueing.

    shares = FairShares()
    flow = shares.next(waiting)      # of those that wait now: who has had the least for its weight
    shares.charge(flow, weight)      # it is served

Promises: of flows that always wait, each is served in proportion to its weight, wherever they begin; one that comes
anew, or after a pause, is served within a turn or so, and has saved up nothing by waiting for nothing. Memory is
bounded. Does not: keep a queue; who waits is told at each turn.
Source: P. Goyal, H. Vin, H. Cheng, "Start-time fair queueing", IEEE/ACM Transactions on Networking 5(5), 1997.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

FlowT = TypeVar("FlowT", bound="Hashable")


class FairShares(Generic[FlowT]):
    """How much each flow has had.

    Args:
        remembered: How many flows are kept at most; the one served longest ago is forgotten first.
    """

    def __init__(self, remembered: int = 10_000) -> None:
        self._most = remembered
        self._now = 0.0
        self._finish: OrderedDict[FlowT, float] = OrderedDict()

    def next(self, waiting: Iterable[FlowT]) -> FlowT:
        """Give the flow whose turn it is; of equals the one that is named first.

        Raises:
            ValueError: Nobody waits.
        """
        return min(waiting, key=self._start)

    def charge(self, flow: FlowT, weight: float, cost: float = 1.0) -> None:
        """Note that a flow was served.

        Args:
            flow: Whose turn it was.
            weight: Its share, against those of the others.
            cost: How much it took.
        """
        start = self._start(flow)
        self._now = max(self._now, start)
        self._finish[flow] = start + cost / weight
        self._finish.move_to_end(flow)
        if len(self._finish) > self._most:
            self._finish.popitem(last=False)

    def give_back(self, flow: FlowT, weight: float, cost: float = 1.0) -> None:
        """Take a charge back: it was the flow's turn, and nothing came of it."""
        if flow in self._finish:
            self._finish[flow] -= cost / weight

    def _start(self, flow: FlowT) -> float:
        return max(self._now, self._finish.get(flow, 0.0))
