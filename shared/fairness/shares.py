"""How much each flow has had, and who is next."""

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
