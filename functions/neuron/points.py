"""The named points of a step's life at which a test kills the process."""

from __future__ import annotations

from typing import Final

from shared.chaos import register

START_BEFORE: Final = register(
    "run.start.before_commit", "A run is asked for, nothing is written: the request is sent or delivered again."
)
START_COMMITTED: Final = register(
    "run.start.committed",
    "The run and its first request are committed, nobody has been answered: asking again finds it.",
)
CLAIM_BEFORE: Final = register(
    "step.claim.before_commit", "A step's request has arrived, nothing is written: it is delivered again."
)
CLAIM_COMMITTED: Final = register(
    "step.claim.committed", "The step is leased to a process that is dead: the sweep takes it back with a new epoch."
)
RESERVED: Final = register(
    "step.call.reserved", "Money is held for a call that never was made: it counts as spent, the step runs again."
)
CALLED: Final = register(
    "step.call.answered",
    "A paid call was answered, its answer is lost: its cost counts in full, the call is made again.",
)
SETTLED: Final = register("step.call.settled", "A paid call is journalled: when the step runs again it costs nothing.")
WORKED: Final = register(
    "step.work.done",
    "The work is done, its result only in memory: unclaimed, it is delivered again; claimed, it runs with a new epoch.",
)
COMPLETION_BEFORE: Final = register(
    "step.completion.before_commit", "The completion is about to be written: the step is done again, as after its work."
)
COMPLETION_COMMITTED: Final = register(
    "step.completion.committed",
    "Inbox, step, fan-in and outbox are committed, nothing is published: the relay's sweep publishes.",
)
REWIND_PLANNED: Final = register(
    "step.backward.planned", "Backward signals were weighed inside the transaction: it rolls back, the step runs again."
)
ANSWER_BEFORE: Final = register(
    "step.answer.before_commit", "A delegated step's answer has arrived, nothing is written: it is delivered again."
)
ANSWER_COMMITTED: Final = register(
    "step.answer.committed", "A delegated step's answer is committed: the answer delivered again is dropped."
)
UNDELIVERED_BEFORE: Final = register(
    "step.undelivered.before_commit", "A step's request became a dead letter, the step does not know: delivered again."
)
UNDELIVERED_COMMITTED: Final = register(
    "step.undelivered.committed", "The step failed because its request became a dead letter: again, it is dropped."
)
CANCEL_BEFORE: Final = register(
    "run.cancel.before_commit", "A cancellation was asked for, nothing is written: the run goes on until asked again."
)
CANCEL_COMMITTED: Final = register(
    "run.cancel.committed", "The run is cancelled, nobody has been answered: asking again says so."
)
