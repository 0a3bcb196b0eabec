"""Paid calls: the journal that makes a replay free, and the budget that no concurrency can break.

An engine makes every call that costs something through a `Ledger`. The runtime's ledger looks the call up in the
journal first, reserves the most that it can cost against the caps of the run and of the organisation, makes it outside
any transaction, then journals the reply and settles the cost in one transaction. Money is integer micro-dollars
everywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class BudgetExhausted(Exception):  # noqa: N818 - a limit that holds, not a fault of the program
    """The most that the call can cost does not fit under a cap; nothing was spent.

    Args:
        cap: `run` or `organisation`: its money; `tokens`: what the organisation's tier allows in a month.
    """

    def __init__(self, cap: str) -> None:
        tokens = "the organisation's model tokens of this month do not hold another call"
        super().__init__(tokens if cap == "tokens" else f"the {cap}'s budget does not hold another call")


class Unbilled(Exception):  # noqa: N818 - says what became of the money
    """Raised by `make` when the provider certainly did not bill the call (refused connection, 429, 4xx).

    The reservation is given back. Any other exception leaves the call in doubt, and an unknown cost is counted in full:
    a hard cap must not rest on hope.
    """


class Reply(msgspec.Struct, frozen=True):
    """What a paid call answered.

    Attributes:
        text: The answer, as the provider gave it.
        cost_microdollars: What it cost; 0 when it came out of the journal.
        model: Who answered, for example `bedrock/anthropic.claude…`.
        journalled: True when it came out of the journal.
        tokens: Of the question and the answer; None when the provider did not count them.
    """

    text: str
    cost_microdollars: int
    model: str
    journalled: bool = False
    tokens: int | None = None


class Ledger(Protocol):
    """The one way for an engine to make a call that costs something."""

    async def call(
        self, request: str, most_microdollars: int, make: Callable[[], Awaitable[Reply]], most_tokens: int = 0
    ) -> Reply:
        """Make a call once in the life of this revision of the step.

        Args:
            request: Everything that decides the answer (model, parameters, whole prompt), serialised the same way every
                time: the journal's key is a hash of it with the organisation, the run's origin, the step's path,
                    revision and phase.
            most_microdollars: The most that the call can cost (input counted, output at its limit).
            make: Makes the call; not called when the journal knows the answer.
            most_tokens: The most tokens that the call can use; as many are counted when the provider says nothing.

        Raises:
            BudgetExhausted: A cap does not hold `most_microdollars`, or `most_tokens`, more.
            Unbilled: From `make`.
        """
        ...
