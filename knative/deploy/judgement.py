"""Whether a new version is as good as the old one, by what both answered in the same time. Pure.

    old, new = Sample(answers={2: 900}, within=...), Sample(answers={2: 80, 5: 20}, within=...)
    judge(old, new, Limits(), levels(tests=3, looks=24).last, last=True).bad

Three things are held against a version: that more of its answers are 5xx than is allowed beside the old one's, that
more are 4xx, and that it is slower. Requests are split at random between the two, so that callers' own faults and a
busy machine meet both alike.

Promises: nothing is bad by chance more often than the levels say, whatever the number of looks and of services
(`levels`: a union bound); a version without failures is never bad for its failures; more failures never make it better.
Does not: judge what no request has reached; `Judgement.enough` says whether there was enough to judge by.

Sources: Fisher's exact test, with an odds ratio for the tolerance (Fisher, The Design of Experiments, 1935; R. A.
Fisher's noncentral hypergeometric distribution); quantiles out of a histogram as Prometheus' `histogram_quantile`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ENOUGH: Final = 50
"""Answers by which a version can be judged: that one of five fails shows among them in 99 of 100 roll-outs."""

RISK: Final = 0.05
"""The greatest share of roll-outs of a good version that may be rolled back by chance; what is seen is far less."""

TESTS: Final = 3
"""How many things are held against one service's version."""

_QUANTILE: Final = 0.95
_NOTICEABLE_SECONDS: Final = 0.02
"""A version is not held to be slower for less."""

_REFUSED: Final = 4
_FAILED: Final = 5


@dataclass(frozen=True, slots=True)
class Sample:
    """What one version answered.

    Attributes:
        answers: how many, by the first digit of their status.
        within: how many of the 2xx took at most so many seconds: (seconds, count) by rising seconds, the last
            infinite; empty when there was none.
    """

    answers: Mapping[int, int] = field(default_factory=dict)
    within: tuple[tuple[float, int], ...] = ()

    @property
    def requests(self) -> int:
        """All answers."""
        return sum(self.answers.values())

    @property
    def failed(self) -> int:
        """The 5xx among them."""
        return self.answers.get(_FAILED, 0)

    @property
    def refused(self) -> int:
        """The 4xx among them."""
        return self.answers.get(_REFUSED, 0)

    @property
    def timed(self) -> int:
        """How many `within` is of."""
        return self.within[-1][1] if self.within else 0

    @property
    def p95_seconds(self) -> float | None:
        """What 95% of the 2xx took at most, interpolated within a bucket; None when there was none."""
        return _quantile(self.within, _QUANTILE) if self.timed else None


@dataclass(frozen=True, slots=True)
class Limits:
    """What a new version may do more than the old one.

    Attributes:
        error_ratio: how many times as often it may fail, or refuse.
        latency_ratio: how many times as long its 95th percentile may be.
    """

    error_ratio: float = 1.5
    latency_ratio: float = 1.5


