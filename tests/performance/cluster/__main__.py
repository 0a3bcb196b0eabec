"""`make bench-cluster`: measure the cluster of KUBECONFIG, print a table, write JSON under build/bench.

    python -m tests.performance.cluster [--only NAME]... [--quick] [--json] [--check]

`tests.performance.cluster.stage` says what else it needs. Progress goes to standard error. Exit codes: 0 all ran; 1 one
could not run, or with --check a goal was missed; 2 wrong usage.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.performance.__main__ import exit_code
from tests.performance.cluster.benchmark import Bench
from tests.performance.cluster.stage import staged
from tests.performance.machine import facts
from tests.performance.peers import ROOT
from tests.performance.results import Result, summary, table, write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.performance.cluster.benchmark import ClusterBenchmark

MODULES: Final = ("cold_start", "request_cost", "broker_events", "load_step", "neurons")
FOLDER: Final = ROOT / "build" / "bench"
_PREFIX: Final = "cluster-"


def benchmarks() -> list[ClusterBenchmark]:
    """Give all benchmarks, in the order in which they run: later ones use what earlier ones noted."""
    return [importlib.import_module(f"tests.performance.cluster.{module}").BENCHMARK for module in MODULES]


def _arguments(known: Sequence[str], given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.performance.cluster", description="Measure a cluster.")
    parser.add_argument("--only", action="append", choices=known, metavar="NAME", help=f"one of {', '.join(known)}")
    parser.add_argument("--quick", action="store_true", help="few rounds: shows that all runs, not how fast it is")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON instead of the table")
    parser.add_argument("--check", action="store_true", help="a missed goal is exit code 1")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of the JSON files")
    return parser.parse_args(given)


def _say(line: str) -> None:
    sys.stderr.write(f"  {line}\n")


def _run(benchmark: ClusterBenchmark, bench: Bench) -> Result:
    title = f"{benchmark.title} (load {facts()['load']})"
    sys.stderr.write(f"{benchmark.name}: {title}\n")
    begun = time.monotonic()
    try:
        figures = benchmark.measure(bench)
    except Exception as error:  # noqa: BLE001 - the others run even so, and the exit code tells
        reason = f"{type(error).__name__}: {error}"
        _say(f"failed: {reason}")
        return Result(_PREFIX + benchmark.name, title, (), time.monotonic() - begun, reason[:2000])
    return Result(_PREFIX + benchmark.name, title, figures, time.monotonic() - begun)


def main(given: Sequence[str] | None = None) -> int:
    """Run what was asked for; give the exit code."""
    known = {benchmark.name: benchmark for benchmark in benchmarks()}
    arguments = _arguments(list(known), given)
    arguments.out.mkdir(parents=True, exist_ok=True)
    machine = facts()
    with staged() as stage:
        bench = Bench(stage, _say, arguments.out, quick=arguments.quick)
        results = [_run(known[name], bench) for name in known if name in (arguments.only or known)]
    document = summary(results, machine, {}, quick=arguments.quick)
    write(arguments.out, results, document, name="cluster-summary.json")
    sys.stdout.write(json.dumps(document, indent=2) + "\n" if arguments.json else table(results) + "\n")
    return exit_code(document, check=arguments.check)


if __name__ == "__main__":
    raise SystemExit(main())
