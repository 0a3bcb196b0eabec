"""What a load needs: the standard cases, with what function.toml says and with what should be set instead.

How what should be set is found, for n requests at once in a region (rate times time, Little's law), and two times the
square root of n more for chance:
- `utilisation`: the autoscaler aims for as many requests at once as keep the event loop of an instance below
  `LOOP_BUSY`, and for at most `UTILISATION` of `concurrency`, so that there is room for what comes while another
  instance starts. Above the first, it believes that there is room where there is none, and the load swings between too
  few instances and too many. `concurrency` itself stays: as a hard limit that low, it would make requests queue behind
  those that only wait (streams, a slow function behind).
- `idle_seconds`: at most `WINDOW_SECONDS`. It is also the window over which the autoscaler averages, and without panic
  it grows no faster than that.
- `min`: half of what n takes, so that a load that comes at once finds half of what it needs; none where one instance is
  enough and nothing was kept before.
- `max`: `SPARE_MAX` times what it takes when the region that matters most is lost.
Then every case is simulated with both sets of settings: the simulation, not the rule, says what they are worth.

Promises: nothing of a cluster is asked or changed. Prices are inputs; the defaults are assumptions.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from knative.capacity.autoscaler import AutoscalerSettings
from knative.capacity.measurements import mean
from knative.capacity.revision import RevisionSettings
from knative.capacity.scenario import (
    DOOR,
    RAMP_SECONDS,
    Deployed,
    Node,
    Outcome,
    Region,
    Route,
    Scenario,
    kinds_behind,
    run,
)
from knative.capacity.tally import Tally
from knative.render.services import autoscaling
from knative.render.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from knative.capacity.measurements import Measurements, Work
    from knative.capacity.tally import Second
    from knative.description import Deployment, FunctionDescription

LOOP_BUSY: Final = 0.7
"""How busy an instance's event loop should be at most: at 0.7 a request waits twice its own processor time for it."""

UTILISATION: Final = 70
"""The greatest part of `concurrency`, in percent, that is advised as the autoscaler's target: Knative's own default."""

