"""A roll-out that is judged: a new version gets a few of the requests, then all of them, or none.

    result = await roll_out(cluster, services, Canary(percent=10, hold_seconds=120), 600, progress)
    if result.rolled_back: ...

Every service whose template changed is tried at once, and they are judged together: a release goes out whole or is
rolled back whole. Services that are new have nothing to be judged by: they get all of their requests when they are
ready. What was judged good is applied as it was rendered by whoever called, which sends it all requests.

Promises: the old revision has its share until the new one has the rest, so that it is not scaled away before; a version
that does not become ready, whose containers end again and again, or that is bad by `judgement`, is rolled back: its
revision is deleted once no request is sent to it any more, what it has begun it ends. A roll-out that was interrupted
is found by the service's annotations: the same version is tried again from the start, another one first rolls it back.
Does not: undo what is not a service (accounts, policies, migrations); those only ever add.
"""

from __future__ import annotations

import asyncio
import datetime
import math
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Protocol

from knative.deploy import reasons, traffic
from knative.deploy.cluster import ClusterError
from knative.deploy.judgement import ENOUGH, TESTS, Judgement, Levels, Limits, Sample, judge, levels
from knative.deploy.kinds import POD, REVISION, SERVICE
from knative.deploy.measurements import Measurement
from knative.deploy.waiting import Progress, Unready, until_gone, until_ready

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from knative.deploy.cluster import Cluster
    from knative.deploy.kinds import Kind
    from knative.render.target import Manifest

LONGEST: Final = 3
"""How many times the given time a version is held at most, while too few requests reach it."""

_PERIOD_SECONDS: Final = 5.0
_PATIENCE_SECONDS: Final = 60.0
"""How long the API server may be away while a version is held."""

_RESTARTS: Final = 2
_CRASHES: Final = "CrashLoopBackOff"
_OF_REVISION: Final = "serving.knative.dev/revision"
_OF_SERVICE: Final = "serving.knative.dev/service"
_SIDECAR: Final = "queue-proxy"


@dataclass(frozen=True, slots=True)
class Canary:
    """How a new version is tried.

    Attributes:
        percent: of the requests that it gets, 1 to 50: the old version is what it is judged by.
        hold_seconds: for how long; 0 goes on as soon as it is ready.
        limits: what is tolerated of it.
    """

    percent: int
    hold_seconds: float
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if not 1 <= self.percent <= 50 or self.hold_seconds < 0:
            raise ValueError("a new version gets 1 to 50 percent, for 0 seconds or more")


@dataclass(frozen=True, slots=True)
class Side:
    """One of two revisions, and what it answered while the new one was held.

    Attributes:
        revision: Its name.
        requests: All of them.
        failed: 5xx.
        refused: 4xx.
        p95_seconds: What 95% of its 2xx took at most; None without any.
    """

    revision: str
    requests: int = 0
    failed: int = 0
    refused: int = 0
    p95_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """One service of a roll-out.

    Attributes:
        service: Its name.
        old: The revision that was there.
        new: The one that was tried.
        faults: What was held against it.
        enough: Whether enough requests reached it to judge by.
    """

    service: str
    old: Side
    new: Side
    faults: tuple[str, ...] = ()
    enough: bool = False


@dataclass(frozen=True, slots=True)
class RollOut:
    """How it went.

    Attributes:
        percent: of the requests that the new version got.
        held_seconds: for how long.
        trials: one for each service that was tried; empty when none had changed.
        unready: what did not become ready.
        rolled_back: whether the old version has all requests again.
    """

    percent: int
    held_seconds: float = 0.0
    trials: tuple[Trial, ...] = ()
    unready: tuple[Unready, ...] = ()
    rolled_back: bool = False

    @property
    def good(self) -> bool:
        """Whether the new version may have all requests."""
        return not self.rolled_back and not self.unready


class Watcher(Progress, Protocol):
    """Is told how a roll-out goes."""

    def holding(self, trials: Sequence[Trial], percent: int, seconds_left: float) -> None:
        """New versions have a share of the requests."""

    def note(self, text: str) -> None:
        """Something that whoever deploys should know."""


@dataclass(frozen=True, slots=True)
class _Tried:
    """A service that changed.

    Attributes:
        manifest: as it is to be in the end.
        stable: the revision that has its requests.
    """

    manifest: Manifest
    stable: str

    @property
    def name(self) -> str:
        name: str = self.manifest["metadata"]["name"]
        return name

    @property
    def candidate(self) -> str:
        return traffic.revision_name(self.manifest)


