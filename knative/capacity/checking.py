"""The model against what a real cluster did under the same load, and the error of it.

An observation is a JSON file (`measurements/observation.schema.json`) that `make bench-cluster` writes: one deployment
under a load that is known for every second, what the cluster did in every second, and the measurements of its
functions.
Promises: the model sees the load and the settings, never what was observed.
"""

from __future__ import annotations

import json
import random
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from knative.capacity.arrivals import Arrivals, Closed, Open, trace
from knative.capacity.autoscaler import AutoscalerSettings
from knative.capacity.measurements import Measurements, MeasurementsError, faults_of
from knative.capacity.revision import Revision, RevisionSettings
from knative.capacity.tally import Second, Tally

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Self

_PEAK: float = 0.9


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Whole = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0)]


class Settings(_Strict):
    """How the revision was set, in Knative's terms; `target` and `total` as the autoscaler resolved them."""

    concurrency: int = Field(gt=0)
    target: float = Field(gt=0)
    total: float = Field(gt=0)
    min: Whole
    max: int = Field(gt=0)
    initial: Whole = Field(description="Pods that were ready when the load began.")
    window_seconds: int = Field(ge=6)
    burst_capacity: float = 211.0
    panic_window_percentage: float = 10.0
    panic_threshold: float = 2.0
    scale_down_delay_seconds: Whole = 0
    scale_to_zero_grace_seconds: Seconds = 30.0
    timeout_seconds: float = Field(default=300.0, gt=0)
    nodes: int = Field(default=1, gt=0)


class Load(_Strict):
    """The load in every second: requests a second, or people who think in between."""

    rate: list[Seconds] | None = None
    users: list[Whole] | None = None
    think_seconds: Seconds = 0.0

    @model_validator(mode="after")
    def _either(self) -> Self:
        if (self.rate is None) == (self.users is None):
            raise ValueError("give either rate or users")
        return self

    @property
    def seconds(self) -> int:
        """How long it lasted."""
        return len(self.rate if self.rate is not None else self.users or [])


class Observed(_Strict):
    """What the cluster did: ready pods in every second, and what became of the requests."""

    ready: list[Whole]
    answered: Whole
    failed: Whole
    p50_seconds: Seconds
    p95_seconds: Seconds
    p99_seconds: Seconds


class Observation(_Strict):
    """A whole file."""

    format: Literal["hal9.capacity.observation/1"]
    made_by: str = Field(min_length=1)
    deployment: str
    kind: str = Field(description="Of the requests, as the measurements name it.")
    settings: Settings
    load: Load
    observed: Observed
    measurements: Measurements

    @model_validator(mode="after")
    def _fits(self) -> Self:
        faults = []
        function = self.measurements.functions.get(self.deployment)
        if function is None:
            faults.append(f"the measurements know no deployment {self.deployment!r}")
        elif self.kind not in function.work:
            faults.append(f"the measurements of {self.deployment} know no kind {self.kind!r}")
        if len(self.observed.ready) != self.load.seconds:
            faults.append(
                f"{len(self.observed.ready)} seconds were observed under a load of {self.load.seconds} seconds"
            )
        if self.load.seconds == 0:
            faults.append("the load lasts no second")
        if faults:
            raise ValueError("; ".join(faults))
        return self


@dataclass(frozen=True, slots=True)
class Comparison:
    """The model against the cluster.

    Attributes:
        instances_error: the mean distance of the instances, over all seconds.
        instances_mean: instances that the cluster had on average.
        peak: the most instances, (cluster, model).
        peak_second: when nine tenths of those were ready, (cluster, model).
        answered: requests, (cluster, model).
        failed: requests, (cluster, model).
        latencies: p50, p95 and p99 in seconds, each (cluster, model).
    """

    instances_error: float
    instances_mean: float
    peak: tuple[float, float]
    peak_second: tuple[float, float]
    answered: tuple[float, float]
    failed: tuple[float, float]
    latencies: dict[str, tuple[float, float]]

    @property
    def relative_error(self) -> float:
        """The error of the instances as a part of their mean."""
        return self.instances_error / max(self.instances_mean, 1.0)