SPARE_MAX: Final = 1.25
WINDOW_SECONDS: Final = 60
_MANY: Final = 1000
_LEAST_PERCENT: Final = 2  # Knative takes 1 for the whole
_TARGET: Final = Target("us-west")  # any region: they are all alike
_SIDECAR_CORES: Final = 0.025
_SIDECAR_BYTES: Final = 400 * 2**20  # of queue-proxy, as the example in Knative's config-deployment has it
_UNITS: Final = {"": 1.0, "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "K": 1e3, "k": 1e3, "M": 1e6, "G": 1e9}

REGIONS: Final = (
    Region("us-west", 0.4, (("eu-central", 0.2), ("ap-south", 0.1))),
    Region("eu-central", 0.35, (("us-west", 0.25), ("ap-south", 0.15))),
    Region("ap-south", 0.25, (("us-west", 0.15), ("eu-central", 0.15))),
)
"""Assumed: where users are, and which part of all users a region takes over when another one is lost (the nearer one
more)."""

_RUN: Final = (
    ("neuron-l4", "step", 2.0),
    ("neuron-l3", "step", 4.0),
    ("neuron-l2", "step", 6.0),
    ("codegen", "verify", 1.2),
)
"""What one run sets going: ten steps and a verification (docs/decisions/0008), and some of it once more."""


def _routes(reads: float, projects: float, publish: float, answer: float, runs: float) -> tuple[Route, ...]:
    """A mix: parts of all requests; every run that is begun is watched until its end."""
    return (
        Route("pass", reads, behind=("neuron-l4", "read")),
        Route("pass", projects, behind=("codegen", "read")),
        Route("publish", publish),
        Route("answer", answer),
        Route("pass", runs, behind=("codegen", "create"), events=_RUN),
        Route("watch", runs, behind=("neuron-l4", "watch")),
    )


PROGRAMS: Final = _routes(0.45, 0.2996, 0.2, 0.05, 0.0002)
"""Assumed: what programs ask for, two requests in ten thousand begin a run."""

PEOPLE: Final = _routes(0.5, 0.38, 0.05, 0.05, 0.01)
"""Assumed: what people ask for; one request in a hundred begins a run."""


@dataclass(frozen=True, slots=True)
class Prices:
    """What computing costs in an hour; assumed to be about what container services of large clouds ask for.

    Attributes:
        core_hour: of one virtual processor.
        gib_hour: of one GiB of memory.
        currency: of both.
    """

    core_hour: float = 0.04
    gib_hour: float = 0.0045
    currency: str = "USD"


@dataclass(frozen=True, slots=True)
class Use:
    """What a deployment took in one region, from when the load had its full size.

    Attributes:
        deployment: its name.
        region: where.
        median: instances in the middle of the time.
        most: instances at most.
        waiting_p95: the 95th percentile of its latencies, in seconds.
        failed: requests or events refused or timed out.
        processor: cores in use at most, on average over ten seconds.
    """

    deployment: str
    region: str
    median: int
    most: int
    waiting_p95: float
    failed: int
    processor: float


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one case with one set of settings.

    Attributes:
        case: its name.
        settings: `function.toml`, or `advised`.
        p50: of the requests at the door that were answered, in seconds, the way through the cluster included.
        p95: the same.
        p99: the same.
        requests: at the door.
        failed: of them, those of a lost region included.
        cost_hour: of all regions.
        nodes: by region, how many machines it takes, one more than needed.
        connections: by region, to each shard, at most.
        uses: what each deployment took.
    """

    case: str
    settings: str
    p50: float
    p95: float
    p99: float
    requests: int
    failed: int
    cost_hour: float
    nodes: dict[str, int]
    connections: dict[str, int]
    uses: tuple[Use, ...]


@dataclass(frozen=True, slots=True)
class Setting:
    """What function.toml says of a deployment, and what it should say."""

    deployment: str
    min: int
    max: int
    concurrency: int
    utilisation: int
    idle_seconds: int
    advised_min: int
    advised_max: int
    advised_utilisation: int
    advised_idle_seconds: int


@dataclass(frozen=True, slots=True)
class CapacityPlan:
    """Cases with both sets of settings, and what to set.

    Attributes:
        results: of each case, with both sets.
        settings: of each deployment that requests at the door reach.
        left_out: the other deployments: the load does not tell what they need.
    """

    results: tuple[Result, ...]
    settings: tuple[Setting, ...]
    left_out: tuple[str, ...] = ()


def quantity(text: str) -> float:
    """Read a Kubernetes quantity such as 250m or 192Mi."""
    if text.endswith("m"):
        return float(text[:-1]) / 1000
    number = text.rstrip("KMGik")
    return float(number) * _UNITS[text[len(number) :]]


def deployed_of(deployment: Deployment, *, nodes: int | None = None, starts: float = math.inf) -> Deployed:
    """Give a deployment as its manifest would run it.

    Args:
        deployment: from function.toml.
        nodes: machines that start pods; None for no limit.
        starts: pods that one machine starts in a second.
    """
    annotations = {name.partition("/")[2]: value for name, value in autoscaling(deployment, _TARGET).items()}
    total = float(annotations["target"])
    autoscaler = AutoscalerSettings(
        target=total * float(annotations["target-utilization-percentage"]) / 100,
        total=total,
        burst_capacity=float(annotations.get("target-burst-capacity", "211")),
        window_seconds=int(annotations["window"].removesuffix("s")),
        scale_down_delay_seconds=int(annotations["scale-down-delay"].removesuffix("s")),
    )
    settings = RevisionSettings(
        concurrency=deployment.scale.concurrency,
        min=deployment.scale.min,
        max=deployment.scale.max,
        initial=max(1, deployment.scale.min),
        autoscaler=autoscaler,
        timeout_seconds=deployment.function.timeout_seconds,
        starts_per_second=math.inf if nodes is None else nodes * starts,
    )
    return Deployed(
        settings,
        quantity(deployment.resources.cpu) + _SIDECAR_CORES,
        quantity(deployment.resources.memory) + _SIDECAR_BYTES,
        deployment.connections,
    )


def cases(rate: float, users: int, lost: str | None, seconds: int) -> list[Scenario]:
    """Give the standard cases.

    Args:
        rate: requests a second, over all regions.
        users: people at once, over all regions.
        lost: the region that is lost in the middle, under the first of the two loads.
        seconds: how long each case lasts.
    """
    found = []
    if rate:
        found.append(Scenario(f"{rate:,.0f} requests a second", seconds, PROGRAMS, rate=rate, lost_at=seconds))
    if users:
        found.append(Scenario(f"{users:,} users", seconds, PEOPLE, users=users, lost_at=seconds))
    if lost and found:
        moment = RAMP_SECONDS + (seconds - RAMP_SECONDS) // 3
        found.append(dataclasses.replace(found[0], name=f"{lost} lost", lost=lost, lost_at=moment))
    return found


def plan(
    functions: Iterable[FunctionDescription],
    environment: str,
    measurements: Measurements,
    scenarios: Sequence[Scenario],
    *,
    regions: Sequence[Region] = REGIONS,
    prices: Prices | None = None,
    seed: int = 1,
) -> CapacityPlan:
    """Run the cases as function.toml has the settings, find better ones, and run the cases with those.

    Args:
        functions: all of them.
        environment: whose overrides in function.toml count.
        measurements: what functions take.
        scenarios: the cases.
        regions: where the users are.
        prices: what computing costs.
        seed: the runs follow from it.
    """
    prices = prices or Prices()
    deployments = [deployment for function in functions for deployment in function.deployments(environment)]
    reached = [one for one in deployments if one.name == DOOR or kinds_behind(one.name, PROGRAMS)]
    present = {one.name: deployed_of(one) for one in reached}
    settings = tuple(
        _setting(name, one, _need(name, measurements, scenarios, regions)) for name, one in present.items()
    )
    advised = {one.deployment: _advised(present[one.deployment], one) for one in settings}
    results = [
        _result(scenario, run(scenario, regions, deployed, measurements, seed), deployed, measurements, prices, name)
        for scenario in scenarios
        for name, deployed in (("function.toml", present), ("advised", advised))
    ]
    return CapacityPlan(tuple(results), settings, tuple(one.name for one in deployments if one.name not in present))


@dataclass(frozen=True, slots=True)
class _Need:
    """What a deployment's load comes to when nothing queues.

    Attributes:
        at_once: requests at once in the region that has most of them.
        at_once_lost: the same, when another region is lost.
        loop_limit: requests at once that keep the event loop of an instance below `LOOP_BUSY`: with n of them it is
            busy for at most n times the loop's part of a request.
    """

    at_once: float
    at_once_lost: float
    loop_limit: float


def _need(name: str, measurements: Measurements, scenarios: Sequence[Scenario], regions: Sequence[Region]) -> _Need:
    share = max(region.share for region in regions)
    share_lost = max(region.share + max((part for _, part in region.fallback), default=0.0) for region in regions)
    at_once, limit = 0.0, float(_MANY)
    for scenario in scenarios:
        rate = scenario.rate or scenario.users / scenario.think_seconds
        loop, whole = _time_of(name, measurements, scenario.routes)
        at_once = max(at_once, rate * whole)
        limit = min(limit, LOOP_BUSY * whole / loop if loop else _MANY)
    return _Need(at_once * share, at_once * share_lost, limit)


def _time_of(name: str, measurements: Measurements, routes: Sequence[Route]) -> tuple[float, float]:
    """Seconds that one request at the door means for a deployment: on its event loops, and in all."""
    work = measurements.functions[name].work
    loop, whole = 0.0, 0.0
    for route in routes:
        for deployment, kind, count in _calls(route):
            if deployment == name:
                processor, elsewhere = _means(work[kind])
                if name == DOOR and route.behind is not None:
                    elsewhere += sum(_means(measurements.functions[route.behind[0]].work[route.behind[1]]))
                loop += route.share * count * processor
                whole += route.share * count * (processor + elsewhere)
    total = sum(route.share for route in routes)
    return loop / total, whole / total


def _calls(route: Route) -> list[tuple[str, str, float]]:
    """All that one request means: (deployment, kind, how many)."""
    behind = [] if route.behind is None else [(*route.behind, 1.0)]
    return [(DOOR, route.work, 1.0), *behind, *route.events]


def _setting(name: str, present: Deployed, need: _Need) -> Setting:
    settings, autoscaler = present.settings, present.settings.autoscaler
    target = min(need.loop_limit, settings.concurrency * UTILISATION / 100)
    utilisation = max(_LEAST_PERCENT, math.floor(100 * target / settings.concurrency))

    def instances(at_once: float) -> int:
        return math.ceil((at_once + 2 * math.sqrt(at_once)) / (settings.concurrency * utilisation / 100))

    steady, worst = instances(need.at_once), instances(need.at_once_lost)
    kept = name == DOOR or settings.min > 0
    least = math.ceil(steady / 2) if kept or steady > 1 else 0
    return Setting(
        deployment=name,
        min=settings.min,
        max=settings.max,
        concurrency=settings.concurrency,
        utilisation=round(100 * autoscaler.target / autoscaler.total),
        idle_seconds=autoscaler.window_seconds,
        advised_min=least,
        advised_max=max(1, least, math.ceil(SPARE_MAX * worst)),
        advised_utilisation=utilisation,
        advised_idle_seconds=min(WINDOW_SECONDS, autoscaler.window_seconds),
    )


def _advised(present: Deployed, advice: Setting) -> Deployed:
    autoscaler = dataclasses.replace(
        present.settings.autoscaler,
        target=advice.concurrency * advice.advised_utilisation / 100,
        window_seconds=advice.advised_idle_seconds,
    )
    settings = dataclasses.replace(
        present.settings,
        min=advice.advised_min,
        max=advice.advised_max,
        initial=max(1, advice.advised_min),
        autoscaler=autoscaler,
    )
    return dataclasses.replace(present, settings=settings)


def _means(work: Work) -> tuple[float, float]:
    """The mean time on the event loop, and elsewhere."""
    processor, wait = mean(work.processor_seconds), mean(work.wait_seconds)
    return (0.0, processor + wait) if work.parallel else (processor, wait)


def _result(
    scenario: Scenario,
    outcomes: Sequence[Outcome],
    deployed: Mapping[str, Deployed],
    measurements: Measurements,
    prices: Prices,
    settings: str,
) -> Result:
    door = Tally()
    for outcome in outcomes:
        door.add(outcome.door)
    way = (
        measurements.hops.ingress_seconds + measurements.hops.queue_proxy_seconds + measurements.hops.activator_seconds
    )
    lost = sum(outcome.lost_requests for outcome in outcomes)
    return Result(
        case=scenario.name,
        settings=settings,
        p50=door.percentile(0.5) + way,
        p95=door.percentile(0.95) + way,
        p99=door.percentile(0.99) + way,
        requests=door.arrived + lost,
        failed=door.refused + door.timed_out + lost,
        cost_hour=sum(_cost_hour(outcome, deployed, prices) for outcome in outcomes),
        nodes={outcome.region: _nodes(outcome, deployed) for outcome in outcomes},
        connections={
            outcome.region: max(
                sum(seconds[at].ready * deployed[name].connections for name, (seconds, _) in outcome.revisions.items())
                for at in range(len(next(iter(outcome.revisions.values()))[0]))
            )
            for outcome in outcomes
        },
        uses=tuple(
            _use(name, outcome.region, seconds, tally)
            for outcome in outcomes
            for name, (seconds, tally) in outcome.revisions.items()
        ),
    )


def _use(name: str, region: str, seconds: Sequence[Second], tally: Tally) -> Use:
    settled = seconds[RAMP_SECONDS:]
    return Use(
        deployment=name,
        region=region,
        median=round(statistics.median(second.ready for second in settled)),
        most=max(second.ready for second in settled),
        waiting_p95=tally.percentile(0.95),
        failed=tally.refused + tally.timed_out,
        processor=max(
            sum(second.processor for second in settled[at : at + 10]) / 10 for at in range(max(1, len(settled) - 9))
        ),
    )


def _needed(outcome: Outcome, deployed: Mapping[str, Deployed]) -> list[tuple[float, float]]:
    """Cores and bytes in each second: what pods ask for, or what they use where that is more."""
    needed = []
    for rows in zip(*(seconds[RAMP_SECONDS:] for seconds, _ in outcome.revisions.values()), strict=True):
        asked = list(zip(outcome.revisions, rows, strict=True))
        cores = sum(max(row.ready * deployed[name].cores, row.processor) for name, row in asked)
        needed.append((cores, sum(row.ready * deployed[name].memory_bytes for name, row in asked)))
    return needed


def _cost_hour(outcome: Outcome, deployed: Mapping[str, Deployed], prices: Prices) -> float:
    """What the region costs in an hour once the load has its full size; one that was lost, until then."""
    needed = _needed(outcome, deployed)
    cores = statistics.fmean(cores for cores, _ in needed)
    memory = statistics.fmean(memory for _, memory in needed)
    return cores * prices.core_hour + memory / 2**30 * prices.gib_hour


def _nodes(outcome: Outcome, deployed: Mapping[str, Deployed]) -> int:
    """Machines that bear the worst ten seconds, and one more, so that one may fail."""
    node, needed = Node(), _needed(outcome, deployed)
    worst_cores = max(statistics.fmean(cores for cores, _ in needed[at : at + 10]) for at in range(0, len(needed), 10))
    worst_memory = max(memory for _, memory in needed)
    return max(math.ceil(worst_cores / node.cores), math.ceil(worst_memory / node.memory_bytes)) + 1
