"""The named points of sweeps and of the dead-letter sink at which a test kills the process."""

from __future__ import annotations

from typing import Final

from shared.chaos import register

SWEEP_FOUND: Final = register(
    "sweep.found", "A sweep knows what is overdue and has done nothing about it: the next sweep finds the same."
)
SWEEP_EXPIRED: Final = register(
    "sweep.expired.committed",
    "A step was given a new epoch, its request is not published: the next sweep publishes it.",
)
LETTER_BEFORE: Final = register(
    "deadletter.before_commit", "A dead letter has arrived, nothing is written: it is delivered to the sink again."
)
LETTER_COMMITTED: Final = register(
    "deadletter.committed", "A dead letter is kept and its step's failure in the outbox: the sweep publishes it."
)
REDRIVE_COMMITTED: Final = register(
    "deadletter.redrive.committed", "A dead letter is in the outbox again, nobody was answered: the sweep publishes it."
)
