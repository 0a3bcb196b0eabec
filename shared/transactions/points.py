"""The named points of a transaction over several organisations at which a test kills somebody."""

from __future__ import annotations

from typing import Final

from shared.chaos import register

BEGUN: Final = register("dtx.begun", "Every branch is open, no work is done: nothing is there after.")
WORKED: Final = register("dtx.worked", "All work is done, nothing is prepared: nothing is there after.")
PREPARED_ONE: Final = register("dtx.prepared.one", "A branch is prepared, others may not be: recovery rolls it back.")
PREPARED: Final = register("dtx.prepared", "All branches are prepared, nothing is decided: recovery rolls them back.")
WRITTEN: Final = register(
    "dtx.decision.written", "The decision is written, not committed: recovery rolls the branches back."
)
DECIDED: Final = register("dtx.decided", "The home has committed, no branch has: recovery commits them.")
COMMITTED_ONE: Final = register("dtx.committed.one", "A branch is committed, others may not be: recovery commits them.")
COMMITTED: Final = register(
    "dtx.committed", "All branches are committed, nobody was answered: the decision stays until it is old."
)
RECOVERED_ONE: Final = register(
    "dtx.recovered.one", "Recovery has finished one branch of those it found: the next one finishes the others."
)
