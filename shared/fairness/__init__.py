"""Whose turn it is where many wait for the same thing: start-time fair queueing.

    shares = FairShares()
    flow = shares.next(waiting)      # of those that wait now: who has had the least for its weight
    shares.charge(flow, weight)      # it is served

    places = Places(4)
    async with places.place(flow, weight):      # at most four at once; of those that wait, in fair turns
        ...

Promises: of flows that always wait, each is served in proportion to its weight, wherever they begin; one that comes
anew, or after a pause, is served within a turn or so, and has saved up nothing by waiting for nothing. Memory is
bounded. Does not: reach beyond this process, or interrupt what has begun.
Source: P. Goyal, H. Vin, H. Cheng, "Start-time fair queueing", IEEE/ACM Transactions on Networking 5(5), 1997.
"""

from __future__ import annotations

from shared.fairness.places import Places
from shared.fairness.shares import FairShares

__all__ = ["FairShares", "Places"]