def read(path: Path) -> Observation:
    """Read an observation.

    Raises:
        MeasurementsError: it cannot be read, or is wrong; names every fault.
    """
    try:
        return Observation.model_validate_json(path.read_bytes())
    except OSError as error:
        raise MeasurementsError(path.name, [f"cannot be read: {error.strerror}"]) from error
    except ValidationError as error:
        raise MeasurementsError(path.name, faults_of(error)) from error


def schema() -> str:
    """Give the JSON Schema of an observation, as the file has it."""
    return json.dumps(Observation.model_json_schema(), indent=2) + "\n"


def simulate(observation: Observation, seed: int) -> tuple[list[Second], Tally]:
    """Let the model do what the cluster was asked to do."""
    chance = random.Random(seed)  # noqa: S311 - a simulation repeats itself
    measurements, settings = observation.measurements, observation.settings
    work = measurements.functions[observation.deployment].work[observation.kind]
    revision = Revision(
        observation.deployment,
        _revision_settings(settings, measurements),
        measurements.cold_starts(observation.deployment, chance),
        chance,
        processor_seconds=work.mean_processor_seconds,
    )
    kinds = work.kinds(chance)
    arrivals = _arrivals(observation.load, chance)
    for second in range(observation.load.seconds):
        revision.begin_second(second)
        begin = float(second)
        while begin < second + 1:
            revision.ended = []
            revision.serve(
                arrivals.until(begin, begin + arrivals.part_seconds), kinds, begin, begin + arrivals.part_seconds
            )
            arrivals.answered(revision.ended)
            begin += arrivals.part_seconds
        revision.end_second(second)
    return revision.seconds, revision.tally


def _arrivals(load: Load, chance: random.Random) -> Arrivals:
    if load.users is not None:
        users = load.users
        return Closed(lambda second: users[second], load.think_seconds, chance)
    return Open(trace(load.rate or []), chance)


def _revision_settings(settings: Settings, measurements: Measurements) -> RevisionSettings:
    return RevisionSettings(
        concurrency=settings.concurrency,
        min=settings.min,
        max=settings.max,
        initial=settings.initial,
        autoscaler=AutoscalerSettings(
            target=settings.target,
            total=settings.total,
            burst_capacity=settings.burst_capacity,
            window_seconds=settings.window_seconds,
            panic_window_percentage=settings.panic_window_percentage,
            panic_threshold=settings.panic_threshold,
            scale_down_delay_seconds=settings.scale_down_delay_seconds,
            scale_to_zero_grace_seconds=settings.scale_to_zero_grace_seconds,
        ),
        timeout_seconds=settings.timeout_seconds,
        starts_per_second=settings.nodes * measurements.cold_start.starts_per_second_and_node,
    )


def compare(observation: Observation, seeds: Sequence[int] = (1, 2, 3, 4, 5)) -> Comparison:
    """Simulate an observation several times, and say how far the middle of those is from what was observed.

    Args:
        observation: what a cluster did.
        seeds: one for each simulation.
    """
    observed, hops = observation.observed, observation.measurements.hops
    runs = [simulate(observation, seed) for seed in seeds]
    ready = [statistics.median(rows) for rows in zip(*([one.ready for one in rows] for rows, _ in runs), strict=True)]
    way = hops.ingress_seconds + hops.queue_proxy_seconds + hops.activator_seconds
    real = [float(count) for count in observed.ready]

    def middle(values: list[float]) -> float:
        return statistics.median(values)

    return Comparison(
        instances_error=statistics.fmean(abs(one - other) for one, other in zip(real, ready, strict=True)),
        instances_mean=statistics.fmean(real),
        peak=(max(real), max(ready)),
        peak_second=(_reached(real), _reached(ready)),
        answered=(observed.answered, middle([float(tally.answered) for _, tally in runs])),
        failed=(observed.failed, middle([float(tally.refused + tally.timed_out) for _, tally in runs])),
        latencies={
            name: (real_value, middle([tally.percentile(part) for _, tally in runs]) + way)
            for name, part, real_value in (
                ("p50", 0.5, observed.p50_seconds),
                ("p95", 0.95, observed.p95_seconds),
                ("p99", 0.99, observed.p99_seconds),
            )
        },
    )


def _reached(ready: Sequence[float]) -> float:
    """The second in which nine tenths of the most were ready."""
    return float(next(second for second, count in enumerate(ready) if count >= _PEAK * max(ready)))
