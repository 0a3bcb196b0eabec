"""Reorganisation: an organisation is split in two, or becomes part of another; for the platform's operator.

    done = await Reorganiser(directory, shards, tiers, [Projects(…)]).split(org_id, "acme-labs", project_ids)
    done = await Reorganiser(…).merge(from_id, org_id)

What changes hands are *things*, of one `Kind` each (projects are the first one): each in one transaction over both
organisations (`shared.transactions`), so that it has exactly one owner at every moment, and nobody else sees it. The
whole is a row of such transactions: whoever was killed gives the same command again, and it goes on.
Promises: all that stands in the way is named before anything is changed, and then nothing is; a thing that cannot go
when its turn comes stays where it is, is named, and keeps no other from going. An organisation that is merged lets
nobody in from the first step on, and stays in the directory, closed: its name is not given again.
Does not: rewrite history. Runs, their costs and what was used in a month stay with who paid for them, as records that
the operator has; nor cross regions: data that may be in one only would leave it.
"""

from __future__ import annotations

from shared.reorganisation.kinds import Kind, Thing
from shared.reorganisation.plan import Plan
from shared.reorganisation.reorganiser import Reorganiser

__all__ = ["Kind", "Plan", "Reorganiser", "Thing"]
