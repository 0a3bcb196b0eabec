"""The meters: what is counted, in which unit, and whether it begins anew each month."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Meter:
    """One thing that is counted.

    Attributes:
        name: In tables, events and answers.
        unit: What one of it is.
        monthly: It begins anew with each month (UTC); otherwise it is a level that stays.
        metered: Something counts it. Otherwise its limits are defined and its use is 0, until something does.
    """

    name: str
    unit: str
    monthly: bool
    metered: bool


RUNS: Final = Meter("runs", "run", True, True)
"""Runs started, replays as well."""

MODEL_TOKENS: Final = Meter("model_tokens", "token", True, True)
"""Tokens of questions to language models and of their answers."""

COST: Final = Meter("cost", "micro-dollar", True, True)
"""What language models cost."""

BROWSER_MINUTES: Final = Meter("browser_minutes", "minute", True, False)
"""Minutes of browsers that agents use."""

STORAGE: Final = Meter("storage", "byte", False, True)
"""Bytes of the artefacts that are kept."""

SEATS: Final = Meter("seats", "person", True, True)
"""People who signed in."""

EVENTS: Final = Meter("events", "event", True, True)
"""Events published through the API."""

METERS: Final[dict[str, Meter]] = {
    meter.name: meter for meter in (RUNS, MODEL_TOKENS, COST, BROWSER_MINUTES, STORAGE, SEATS, EVENTS)
}
"""Every meter by its name."""
