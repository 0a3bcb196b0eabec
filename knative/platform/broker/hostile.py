"""Makes the broker hostile, for tests: everything that a cluster's broker may do at its worst, at will.

    hal9 up --hostile duplicate=3,delay=0.2,reorder=1,fail=0.1,seed=7

Promises: the same seed makes the same decisions in the same order of events. Not for use with data that matters.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field


class HostileError(ValueError):
    """The switch is wrong; the text says what is allowed."""


@dataclass(slots=True)
class Hostile:
    """What is done to deliveries.

    Attributes:
        duplicate: How often each is made; 1 is the honest number.
        delay: Seconds, at most, that each is held back.
        reorder: Whether they are made in a random order.
        fail: The share of attempts that are said to have failed: half of them without having been made, half after.
        seed: Of all these decisions.
    """

    duplicate: int = 1
    delay: float = 0.0
    reorder: bool = False
    fail: float = 0.0
    seed: int = 0
    _random: random.Random = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Seed the decisions, which are no secrets."""
        self._random = random.Random(self.seed)  # noqa: S311

    @classmethod
    def parse(cls, text: str) -> Hostile:
        """Read `name=value,...`; empty for none of it.

        Raises:
            HostileError: An unknown name, or a value out of range; the text says what is allowed.
        """
        values = {"duplicate": "1", "delay": "0", "reorder": "0", "fail": "0", "seed": "0"}
        for part in filter(None, (part.strip() for part in text.split(","))):
            name, equals, value = part.partition("=")
            if not equals or name not in values:
                raise HostileError(f"{part!r}: write {', '.join(values)} as name=value, separated by commas")
            values[name] = value
        try:
            made = cls(
                int(values["duplicate"]), float(values["delay"]), values["reorder"] not in {"0", "false", "no"},
                float(values["fail"]), int(values["seed"]),
            )  # fmt: skip
        except ValueError as error:
            raise HostileError(f"{text!r}: every value must be a number") from error
        if not (1 <= made.duplicate <= 20 and 0 <= made.delay <= 60 and 0 <= made.fail < 1):
            raise HostileError(f"{text!r}: duplicate is 1 to 20, delay 0 to 60 seconds, fail 0 to below 1")
        return made

    @property
    def text(self) -> str:
        """Everything that is not honest, as `parse` reads it; empty when all is."""
        honest = Hostile()
        values = {name: getattr(self, name) for name in ("duplicate", "delay", "reorder", "fail", "seed")}
        return ",".join(f"{name}={float(v):g}" for name, v in values.items() if v != getattr(honest, name))

    def hold_back(self) -> float:
        """Give the seconds that a delivery is held back."""
        return self._random.uniform(0.0, self.delay) if self.delay else 0.0

    def pick(self, waiting: int) -> int:
        """Give the place in the queue that is served next."""
        return self._random.randrange(waiting) if self.reorder and waiting > 1 else 0

    def lose(self) -> str:
        """Say what happens to an attempt: `` (nothing), `before` it is made, or `after`."""
        if not self.fail or self._random.random() >= self.fail:
            return ""
        return "before" if self._random.random() < 0.5 else "after"
