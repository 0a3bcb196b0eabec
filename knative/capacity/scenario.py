"""A load on several regions, and what becomes of it: the standard cases that `hal9 capacity plan` runs.

A region is a cluster of its own. Requests come in at the gateway; a part of them goes on to other functions, and keeps
its slot at the gateway for as long as those take. Some start work that goes by events (steps of neurons,
verifications). When a region is lost, its users go to the others, in the order of their distance, and find autoscalers
that still have their old scale.

Promises: what the gateway waits for is the function's own time, and a queue as long as it was a second before.
Does not: model the databases' own limits (`hal9 pools plan` does), or a broker's queue: an event reaches its function
when it is sent.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from knative.capacity.arrivals import Closed, Open
from knative.capacity.revision import Revision, RevisionSettings
from knative.capacity.tally import Second, Tally

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from knative.capacity.arrivals import Arrivals
    from knative.capacity.measurements import Kind, Measurements

DOOR: Final = "gateway"
_GATEWAY_KINDS: Final = 128
RAMP_SECONDS: Final = 60
"""The load grows to its full size over this time, and is counted from then on."""


@dataclass(frozen=True, slots=True)
class Route:
    """A kind of request at the door.

    Attributes:
        work: its kind in the measurements of the gateway.
        share: which part of all requests it is.
        behind: the deployment that it is passed on to, and the kind of request there; None when the gateway answers.
        events: what it sets going: (deployment, kind, how many).
    """

    work: str
    share: float
    behind: tuple[str, str] | None = None
    events: tuple[tuple[str, str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Node:
    """What one machine offers to pods, in cores and bytes."""

    cores: float = 4.0
    memory_bytes: float = 15.0e9


@dataclass(frozen=True, slots=True)
class Region:
    """A region.

    Attributes:
        name: its name.
        share: which part of the users are its own.
        fallback: which part of all users it takes over when another region is lost: (that region, part).
    """

    name: str
    share: float
    fallback: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Deployed:
    """A deployment as it would run.

    Attributes:
        settings: in Knative's terms.
        cores: that a pod asks for.
        memory_bytes: that a pod asks for.
        connections: to each shard that an instance may hold.
    """

    settings: RevisionSettings
    cores: float
    memory_bytes: float
    connections: int


@dataclass(frozen=True, slots=True)
class Scenario:
    """What happens.

    Attributes:
        name: for people.
        seconds: how long.
        routes: the mix of requests.
        rate: requests a second over all regions; 0 when people ask.
        users: people over all regions; 0 when the rate is given.
        think_seconds: of people, between an answer and the next request.
        lost: the region that is lost.
        lost_at: when, in seconds.
        failover_seconds: until its users reach another one; what they ask meanwhile fails.
        nodes: machines in each region; None for as many as it takes.
    """

    name: str
    seconds: int
    routes: tuple[Route, ...]
    rate: float = 0.0
    users: int = 0
    think_seconds: float = 5.0
    lost: str | None = None
    lost_at: int = 300
    failover_seconds: int = 15
    nodes: int | None = None


class _Nodes:
    """The machines of one region, filled by what pods ask for."""

    def __init__(self, node: Node, count: int | None) -> None:
        self._cores = node.cores * count if count is not None else float("inf")
        self._memory = node.memory_bytes * count if count is not None else float("inf")

    def room_for(self, cores: float, memory: float) -> _Room:
        return _Room(self, cores, memory)

    def change(self, cores: float, memory: float) -> bool:
        if self._cores < cores or self._memory < memory:
            return False
        self._cores -= cores
        self._memory -= memory
        return True


class _Room:
    """What the pods of one deployment ask of the machines."""

    def __init__(self, nodes: _Nodes, cores: float, memory: float) -> None:
        self._nodes, self._cores, self._memory = nodes, cores, memory

    def take(self) -> bool:
        return self._nodes.change(self._cores, self._memory)

    def give_back(self) -> None:
        self._nodes.change(-self._cores, -self._memory)


@dataclass
class Outcome:
    """What became of a scenario in one region.

    Attributes:
        region: its name.
        revisions: by deployment: what each second was like, and the sum over all.
        lost_requests: that failed because the region was lost and its users were not yet elsewhere.
    """

    region: str
    revisions: dict[str, tuple[list[Second], Tally]] = field(default_factory=dict)
    lost_requests: int = 0

    @property
    def door(self) -> Tally:
        """What became of the requests at the door."""
        return self.revisions[DOOR][1]


def kinds_behind(name: str, routes: Sequence[Route]) -> dict[str, float]:
    """Give the kinds of requests that reach a deployment behind the door, each with its number for one at the door."""
    total = sum(route.share for route in routes)
    found: dict[str, float] = {}
    for route in routes:
        if route.behind is not None and route.behind[0] == name:
            found[route.behind[1]] = found.get(route.behind[1], 0.0) + route.share / total
        for deployment, kind, count in route.events:
            if deployment == name:
                found[kind] = found.get(kind, 0.0) + route.share * count / total
    return found


def requests_behind(name: str, routes: Sequence[Route]) -> float:
    """Give the requests and events that one request at the door means for a deployment."""
    return sum(kinds_behind(name, routes).values())


def processor_seconds(name: str, routes: Sequence[Route], measurements: Measurements) -> float:
    """Give the mean processor time of a deployment's requests."""
    work = measurements.functions[name].work
    if name == DOOR:
        weights: dict[str, float] = {}
        for route in routes:
            weights[route.work] = weights.get(route.work, 0.0) + route.share
    else:
        weights = kinds_behind(name, routes)
    total = sum(weights.values())
    return sum(work[kind].mean_processor_seconds * weight for kind, weight in weights.items()) / total if total else 0.0


