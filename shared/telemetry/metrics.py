"""Metrics in Prometheus' terms: counters, gauges, histograms, and the text that a Prometheus server reads.

It is our own page of code because prometheus_client costs 75 ms of CPU and 6 MB at each cold start, and functions scale
to zero; its parser is the oracle of the tests.

Promises: the text exposition format 0.0.4; adding to a metric costs about a microsecond; a metric holds at most
SERIES series, what comes later is added up under the label value `other`, so that memory is bounded.
Does not: aggregate over processes. No label may name a tenant.
"""

from __future__ import annotations

import os
import re
import resource
import sys
import time
from bisect import bisect_left
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
SERIES: Final = 1000
SECONDS_BUCKETS: Final = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
    60.0,
    300.0,
)
_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")


class _Metric:
    """What the three kinds have in common: a name, a sentence, labels, bounded series."""

    kind: str

    def __init__(self, name: str, doc: str, labels: tuple[str, ...]) -> None:
        if _NAME.fullmatch(name) is None:
            raise ValueError(f"{name!r} is no name for a metric: use lower-case letters, digits and _")
        self.name = name
        self.doc = doc
        self.labels = labels

    def _bounded(self, known: int, values: tuple[str, ...]) -> tuple[str, ...]:
        if len(values) != len(self.labels):
            raise ValueError(f"{self.name} has the labels {self.labels}, not {len(values)} values")
        return values if known < SERIES else ("other",) * len(self.labels)

    def _series(self, values: tuple[str, ...], extra: str = "") -> str:
        pairs = [f'{name}="{_escape(value)}"' for name, value in zip(self.labels, values, strict=True)]
        if extra:
            pairs.append(extra)
        return "{" + ",".join(pairs) + "}" if pairs else ""

    def samples(self) -> Iterator[str]:
        """Give the lines of the exposition, without `# HELP` and `# TYPE`."""
        raise NotImplementedError


class Counter(_Metric):
    """A number that only grows; its name ends in `_total`."""

    kind = "counter"

    def __init__(self, name: str, doc: str, labels: tuple[str, ...] = ()) -> None:
        super().__init__(name, doc, labels)
        self._values: dict[tuple[str, ...], float] = {} if labels else {(): 0.0}

    def add(self, *values: str, by: float = 1.0) -> None:
        """Count: `values` are the labels' values, in their order."""
        known = self._values
        if values not in known:
            values = self._bounded(len(known), values)
            known.setdefault(values, 0.0)
        known[values] += by

    def value(self, *values: str) -> float:
        """Give the present number."""
        return self._values.get(values, 0.0)

    def samples(self) -> Iterator[str]:
        """Give the lines of the exposition."""
        for values, number in list(self._values.items()):
            yield f"{self.name}{self._series(values)} {_number(number)}"


class Gauge(_Metric):
    """A number that goes up and down, or that is asked for when it is read."""

    kind = "gauge"

    def __init__(
        self, name: str, doc: str, labels: tuple[str, ...] = (), read: Callable[[], float] | None = None
    ) -> None:
        super().__init__(name, doc, labels)
        self._read = read
        self._values: dict[tuple[str, ...], float] = {}

    def set(self, number: float, *values: str) -> None:
        """Say the present number; `values` are the labels' values, in their order."""
        if values not in self._values:
            values = self._bounded(len(self._values), values)
        self._values[values] = number

    def samples(self) -> Iterator[str]:
        """Give the lines of the exposition."""
        if self._read is not None:
            yield f"{self.name} {_number(self._read())}"
        for values, number in list(self._values.items()):
            yield f"{self.name}{self._series(values)} {_number(number)}"


class Histogram(_Metric):
    """How often a quantity was in which range; by default seconds."""

    kind = "histogram"

    def __init__(
        self, name: str, doc: str, labels: tuple[str, ...] = (), buckets: tuple[float, ...] = SECONDS_BUCKETS
    ) -> None:
        super().__init__(name, doc, labels)
        self._buckets = buckets
        self._values: dict[tuple[str, ...], list[float]] = {}

    def observe(self, quantity: float, *values: str) -> None:
        """Count one quantity; `values` are the labels' values, in their order."""
        row = self._values.get(values)
        if row is None:
            values = self._bounded(len(self._values), values)
            row = self._values.setdefault(values, [0.0] * (len(self._buckets) + 2))
        row[bisect_left(self._buckets, quantity)] += 1
        row[-1] += quantity

    def samples(self) -> Iterator[str]:
        """Give the lines of the exposition: cumulative buckets, sum, count."""
        for values, row in list(self._values.items()):
            seen = 0.0
            for bound, number in zip((*self._buckets, None), row, strict=False):
                seen += number
                upper = "+Inf" if bound is None else _number(bound)
                series = self._series(values, f'le="{upper}"')
                yield f"{self.name}_bucket{series} {_number(seen)}"
            yield f"{self.name}_sum{self._series(values)} {_number(row[-1])}"
            yield f"{self.name}_count{self._series(values)} {_number(seen)}"


_METRICS: dict[str, _Metric] = {}
_M = TypeVar("_M", bound=_Metric)


def _known(metric: _M) -> _M:
    """Put a metric into the exposition, or give the one that has its name, kind and labels already."""
    known = _METRICS.setdefault(metric.name, metric)
    if type(known) is not type(metric) or known.labels != metric.labels:
        raise ValueError(f"the metric {metric.name} is known already with another meaning: choose another name")
    return known


def counter(name: str, doc: str, labels: tuple[str, ...] = ()) -> Counter:
    """Give the counter of that name; see `Counter`."""
    return _known(Counter(name, doc, labels))


def gauge(name: str, doc: str, labels: tuple[str, ...] = (), read: Callable[[], float] | None = None) -> Gauge:
    """Give the gauge of that name; see `Gauge`."""
    return _known(Gauge(name, doc, labels, read))


def histogram(
    name: str, doc: str, labels: tuple[str, ...] = (), buckets: tuple[float, ...] = SECONDS_BUCKETS
) -> Histogram:
    """Give the histogram of that name; see `Histogram`."""
    return _known(Histogram(name, doc, labels, buckets))


def exposition() -> str:
    """Give all metrics, and those of the process, in the text exposition format 0.0.4."""
    lines: list[str] = []
    for metric in [*_METRICS.values(), *_process()]:
        lines += [f"# HELP {metric.name} {_escape_doc(metric.doc)}", f"# TYPE {metric.name} {metric.kind}"]
        lines += metric.samples()
    return "\n".join(lines) + "\n"


_STARTED: Final = time.time()


def _process() -> list[_Metric]:
    """Give Prometheus' standard metrics of a process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    cpu = Counter("process_cpu_seconds_total", "User and system CPU time spent, in seconds.")
    cpu.add(by=usage.ru_utime + usage.ru_stime)
    started = Gauge("process_start_time_seconds", "When the process started, in seconds since 1970.")
    started.set(_STARTED)
    found: list[_Metric] = [cpu, started]
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        memory = Gauge("process_resident_memory_bytes", "Resident memory size, in bytes.")
        memory.set(pages * os.sysconf("SC_PAGE_SIZE"))
        files = Gauge("process_open_fds", "Number of open file descriptors.")
        files.set(len(os.listdir("/proc/self/fd")))  # noqa: PTH208 - the cheapest way to count
        found += [memory, files]
    return found


def _number(value: float) -> str:
    value = float(value)  # whole numbers are welcome
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _escape_doc(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")