async def settled(cluster: Cluster, services: Iterable[Manifest]) -> list[Manifest]:
    """Give services as they can be applied to what stands (`traffic.settled`)."""
    lives, revisions = await _by_name(cluster, SERVICE), await _by_name(cluster, REVISION)
    stand = [(one, lives.get(one["metadata"]["name"])) for one in services]
    return [
        traffic.settled(one, live, revisions.get(traffic.revision_name(live)) if live is not None else None)
        for one, live in stand
    ]


async def _by_name(cluster: Cluster, kind: Kind) -> dict[str, Manifest]:
    return {one["metadata"]["name"]: one for one in await cluster.listed(kind)}


async def clear(cluster: Cluster, services: Iterable[Manifest], seconds: float, watcher: Watcher) -> None:
    """Make room for what is to be deployed; needed before any deployment, whether it is tried or not.

    A roll-out of another version that was interrupted is rolled back. A revision that was left behind under a name that
    is wanted now is deleted, so that it is made anew: one that failed would stay failed, and one that is older than
    others would leave them the requests until it is ready.

    Args:
        cluster: where.
        services: as they are to be.
        seconds: how long to wait at most.
        watcher: is told what was found.

    Raises:
        ClusterError: The old version does not get its requests back.
    """
    lives = await _by_name(cluster, SERVICE)
    known = [(one, lives[one["metadata"]["name"]]) for one in services if one["metadata"]["name"] in lives]
    abandoned = []
    for manifest, live in known:
        found = traffic.standing(live)
        if found is None or not found.candidate or found.candidate == traffic.revision_name(manifest):
            continue
        name = live["metadata"]["name"]
        told = f"{name}: the roll-out of {found.candidate} of {found.since} was interrupted"
        if await cluster.get(REVISION, found.stable) is None:
            watcher.note(f"{told}, and {found.stable} is gone meanwhile: it cannot be rolled back.")
            continue
        watcher.note(f"{told}: it is rolled back.")
        abandoned.append(name)
    if left := await roll_back(cluster, abandoned, seconds, watcher):
        raise ClusterError(f"{left[0].name} does not get back to its old version: {left[0].reason}")
    for manifest in await settled(cluster, (one for one, _ in known)):
        await _clear_name(cluster, traffic.revision_name(manifest), lives[manifest["metadata"]["name"]])


async def started_anew(
    cluster: Cluster, services: Iterable[Manifest], unready: Iterable[Unready], watcher: Watcher
) -> bool:
    """Start revisions anew that Knative wrote off though an instance of them runs; whether there were any.

    One container that ended while none was available is enough for Knative, also one that a busy node did not get to
    start. Nobody but us tries again.

    Args:
        cluster: where.
        services: as they were applied.
        unready: what did not become ready of what was applied.
        watcher: is told of each.
    """
    failed = {one.name for one in unready if one.kind == SERVICE.name}
    lives, revisions = await _by_name(cluster, SERVICE), await _by_name(cluster, REVISION)
    again = []
    for manifest in services:
        live = lives.get(manifest["metadata"]["name"])
        name = traffic.revision_name(live) if live is not None else ""
        if live is None or live["metadata"]["name"] not in failed or name not in revisions:
            continue
        if traffic.written_off(revisions[name]) and await runs(cluster, name):
            watcher.note(f"{live['metadata']['name']}: Knative has written {name} off, though it runs: started anew.")
            await _clear_name(cluster, name, live)
            again.append(manifest)
    for manifest in await settled(cluster, again):
        await cluster.apply(manifest)
    return bool(again)


async def runs(cluster: Cluster, revision: str) -> bool:
    """Whether all containers of an instance run."""
    pods = await cluster.listed(POD, f"serving.knative.dev/revision={revision}")
    states = [(pod.get("status") or {}).get("containerStatuses") or [] for pod in pods]
    return any(of_one and all("running" in (each.get("state") or {}) for each in of_one) for of_one in states)


async def _clear_name(cluster: Cluster, name: str, live: Manifest) -> None:
    if not name or name in traffic.served(live):
        return
    left = await cluster.get(REVISION, name)
    current = name == traffic.revision_name(live)
    if left is None or (current and not traffic.failed(left)):
        return
    await cluster.delete(REVISION, name, uid=left["metadata"]["uid"])
    if not current:  # else Knative makes it anew by itself
        await until_gone(cluster, REVISION, name)