def _factors(region: Region, scenario: Scenario) -> list[float]:
    """Which part of all users a region has in each second."""
    taken = dict(region.fallback).get(scenario.lost or "", 0.0)
    factors = []
    for second in range(scenario.seconds):
        share = region.share
        if scenario.lost == region.name and second >= scenario.lost_at:
            share = 0.0
        elif second >= scenario.lost_at + scenario.failover_seconds:
            share += taken
        factors.append(share * min(1.0, (second + 1) / RAMP_SECONDS))
    return factors


class _Cluster:
    """One region while it is simulated."""

    def __init__(
        self,
        region: Region,
        scenario: Scenario,
        deployed: Mapping[str, Deployed],
        measurements: Measurements,
        seed: int,
    ) -> None:
        self.region, self.scenario = region, scenario
        self.chance = random.Random(f"{seed} {region.name}")  # noqa: S311 - a simulation repeats itself
        self.factor = _factors(region, scenario)
        self.arrivals = self._arrivals()
        self.kinds = {
            (name, kind): work.kinds(self.chance)
            for name, function in measurements.functions.items()
            for kind, work in function.work.items()
        }
        self.routes = list(scenario.routes)
        self.weights = [route.share for route in self.routes]
        nodes = _Nodes(Node(), scenario.nodes)
        self.revisions = {
            name: Revision(
                name,
                one.settings,
                measurements.cold_starts(name, self.chance),
                random.Random(f"{seed} {region.name} {name}"),  # noqa: S311 - as above
                nodes=nodes.room_for(one.cores, one.memory_bytes),
                processor_seconds=processor_seconds(name, scenario.routes, measurements),
            )
            for name, one in deployed.items()
        }
        self.door = self.revisions[DOOR]
        self.mixes = {name: self._mix(name) for name in self.revisions if name != DOOR}
        self.passed = {name: requests_behind(name, scenario.routes) for name in self.mixes}

    def _arrivals(self) -> Arrivals:
        scenario = self.scenario
        if scenario.users:
            return Closed(
                lambda second: round(scenario.users * self.factor[second]), scenario.think_seconds, self.chance
            )
        return Open(lambda second: scenario.rate * self.factor[second], self.chance)

    def _mix(self, name: str) -> list[Kind]:
        """What the requests of a deployment take, its kinds mixed as the routes have them."""
        weights = kinds_behind(name, self.scenario.routes)
        return _mixed({kind: self.kinds[name, kind] for kind in weights}, weights, self.chance)

    def second(self, second: int) -> None:
        """Simulate one second."""
        for revision in self.revisions.values():
            if second == RAMP_SECONDS:
                revision.count_anew()
            revision.begin_second(second)
        mix = self._at_the_door()
        part = self.arrivals.part_seconds
        begin, end = float(second), second + part
        while begin < second + 1:
            self._part(begin, end, mix)
            begin, end = end, end + part
        for revision in self.revisions.values():
            revision.end_second(second)

    def _part(self, begin: float, end: float, mix_at_door: Sequence[Kind]) -> None:
        moments = self.arrivals.until(begin, end)
        for name, mix in self.mixes.items():
            self.revisions[name].serve(self._passed_on(moments, self.passed[name]), mix, begin, end)
        ended: list[float] | None = [] if self.scenario.users else None
        self.door.ended = ended
        self.door.serve(moments, mix_at_door, begin, end)
        if ended is not None:
            self.arrivals.answered(ended)

    def _passed_on(self, moments: Sequence[float], share: float) -> list[float]:
        draw = self.chance.random
        whole, part = int(share), share % 1
        thinned = [moment for moment in moments if draw() < part]
        return sorted([*moments] * whole + thinned) if whole else thinned

    def _at_the_door(self) -> list[Kind]:
        """What requests take at the gateway: its own time, and that of the function behind, with its queue of late."""
        draw, drawn = self.chance.random, []
        for route in self.chance.choices(self.routes, self.weights, k=_GATEWAY_KINDS):
            kinds = self.kinds[DOOR, route.work]
            processor, wait, counts = kinds[int(draw() * len(kinds))]
            if route.behind is not None:
                behind, queued = self.kinds[route.behind], self.revisions[route.behind[0]].queued
                own, elsewhere, _ = behind[int(draw() * len(behind))]
                wait += own + elsewhere
                wait += queued[int(draw() * len(queued))] if queued else 0.0
            drawn.append((processor, wait, counts))
        return drawn


