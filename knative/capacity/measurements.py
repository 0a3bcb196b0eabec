"""What functions take: time, processor and cold start, as measured distributions in a JSON file.

`measurements/default.json` was put together from measurements on one machine; `make bench-cluster` writes one from
a real cluster in the same format, of which `measurements/schema.json` is the JSON Schema.
Promises: a file that is wrong is refused whole, with every fault named.
"""

from __future__ import annotations

import functools
import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

Kind = tuple[float, float, bool]
"""A request: seconds on the event loop, seconds elsewhere, and whether its latency counts."""

FOLDER: Final = Path(__file__).parent / "measurements"
DEFAULT: Final = FOLDER / "default.json"
_KINDS: Final = 4096
"""Requests that are drawn from; the distribution is cut into as many parts of equal weight."""


class MeasurementsError(ValueError):
    """A file of measurements is wrong; `faults` names each one."""

    def __init__(self, where: str, faults: list[str]) -> None:
        self.faults = faults
        super().__init__(f"{where} holds no measurements:\n" + "\n".join(f"  {fault}" for fault in faults))


def _rising(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    parts, values = [point[0] for point in points], [point[1] for point in points]
    if parts[0] != 0 or parts[-1] != 1 or sorted(set(parts)) != parts:
        raise ValueError("the parts must rise from 0 to 1")
    if sorted(values) != values:
        raise ValueError("the values must not fall")
    return points


Quantiles = Annotated[
    list[tuple[Annotated[float, Field(ge=0, le=1)], Annotated[float, Field(ge=0)]]],
    Field(min_length=2, description="(part, value): this part of what was measured is at most this; linear between."),
    AfterValidator(_rising),
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Work(_Strict):
    """What one kind of request takes, in a pod that has nothing else to do."""

    source: str = Field(min_length=1, description="Where the figures come from.")
    processor_seconds: Quantiles
    wait_seconds: Quantiles = Field(description="For others (databases, functions, processes), in seconds.")
    parallel: bool = Field(
        default=False, description="The processor time is spent in processes of its own, not on the event loop."
    )
    stream: bool = Field(
        default=False, description="The answer is a stream: how long it lasts is no latency that anybody waits for."
    )

    @property
    def mean_processor_seconds(self) -> float:
        """The mean of the processor time."""
        return mean(self.processor_seconds)

    def kinds(self, chance: random.Random, count: int = _KINDS) -> list[Kind]:
        """Give requests to draw from, each as likely as any other."""
        processors, waits = spread(self.processor_seconds, count), spread(self.wait_seconds, count)
        _mix(waits, chance)
        pairs = zip(processors, waits, strict=True)
        if self.parallel:
            return [(0.0, processor + wait, not self.stream) for processor, wait in pairs]
        return [(processor, wait, not self.stream) for processor, wait in pairs]


class Function(_Strict):
    """What one deployment takes."""

    start_seconds: Quantiles = Field(description="From the process's start until it is ready, in seconds.")
    memory_bytes: int = Field(gt=0, description="Of an instance.")
    work: dict[str, Work] = Field(min_length=1, description="By the kind of request.")


class ColdStart(_Strict):
    """What a cold start takes before the process begins; the same for every function."""

    source: str = Field(min_length=1)
    scheduling_seconds: Quantiles
    container_seconds: Quantiles = Field(description="Sandbox, image and both containers, in seconds.")
    starts_per_second_and_node: float = Field(gt=0, description="Pods that one node starts, when asked for many.")


class Hops(_Strict):
    """What the way to a pod adds to each request, in seconds."""

    source: str = Field(min_length=1)
    ingress_seconds: float = Field(ge=0)
    activator_seconds: float = Field(ge=0)
    queue_proxy_seconds: float = Field(ge=0)
    queue_proxy_processor_seconds: float = Field(ge=0, description="Processor time of the sidecar for a request.")


class Measurements(_Strict):
    """A whole file."""

    format: Literal["hal9.capacity.measurements/1"]
    made_by: str = Field(min_length=1, description="The command that wrote it.")
    machine: str = Field(min_length=1, description="What it was measured on, in words.")
    hops: Hops
    cold_start: ColdStart
    functions: dict[str, Function] = Field(min_length=1, description="By deployment.")

    def cold_starts(self, deployment: str, chance: random.Random, count: int = 256) -> list[float]:
        """Give whole cold starts to draw from, in seconds."""
        parts = (
            self.cold_start.scheduling_seconds,
            self.cold_start.container_seconds,
            self.functions[deployment].start_seconds,
        )
        drawn = [spread(part, count) for part in parts]
        for one in drawn:
            _mix(one, chance)
        return [sum(one) for one in zip(*drawn, strict=True)]


def spread(quantiles: Sequence[tuple[float, float]], count: int) -> list[float]:
    """Cut a distribution into parts of equal weight: the value in the middle of each, rising."""
    return list(_spread(tuple(quantiles), count))


@functools.lru_cache(maxsize=256)
def _spread(quantiles: tuple[tuple[float, float], ...], count: int) -> list[float]:
    values, place = [], 0
    for number in range(count):
        part = (number + 0.5) / count
        while quantiles[place + 1][0] < part:
            place += 1
        (low, least), (high, most) = quantiles[place], quantiles[place + 1]
        values.append(least + (most - least) * (part - low) / (high - low))
    return values


def _mix(values: list[float], chance: random.Random) -> None:
    """Shuffle; `random.shuffle` takes three times as long."""
    draw = chance.random
    values.sort(key=lambda _: draw())


def mean(quantiles: Quantiles) -> float:
    """Give the mean of a distribution."""
    pairs = itertools.pairwise(quantiles)
    return sum((high[0] - low[0]) * (high[1] + low[1]) / 2 for low, high in pairs)


def load(path: Path) -> Measurements:
    """Read a file.

    Raises:
        MeasurementsError: it cannot be read, or is wrong.
    """
    try:
        return Measurements.model_validate_json(path.read_bytes())
    except OSError as error:
        raise MeasurementsError(path.name, [f"cannot be read: {error.strerror}"]) from error
    except ValidationError as error:
        raise MeasurementsError(path.name, faults_of(error)) from error


def faults_of(error: ValidationError) -> list[str]:
    """Name every fault that pydantic found, with its place."""
    return [f"{'.'.join(map(str, one['loc'])) or 'the file'}: {one['msg']}" for one in error.errors()]


def schema() -> str:
    """Give the JSON Schema of the format, as the file has it."""
    return json.dumps(Measurements.model_json_schema(), indent=2) + "\n"
