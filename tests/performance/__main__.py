"""`make bench`: run the benchmarks, print a table, write JSON under build/bench.

    python -m tests.performance [--only NAME]... [--quick] [--json] [--check]

Every figure is a ratio to a named peer or a raw limit measured in the same run, or has one beside it. Progress goes to
standard error. Exit codes: 0 all ran; 1 one could not run, or with --check a goal was missed; 2 wrong usage.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from functools import partial
from typing import TYPE_CHECKING, Final

from tests.performance.benchmark import Conditions
from tests.performance.harness import FOLDER, arguments, exit_code, measured, say
from tests.performance.machine import facts
from tests.performance.peers import Peers
from tests.performance.results import summary, table, write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.performance.benchmark import Benchmark
    from tests.performance.results import Result

MODULES: Final = (
    "slot_lookup",
    "tenant_move",
    "tenant_growth",
    "session_seal",
    "cache_hits",
    "rate_limits",
    "pool_overhead",
    "cross_shard_commit",
    "codec_events",
    "cesql_expressions",
    "host_requests",
    "cold_start",
    "durable_step",
    "noisy_neighbour",
    "codegen_run",
)


def benchmarks() -> list[Benchmark]:
    """Give all benchmarks, in the order in which they run."""
    return [importlib.import_module(f"tests.performance.{module}").BENCHMARK for module in MODULES]


def _run(benchmark: Benchmark, conditions: Conditions) -> Result:
    sys.stderr.write(f"{benchmark.name}: {benchmark.title}\n")
    return measured(benchmark.name, benchmark.title, partial(benchmark.measure, conditions))


def main(given: Sequence[str] | None = None) -> int:
    """Run what was asked for; give the exit code."""
    found = {benchmark.name: benchmark for benchmark in benchmarks()}
    asked = arguments("tests.performance", "Measure against named peers.", list(found), given)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    peers = Peers(FOLDER / "peers", say)
    conditions = Conditions(peers, say, quick=asked.quick)
    machine = facts()
    results = [_run(found[name], conditions) for name in found if name in (asked.only or found)]
    document = summary(results, machine, peers.versions(), quick=asked.quick)
    write(asked.out, results, document)
    sys.stdout.write(json.dumps(document, indent=2) + "\n" if asked.json else table(results) + "\n")
    return exit_code(document, check=asked.check)


if __name__ == "__main__":
    raise SystemExit(main())
