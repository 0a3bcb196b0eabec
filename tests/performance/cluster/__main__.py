"""`make bench-cluster`: measure the cluster of KUBECONFIG, print a table, write JSON under build/bench.

    python -m tests.performance.cluster [--only NAME]... [--quick] [--json] [--check]

`tests.performance.cluster.stage` says what else it needs. Progress goes to standard error. Exit codes: 0 all ran; 1 one
could not run, or with --check a goal was missed; 2 wrong usage.
"""

from __future__ import annotations

import importlib
import json
import sys
from functools import partial
from typing import TYPE_CHECKING, Final

from tests.performance.cluster.benchmark import Bench
from tests.performance.cluster.stage import staged
from tests.performance.harness import arguments, exit_code, measured, say
from tests.performance.machine import facts
from tests.performance.results import summary, table, write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.performance.cluster.benchmark import ClusterBenchmark
    from tests.performance.results import Result

MODULES: Final = ("cold_start", "request_cost", "broker_events", "load_step", "neurons")
_PREFIX: Final = "cluster-"


def benchmarks() -> list[ClusterBenchmark]:
    """Give all benchmarks, in the order in which they run: later ones use what earlier ones noted."""
    return [importlib.import_module(f"tests.performance.cluster.{module}").BENCHMARK for module in MODULES]


def _run(benchmark: ClusterBenchmark, bench: Bench) -> Result:
    title = f"{benchmark.title} (load {facts()['load']})"
    sys.stderr.write(f"{benchmark.name}: {title}\n")
    return measured(_PREFIX + benchmark.name, title, partial(benchmark.measure, bench))


def main(given: Sequence[str] | None = None) -> int:
    """Run what was asked for; give the exit code."""
    known = {benchmark.name: benchmark for benchmark in benchmarks()}
    asked = arguments("tests.performance.cluster", "Measure a cluster.", list(known), given)
    asked.out.mkdir(parents=True, exist_ok=True)
    machine = facts()
    with staged() as stage:
        bench = Bench(stage, say, asked.out, quick=asked.quick)
        results = [_run(known[name], bench) for name in known if name in (asked.only or known)]
    document = summary(results, machine, {}, quick=asked.quick)
    write(asked.out, results, document, name="cluster-summary.json")
    sys.stdout.write(json.dumps(document, indent=2) + "\n" if asked.json else table(results) + "\n")
    return exit_code(document, check=asked.check)


if __name__ == "__main__":
    raise SystemExit(main())