async def roll_out(
    cluster: Cluster, services: Sequence[Manifest], canary: Canary, seconds: float, watcher: Watcher
) -> RollOut:
    """Try the services that changed; when they are bad, put the old ones back.

    Args:
        cluster: where, after `clear`.
        services: as they are to be in the end, with named templates.
        canary: how they are tried.
        seconds: how long to wait at most until they are ready.
        watcher: is told how it goes.

    Raises:
        ClusterError: The server refused something, or went away: what was applied stays, and is found again.
    """
    if unready := await _revive(cluster, services, seconds, watcher):
        return RollOut(canary.percent, unready=tuple(unready))
    tried, new = await _sorted_out(cluster, await settled(cluster, services), watcher)
    if not tried:
        return RollOut(canary.percent)
    since = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    applied = [*new, *(traffic.split(one.manifest, one.stable, canary.percent, since) for one in tried)]
    for manifest in applied:
        await cluster.apply(manifest)
    trials = tuple(_trial(one, Sample(), Sample(), ()) for one in tried)
    unready = await until_ready(cluster, applied, seconds, watcher)
    if unready:
        result = RollOut(canary.percent, 0.0, trials, tuple(unready))
    else:
        result = await _Hold(cluster, tried, canary, watcher).run()
    if not unready and not any(trial.faults for trial in result.trials):
        return result
    left = await roll_back(cluster, [one.name for one in tried], seconds, watcher)
    return RollOut(result.percent, result.held_seconds, result.trials, (*result.unready, *left), rolled_back=not left)


async def _revive(cluster: Cluster, services: Iterable[Manifest], seconds: float, watcher: Watcher) -> list[Unready]:
    """Make old versions anew that serve and are written off: else none of them could keep its share."""
    lives, revisions = await _by_name(cluster, SERVICE), await _by_name(cluster, REVISION)
    revived = []
    for name in sorted({one["metadata"]["name"] for one in services} & lives.keys()):
        found = traffic.standing(lives[name])
        old = revisions.get(found.stable) if found is not None else None
        if old is not None and traffic.written_off(old):
            watcher.note(f"{name}: Knative has written {old['metadata']['name']} off: the old version is started anew.")
            revived.append(traffic.restored(lives[name], old))
            await _clear_name(cluster, traffic.revision_name(revived[-1]), lives[name])
    for manifest in revived:
        await cluster.apply(manifest)
    return await until_ready(cluster, revived, seconds, watcher)


async def _sorted_out(
    cluster: Cluster, services: Iterable[Manifest], watcher: Watcher
) -> tuple[list[_Tried], list[Manifest]]:
    """Give the services that changed, and those that have nothing to be judged by: new ones, or the old one is gone."""
    lives = await _by_name(cluster, SERVICE)
    tried, new = [], []
    for manifest in services:
        live = lives.get(manifest["metadata"]["name"])
        found = traffic.standing(live) if live is not None else None
        if found is None or await cluster.get(REVISION, found.stable) is None:
            new.append(manifest)
        elif found.stable != traffic.revision_name(manifest):
            tried.append(_Tried(manifest, found.stable))
            if found.candidate:
                watcher.note(
                    f"{manifest['metadata']['name']}: the roll-out of {found.candidate} of {found.since} was "
                    "interrupted: it is tried again from the start."
                )
    return tried, new


async def roll_back(cluster: Cluster, names: Sequence[str], seconds: float, progress: Progress) -> list[Unready]:
    """Give services back to the revisions that they had before; delete those that were tried.

    Args:
        cluster: where.
        names: of services whose annotations say what they had before; others are left alone.
        seconds: how long to wait at most.
        progress: is told how it goes.

    Returns:
        what did not get back; nothing is deleted then.

    Raises:
        ClusterError: The server refused something, or the old revision is gone.
    """
    back: dict[str, Manifest] = {}
    for name in names:
        live = await cluster.get(SERVICE, name)
        found = traffic.standing(live) if live is not None else None
        if live is None or found is None or not found.candidate:
            continue
        revision = await cluster.get(REVISION, found.stable)
        if revision is None:
            raise ClusterError(f"{name} cannot go back: its revision {found.stable} is gone. Deploy its version anew.")
        back[found.stable] = traffic.restored(live, revision)
        if traffic.written_off(revision):
            await _clear_name(cluster, traffic.revision_name(back[found.stable]), live)
    for manifest in back.values():
        await cluster.apply(manifest)
    left = await until_ready(cluster, back.values(), seconds, progress)
    if not left:
        for stable, manifest in back.items():
            await _delete_newer(cluster, stable, manifest)
    return left


async def _delete_newer(cluster: Cluster, stable: str, restored: Manifest) -> None:
    revisions = await cluster.listed(REVISION, f"{_OF_SERVICE}={restored['metadata']['name']}")
    for one in traffic.newer(revisions, stable):
        if one["metadata"]["name"] != traffic.revision_name(restored):
            await cluster.delete(REVISION, one["metadata"]["name"], uid=one["metadata"]["uid"])