def _mixed(kinds: Mapping[str, Sequence[Kind]], weights: Mapping[str, float], chance: random.Random) -> list[Kind]:
    names = list(kinds)
    if not names:
        return [(0.0, 0.0, True)]
    chosen = chance.choices(names, [weights[name] for name in names], k=1 << 14)
    draw = chance.random
    return [kinds[name][int(draw() * len(kinds[name]))] for name in chosen]


def run(
    scenario: Scenario,
    regions: Sequence[Region],
    deployed: Mapping[str, Deployed],
    measurements: Measurements,
    seed: int = 1,
) -> list[Outcome]:
    """Simulate a scenario in every region.

    Args:
        scenario: what happens.
        regions: where.
        deployed: every deployment, the same in each region; the gateway among them.
        measurements: what they take.
        seed: the run follows from it.
    """
    return [_run_region(region, scenario, deployed, measurements, seed) for region in regions]


def _run_region(
    region: Region, scenario: Scenario, deployed: Mapping[str, Deployed], measurements: Measurements, seed: int
) -> Outcome:
    cluster = _Cluster(region, scenario, deployed, measurements, seed)
    gone = scenario.lost == region.name
    for second in range(min(scenario.seconds, scenario.lost_at) if gone else scenario.seconds):
        cluster.second(second)
    outcome = Outcome(region.name, {name: (one.seconds, one.tally) for name, one in cluster.revisions.items()})
    if gone:
        per_second = scenario.rate or scenario.users / max(scenario.think_seconds, 1.0)
        outcome.lost_requests = round(per_second * region.share * scenario.failover_seconds)
    return outcome
