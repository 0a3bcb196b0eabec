"""What the revisions of a roll-out answered since it began, as the queue-proxies in front of their pods counted it.

    measurement = Measurement(cluster, ["gateway-1a2b", "gateway-3c4d"])
    await measurement.look()
    measurement.sample("gateway-1a2b")

A pod's queue-proxy counts every request that reached the pod, by the class of its answer, and how long it took, for
Prometheus at port 9091; it is read through the API server (`pods/proxy`), which reaches pods whatever the network
policies say. What waited in the activator for a pod to start is not in it: neither version is to blame for that.

Promises: only what was answered since the first look counts; pods that come and go in between are counted as far as
they were seen; a counter that begins anew is no step back. Of a revision with many pods a fixed number is read, for
requests are spread evenly over them.
Does not: see what was answered between the last look and a pod's end, or read other metrics than those of Knative 1.15
to 1.18, whose names later releases changed.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from prometheus_client.parser import text_string_to_metric_families

from knative.deploy.judgement import Sample
from knative.deploy.kinds import POD

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from knative.deploy.cluster import Cluster
    from knative.render.target import Manifest

PORT: Final = 9091
_PREFIX: Final = "revision_request_"
_COUNT: Final = "revision_request_count"
_BUCKET: Final = "revision_request_latencies_bucket"
_CLASS: Final = "response_code_class"
_SUCCESS: Final = "2xx"
_OF_REVISION: Final = "serving.knative.dev/revision"
_PODS: Final = 20
_AT_ONCE: Final = 8
_MILLISECONDS: Final = 1000.0

Series = tuple[str, str, str]
"""Answer's class, its code, and the upper edge of a bucket in seconds; empty for the count of requests."""


def read(text: str) -> dict[Series, float]:
    """Read what a queue-proxy says of the requests that reached its pod.

    Args:
        text: in Prometheus' format.

    Returns:
        its counters as they stand; none before the first request.

    Raises:
        ValueError: It is no such text.
    """
    lines = (line for line in text.splitlines() if line.startswith((_PREFIX, f"# TYPE {_PREFIX}")))
    found: dict[Series, float] = {}
    for family in text_string_to_metric_families("\n".join(lines) + "\n"):
        for sample in family.samples:
            about = sample.labels
            if sample.name.removesuffix("_total") == _COUNT:
                found[about[_CLASS], about["response_code"], ""] = sample.value
            elif sample.name == _BUCKET:
                edge = repr(float(about["le"]) / _MILLISECONDS)
                found[about[_CLASS], about["response_code"], edge] = sample.value
    return found


@dataclass(slots=True)
class Tally:
    """What one revision answered, summed over its pods.

    Attributes:
        answered: of each series, since the beginning.
    """

    answered: Counter[Series] = field(default_factory=Counter)
    _stood: dict[str, Mapping[Series, float]] = field(default_factory=dict)

    def add(self, pod: str, counters: Mapping[Series, float], *, since_its_start: bool) -> None:
        """Take in what a pod says.

        Args:
            pod: which one; another pod of the same name is another one.
            counters: as they stand.
            since_its_start: whether all that a pod answered that was not heard of yet counts; else what it answers
                from now on.
        """
        before = self._stood.get(pod, {} if since_its_start else counters)
        for series, value in counters.items():
            stood = before.get(series, 0.0)
            self.answered[series] += int(value - stood if value >= stood else value)
        self._stood[pod] = dict(counters)

    @property
    def pods(self) -> frozenset[str]:
        """Those that were heard of."""
        return frozenset(self._stood)

    def sample(self) -> Sample:
        """Give it as it is judged."""
        answers: Counter[int] = Counter()
        within: Counter[float] = Counter()
        for (code_class, _, edge), count in self.answered.items():
            if not edge:
                answers[int(code_class[0])] += count
            elif code_class == _SUCCESS:
                within[float(edge)] += count
        answers = +answers
        timed = tuple(sorted(within.items())) if within.get(math.inf) else ()
        return Sample(dict(answers), timed)


class Measurement:
    """What some revisions answer.

    Args:
        cluster: where.
        revisions: which.
    """

    def __init__(self, cluster: Cluster, revisions: Iterable[str]) -> None:
        self._cluster = cluster
        self._tallies = {name: Tally() for name in revisions}
        self._at_the_beginning: set[str] | None = None
        self._silent: Counter[str] = Counter()

    def sample(self, revision: str) -> Sample:
        """Give what a revision answered since the first look."""
        return self._tallies[revision].sample()

    def unheard(self, revision: str) -> bool:
        """Say whether pods of a revision run, and none of them could be asked ever."""
        return self._silent[revision] > 0 and not self._tallies[revision].pods

    async def look(self) -> list[Manifest]:
        """Ask every pod once; give the pods as they stand.

        Raises:
            ClusterError: The cluster does not answer, or we may not ask it.
        """
        pods = await self._cluster.listed(POD, f"{_OF_REVISION} in ({','.join(self._tallies)})")
        running = [pod for pod in pods if pod.get("status", {}).get("phase") == "Running"]
        if self._at_the_beginning is None:
            self._at_the_beginning = {_uid(pod) for pod in running}
        turn = asyncio.Semaphore(_AT_ONCE)
        await asyncio.gather(*(self._ask(pod, turn) for pod in self._chosen(running)))
        return pods

    def _chosen(self, pods: Iterable[Manifest]) -> list[Manifest]:
        """Choose whom to ask: those that were asked before, then others, up to the number."""
        of: dict[str, list[Manifest]] = defaultdict(list)
        for pod in pods:
            of[_revision(pod)].append(pod)
        chosen = []
        for revision, mine in of.items():
            known = self._tallies[revision].pods
            mine.sort(key=lambda pod: (_uid(pod) not in known, _uid(pod)))
            chosen += mine[:_PODS]
        return chosen

    async def _ask(self, pod: Manifest, turn: asyncio.Semaphore) -> None:
        async with turn:
            text = await self._cluster.scraped(pod["metadata"]["name"], PORT, "metrics")
        revision, uid = _revision(pod), _uid(pod)
        if text is None:
            self._silent[revision] += 1
            return
        new = uid not in (self._at_the_beginning or set())
        self._tallies[revision].add(uid, read(text), since_its_start=new)


def _uid(pod: Manifest) -> str:
    uid: str = pod["metadata"]["uid"]
    return uid


def _revision(pod: Manifest) -> str:
    name: str = pod["metadata"]["labels"][_OF_REVISION]
    return name