@dataclass(frozen=True, slots=True)
class Levels:
    """How improbable by chance something must be to be held against a version.

    Attributes:
        early: at each look before the last.
        last: at the last one.
    """

    early: float
    last: float


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was found.

    Attributes:
        faults: what is held against the new version, each a sentence; empty when nothing is.
        enough: whether there were answers enough to judge by.
    """

    faults: tuple[str, ...]
    enough: bool

    @property
    def bad(self) -> bool:
        """Whether it is to be rolled back."""
        return bool(self.faults)


def levels(tests: int, looks: int, risk: float = RISK) -> Levels:
    """Divide the risk: half of it for the last look, the other half over the looks before, evenly over the tests.

    Args:
        tests: `TESTS` times the services.
        looks: before the last one, at most.
        risk: that any of all these tests at any of the looks finds a good version bad.
    """
    last = risk / 2 / max(1, tests)
    return Levels(early=last / max(1, looks), last=last)


def judge(old: Sample, new: Sample, limits: Limits, level: float, *, last: bool) -> Judgement:
    """Compare two versions.

    Args:
        old: what the old one answered.
        new: what the new one answered in the same time.
        limits: what is tolerated.
        level: how improbable something must be to count.
        last: whether it is decided now: what half of few requests found broken is not let through for being few.
    """
    ratio, before, now = limits.error_ratio, old.requests, new.requests
    faults = [
        *_oftener("failed (5xx)", (old.failed, before), (new.failed, now), ratio, level),
        *_oftener("were refused (4xx)", (old.refused, before), (new.refused, now), ratio, level),
        *_slower(old, new, limits.latency_ratio, level),
    ]
    enough = new.requests >= ENOUGH
    if last and not enough and not faults:
        faults += _unproven(old, new, ratio)
    return Judgement(tuple(faults), enough)


def _oftener(what: str, old: tuple[int, int], new: tuple[int, int], ratio: float, level: float) -> Iterator[str]:
    if chance(new, old, ratio) <= level and _share(*new) > ratio * _share(*old):
        yield f"{_of(*new)} {what}, {_of(*old)} of the old version's"


def _unproven(old: Sample, new: Sample, ratio: float) -> Iterator[str]:
    if new.failed * 2 >= max(1, new.requests) and _share(new.failed, new.requests) > ratio * _share(
        old.failed, old.requests
    ):
        yield f"{_of(new.failed, new.requests)} failed (5xx), too few to judge by, and too many to go on"


def _slower(old: Sample, new: Sample, ratio: float, level: float) -> Iterator[str]:
    """Say that a version is slower: its 95th percentile is, by what is tolerated and noticed, and not by chance.

    By chance it is not when for some time t more of its answers than of the old one's take longer, once the old one's
    times are stretched by the ratio; each t of the histogram is a test, so the level is divided by their number.
    """
    before, now = old.p95_seconds, new.p95_seconds
    if before is None or now is None or now <= before * ratio or now - before < _NOTICEABLE_SECONDS:
        return
    pairs = list(_slow_pairs(old, new, ratio))
    chances = (chance((slow, new.timed), (slow_before, old.timed), 1.0) for slow_before, slow in pairs)
    if any(one * len(pairs) <= level for one in chances):
        yield f"95% were answered within {_time(now)}, by the old version within {_time(before)}"


def _slow_pairs(old: Sample, new: Sample, ratio: float) -> Iterator[tuple[int, int]]:
    """Give, for each edge of the old one's histogram, how many of its answers and how many of the new one's are slow.

    The new one's edge is the first that is not less than the stretched one: what lies between counts as fast.
    """
    for seconds, fast in old.within[:-1]:
        fast_now = next(count for edge, count in new.within if edge >= seconds * ratio)
        yield old.timed - fast, new.timed - fast_now


def chance(new: tuple[int, int], old: tuple[int, int], ratio: float) -> float:
    """Give the probability of as many failures in the new version, or more, were its odds `ratio` times the old one's.

    Given how many failed altogether, the new one's number has Fisher's noncentral hypergeometric distribution.

    Args:
        new: its failures, and how many requests it had.
        old: the same of the old version.
        ratio: of the odds; that of the shares comes close while failures are rare, and is smaller otherwise.

    Returns:
        1 when the new version had no failure, or no request.
    """
    (failed, asked), (failed_before, asked_before) = new, old
    altogether = failed + failed_before
    fewest, most = max(0, altogether - asked_before), min(altogether, asked)
    if failed <= fewest:
        return 1.0
    weight, total, tail, greatest = 0.0, 0.0, 0.0, -math.inf
    for count in range(fewest, most + 1):  # logarithms of weights, summed relative to the greatest so far
        if count > fewest:
            before = count - 1
            weight += math.log(
                ratio * (asked - before) * (altogether - before) / (count * (asked_before - altogether + count))
            )
        if weight > greatest:
            shrunk = math.exp(greatest - weight)
            total, tail, greatest = total * shrunk, tail * shrunk, weight
        part = math.exp(weight - greatest)
        total += part
        tail += part if count >= failed else 0.0
    return tail / total


def _quantile(within: tuple[tuple[float, int], ...], quantile: float) -> float:
    rank = quantile * within[-1][1]
    below_edge, below = 0.0, 0
    for edge, count in within:
        if count >= rank:
            if math.isinf(edge):
                break
            return below_edge + (edge - below_edge) * (rank - below) / (count - below)
        below_edge, below = edge, count
    return below_edge


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _of(part: int, whole: int) -> str:
    return f"{part} of {whole} requests ({_share(part, whole):.1%})"


def _time(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.2f} s"
