"""Connections that pools may open, over all instances, against what the servers allow.

    plan = Plan(servers, holders)
    plan.faults      # empty, or why a server could be exhausted
    plan.advice()    # what to set instead

Promises: pure arithmetic on the greatest scale of each deployment (`plan`), and one reader of the servers' own limits
(`limits`); a plan without faults means that no server refuses a connection because of HAL9, not even while two
revisions run side by side.
Does not: open pools (`shared.database` does), or change a setting.
"""

from __future__ import annotations

from shared.pools.plan import HEADROOM, Advice, Holder, Plan, Server, Use

__all__ = ["HEADROOM", "Advice", "Holder", "Plan", "Server", "Use"]