class _Hold:
    """The time in which new versions have their share and are looked at."""

    def __init__(self, cluster: Cluster, tried: Sequence[_Tried], canary: Canary, watcher: Watcher) -> None:
        self._cluster = cluster
        self._tried = tried
        self._canary = canary
        self._watcher = watcher
        self._period = min(_PERIOD_SECONDS, canary.hold_seconds)
        self._measurement = Measurement(cluster, [name for one in tried for name in (one.stable, one.candidate)])
        looks = math.ceil(canary.hold_seconds * LONGEST / self._period) if canary.hold_seconds else 1
        self._levels = levels(TESTS * len(tried), looks)

    async def run(self) -> RollOut:
        """Hold them until it is clear; say what was found."""
        if not self._canary.hold_seconds:
            return RollOut(self._canary.percent, 0.0, tuple(_trial(one, Sample(), Sample(), ()) for one in self._tried))
        loop = asyncio.get_running_loop()
        begun = heard = loop.time()
        crashes: Mapping[str, tuple[str, ...]] = {}
        while True:
            if (found := await self._look()) is not None:
                crashes, heard = found, loop.time()
            elif loop.time() - heard > _PATIENCE_SECONDS:
                raise ClusterError(
                    "The cluster's API does not answer: the roll-out is left as it is, and the same command goes on."
                )
            elapsed = loop.time() - begun
            last = self._over(elapsed)
            trials = self._judged(crashes, self._levels, last=last)
            if last or any(trial.faults for trial in trials):
                return RollOut(self._canary.percent, round(elapsed, 1), trials)
            self._watcher.holding(trials, self._canary.percent, max(0.0, self._canary.hold_seconds - elapsed))
            await asyncio.sleep(self._period)

    async def _look(self) -> dict[str, tuple[str, ...]] | None:
        """Measure; give what ends again and again, by revision; None when the API server is away."""
        try:
            pods = await self._measurement.look()
            return {one.candidate: await _crashes(self._cluster, one.candidate, pods) for one in self._tried}
        except ClusterError as error:
            if error.status and error.status < HTTPStatus.INTERNAL_SERVER_ERROR:
                raise
            return None

    def _over(self, elapsed: float) -> bool:
        """Say whether it is to be decided now: the time is up, and more of it would not give enough requests."""
        hold = self._canary.hold_seconds
        if elapsed < hold or elapsed >= hold * LONGEST:
            return elapsed >= hold
        return not any(self._worth_waiting(one, hold * LONGEST / elapsed) for one in self._tried)

    def _worth_waiting(self, one: _Tried, stretch: float) -> bool:
        old, new = self._measurement.sample(one.stable), self._measurement.sample(one.candidate)
        expected = (old.requests + new.requests) * self._canary.percent / 100 * stretch
        return new.requests < ENOUGH <= expected

    def _judged(self, crashes: Mapping[str, tuple[str, ...]], risk: Levels, *, last: bool) -> tuple[Trial, ...]:
        found = []
        for one in self._tried:
            old, new = self._measurement.sample(one.stable), self._measurement.sample(one.candidate)
            level = risk.last if last else risk.early
            judgement = judge(old, new, self._canary.limits, level, last=last)
            unheard = last and self._measurement.unheard(one.candidate)
            faults = (
                *crashes.get(one.candidate, ()),
                *judgement.faults,
                *(("its pods' metrics cannot be read, so that it cannot be judged",) if unheard else ()),
            )
            found.append(_trial(one, old, new, faults, judgement))
        return tuple(found)


async def _crashes(cluster: Cluster, revision: str, pods: Iterable[Manifest]) -> tuple[str, ...]:
    """Say why containers of a revision end again and again; nothing when they do not."""
    mine = [pod for pod in pods if pod["metadata"]["labels"].get(_OF_REVISION) == revision]
    if not any(_ends_again(pod) for pod in mine):
        return ()
    found = await reasons.of_pods(cluster, f"{_OF_REVISION}={revision}")
    return tuple("; ".join((one.text, *one.log[-1:])) for one in found) or ("its containers end again and again",)


def _ends_again(pod: Manifest) -> bool:
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    return any(
        one["name"] != _SIDECAR
        and (
            one.get("restartCount", 0) >= _RESTARTS
            or ((one.get("state") or {}).get("waiting") or {}).get("reason") == _CRASHES
        )
        for one in statuses
    )


def _trial(one: _Tried, old: Sample, new: Sample, faults: tuple[str, ...], judgement: Judgement | None = None) -> Trial:
    enough = judgement is not None and judgement.enough
    return Trial(one.name, _side(one.stable, old), _side(one.candidate, new), faults, enough)


def _side(revision: str, sample: Sample) -> Side:
    return Side(revision, sample.requests, sample.failed, sample.refused, sample.p95_seconds)
